// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Programs that do nothing: what the kernel takes to call any. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("cgroup/connect4")
int empty_connect4(struct bpf_sock_addr *ctx)
{
	return 1;
}

SEC("sockops")
int empty_sockops(struct bpf_sock_ops *ops)
{
	return 1;
}
