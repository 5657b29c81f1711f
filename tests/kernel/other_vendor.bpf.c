// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Somebody else's programs on the same cgroup: one counts connect() calls and notes the port that it sees, one refuses
 * all of them. With REFUSED defined the kernel refuses to load it.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct seen {
	__u32 connects;
	__u32 last_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} vendor_seen SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("cgroup/connect4")
int vendor_counts(struct bpf_sock_addr *ctx)
{
	__u32 zero = 0;
	struct seen *seen = bpf_map_lookup_elem(&vendor_seen, &zero);

#ifdef REFUSED
	return *(volatile int *)(long)ctx->user_port;
#endif
	if (seen && ctx->protocol == IPPROTO_TCP) {
		seen->connects++;
		seen->last_port = bpf_ntohs((__u16)ctx->user_port);
	}
	return 1;
}

SEC("cgroup/connect4")
int vendor_refuses(struct bpf_sock_addr *ctx)
{
	return 0;
}
