// SPDX-License-Identifier: GPL-2.0-only
/*
 * What systemd makes of IPAddressDeny=any and IPAddressAllow=: packets of the cgroup's sockets pass when the other end is in
 * one of the networks. ALLOWED holds them as { address, mask } in host order.
 */
#include <linux/bpf.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static const __u32 allowed[][2] = { ALLOWED };

static __always_inline int passes(struct __sk_buff *skb, unsigned int offset)
{
	__u32 other;

	if (skb->protocol != bpf_htons(0x0800))
		return 0;
	if (bpf_skb_load_bytes_relative(skb, offset, &other, sizeof(other), BPF_HDR_START_NET) < 0)
		return 0;
	other = bpf_ntohl(other);
	for (unsigned int i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if ((other & allowed[i][1]) == allowed[i][0])
			return 1;
	return 0;
}

SEC("cgroup_skb/egress")
int leave(struct __sk_buff *skb)
{
	return passes(skb, offsetof(struct iphdr, daddr));
}

SEC("cgroup_skb/ingress")
int enter(struct __sk_buff *skb)
{
	return passes(skb, offsetof(struct iphdr, saddr));
}

char _license[] SEC("license") = "GPL";
