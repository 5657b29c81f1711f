// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Sends connections to the metadata endpoints to the agent's listener and remembers who made them.
 *
 * The programs stand in the order in which the kernel runs them for one connection:
 *   connect4, connect6   the caller's connect(): facts are hung on the socket, the address is rewritten
 *   sockops              source port known, SYN not sent: the facts become the record of this address and port;
 *                        the socket closes: the record goes
 *   getpeername4/6       the caller asks whom it talks to: the address it dialled
 *   bind4, bind6         nobody without privilege takes the listener's port while the agent is away
 *
 * Every redirected socket gets a source address of its own out of 127.128.0.0/9, made of its cookie. So the pair of
 * address and port that the listener sees names one socket among the last eight million: a request that waits in the
 * agent while its caller is already gone cannot be taken for a request of the next socket with the same port.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "caller.h"
#include "maps.h"
#include "record.h"

#define AF_INET 2
#define AF_INET6 10
#define IPV4_MAPPED_PREFIX bpf_htonl(0x0000ffff)
#define SOL_SOCKET 1
#define SO_BINDTODEVICE 25
#define LOOPBACK_INDEX 1	/* in every network namespace */
#define LOOPBACK_NAME bpf_htonl(0x6c6f0000)	/* "lo"; a string literal would be a map of its own */

#define NUMBERED_NETWORK 0x7f800000u	/* 127.128.0.0/9 */
#define NUMBERED_HOST_MASK 0x007fffffu

#define NS_PER_TICK 10000000ULL	/* USER_HZ is 100 */
#define CONTEST_NS 10000000000ULL	/* 10 s: longer than a request can wait in the agent unread */

enum verdict {
	REFUSE = 0,		/* connect() fails with EPERM */
	PROCEED = 1,
};

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline struct settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline int is_agent(const struct settings *settings)
{
	__u64 started_at;

	if ((__u32)(bpf_get_current_pid_tgid() >> 32) != settings->agent_tgid)
		return 0;
	/* A dead agent's process id may be given to somebody else; its start time cannot. */
	started_at = process_started_at();
	return !started_at || started_at / NS_PER_TICK == settings->agent_start_ticks;
}

static __always_inline int heart_beats(const struct settings *settings)
{
	__u32 zero = 0;
	__u64 *beat = bpf_map_lookup_elem(&heartbeat, &zero);

	return beat && bpf_ktime_get_boot_ns() - *beat < settings->stale_after_ns;
}

static __always_inline int over_limit(const struct settings *settings)
{
	__u32 uid = (__u32)bpf_get_current_uid_gid();
	__u64 *live = bpf_map_lookup_elem(&user_connections, &uid);

	return live && *live >= (uid ? settings->user_limit : settings->root_limit);
}

static __always_inline void note_foreign(__u64 netns)
{
	struct foreign fresh = {};
	struct foreign *known = bpf_map_lookup_elem(&foreign_namespaces, &netns);

	fresh.count = known ? known->count + 1 : 1;
	fresh.last_at = bpf_ktime_get_boot_ns();
	fresh.tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	fresh.uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
	bpf_map_update_elem(&foreign_namespaces, &netns, &fresh, BPF_ANY);
}

/* Hangs the caller's facts on its socket. Returns null where memory is short. */
static __always_inline struct record *note_caller(struct bpf_sock_addr *ctx, __u64 netns, __u32 addr,
						  __u16 kind)
{
	struct record *record;

	if (!ctx->sk)
		return NULL;
	record = bpf_sk_storage_get(&callers, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!record)
		return NULL;
	read_caller(record);
	record->cookie = bpf_get_socket_cookie(ctx);
	record->netns = netns;
	record->destination_addr = addr;
	record->destination_port = bpf_ntohs((__u16)ctx->user_port);
	record->kind = kind;
	return record;
}

/* The address out of 127.128.0.0/9 that carries the low bits of a cookie, network order; 0 for the broadcast address. */
static __always_inline __u32 numbered_source(__u64 cookie)
{
	__u32 host = (__u32)cookie & NUMBERED_HOST_MASK;

	return host == NUMBERED_HOST_MASK ? 0 : bpf_htonl(NUMBERED_NETWORK | host);
}

/* A client that tied its socket to a network device could not reach the listener by it. */
static __always_inline void tie_to_loopback(struct bpf_sock_addr *ctx)
{
	__u32 loopback = LOOPBACK_NAME;

	if (ctx->sk && ctx->sk->bound_dev_if && ctx->sk->bound_dev_if != LOOPBACK_INDEX)
		bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTODEVICE, &loopback, sizeof(loopback));
}

/* What happens to a TCP connect() to `addr` (network order): the whole decision. *redirect is set when it goes to the listener. */
static __always_inline int decide(struct bpf_sock_addr *ctx, __u32 addr, struct record **redirect)
{
	struct target_key key = {};
	struct target *target;
	struct settings *settings;
	__u64 netns;

	*redirect = NULL;
	key.addr = addr;
	key.port = (__u16)ctx->user_port;
	target = bpf_map_lookup_elem(&targets, &key);
	if (!target)
		return PROCEED;

	settings = get_settings();
	if (!settings || !settings->netns) {
		count(COUNT_NO_SETTINGS);
		return target->action == TARGET_AUDIT ? PROCEED : REFUSE;
	}
	netns = bpf_get_netns_cookie(ctx);
	if (target->action == TARGET_LISTENER) {
		if (netns != settings->netns || is_agent(settings))
			return PROCEED;
		if (over_limit(settings)) {
			count(COUNT_OVER_LIMIT);
			return REFUSE;
		}
		count(COUNT_DIRECT);
		if (!note_caller(ctx, netns, addr, RECORD_DIRECT)) {
			count(COUNT_NO_STORAGE);
			return REFUSE;
		}
		return PROCEED;
	}
	if (is_agent(settings)) {
		count(COUNT_AGENT);
		return PROCEED;
	}
	if (netns != settings->netns) {
		count(COUNT_FOREIGN_NETNS);
		note_foreign(netns);
		return PROCEED;
	}
	if (target->action == TARGET_AUDIT && !heart_beats(settings)) {
		count(COUNT_HEARTBEAT_STALE);
		return PROCEED;
	}
	if (over_limit(settings)) {
		count(COUNT_OVER_LIMIT);
		return REFUSE;
	}
	*redirect = note_caller(ctx, netns, addr, RECORD_REDIRECTED);
	if (!*redirect) {
		count(COUNT_NO_STORAGE);
		return REFUSE;
	}
	count(COUNT_REDIRECTED);
	return PROCEED;
}

SEC("cgroup/connect4")
int redirect_connect4(struct bpf_sock_addr *ctx)
{
	struct sockaddr_in source = {};
	struct settings *settings;
	struct record *record;
	int verdict;

	if (ctx->protocol != IPPROTO_TCP)
		return PROCEED;
	verdict = decide(ctx, ctx->user_ip4, &record);
	if (!record)
		return verdict;
	settings = get_settings();
	if (!settings)
		return REFUSE;
	source.sin_family = AF_INET;
	source.sin_addr.s_addr = numbered_source(record->cookie);
	if (!source.sin_addr.s_addr || bpf_bind(ctx, (struct sockaddr *)&source, sizeof(source)))
		count(COUNT_OWN_SOURCE);
	tie_to_loopback(ctx);
	ctx->user_ip4 = settings->listener_addr;
	ctx->user_port = settings->listener_port;
	return verdict;
}

/* IPv4-mapped addresses (::ffff:a.b.c.d) only: what dual-stack clients dial. Native IPv6 is left alone. */
SEC("cgroup/connect6")
int redirect_connect6(struct bpf_sock_addr *ctx)
{
	struct sockaddr_in6 source = {};
	struct settings *settings;
	struct record *record;
	int verdict;

	if (ctx->protocol != IPPROTO_TCP)
		return PROCEED;
	if (ctx->user_ip6[0] || ctx->user_ip6[1] || ctx->user_ip6[2] != IPV4_MAPPED_PREFIX)
		return PROCEED;
	verdict = decide(ctx, ctx->user_ip6[3], &record);
	if (!record)
		return verdict;
	settings = get_settings();
	if (!settings)
		return REFUSE;
	source.sin6_family = AF_INET6;
	source.sin6_addr.in6_u.u6_addr32[2] = IPV4_MAPPED_PREFIX;
	source.sin6_addr.in6_u.u6_addr32[3] = numbered_source(record->cookie);
	if (!source.sin6_addr.in6_u.u6_addr32[3] ||
	    bpf_bind(ctx, (struct sockaddr *)&source, sizeof(source)))
		count(COUNT_OWN_SOURCE);
	tie_to_loopback(ctx);
	ctx->user_ip6[3] = settings->listener_addr;
	ctx->user_port = settings->listener_port;
	return verdict;
}

static __always_inline void key_of(struct bpf_sock_ops *ops, const struct record *record, struct record_key *key)
{
	key->addr = ops->local_ip4;
	key->port = (__u16)ops->local_port;
	key->pad = 0;
	key->netns = record->netns;
}

static __always_inline void count_user(__u32 uid)
{
	__u64 *live = bpf_map_lookup_elem(&user_connections, &uid);
	__u64 one = 1;

	if (live)
		__sync_fetch_and_add(live, 1);
	else if (bpf_map_update_elem(&user_connections, &uid, &one, BPF_NOEXIST)) {
		/* Another CPU was first. */
		live = bpf_map_lookup_elem(&user_connections, &uid);
		if (live)
			__sync_fetch_and_add(live, 1);
	}
}

static __always_inline void discount_user(__u32 uid)
{
	__u64 *live = bpf_map_lookup_elem(&user_connections, &uid);

	if (!live)
		return;
	__sync_fetch_and_add(live, -1ULL);
	/* Below zero: an element was removed under another CPU's feet, and with it a count. */
	if ((__s64)*live <= 0)
		bpf_map_delete_elem(&user_connections, &uid);
}

static __always_inline int own_source(const struct record *record, const struct record_key *key)
{
	return key->addr != numbered_source(record->cookie);
}

static __always_inline int departed_is(const struct departed *departed, const struct record *record)
{
	return departed->tgid == record->tgid && departed->uid == record->uid &&
	       departed->process_started_at == record->process_started_at;
}

/*
 * A caller that bound its socket itself keeps its address and port, and both may have been another process's a moment
 * ago, whose last request may still wait in the agent. Then this connection gets nobody's identity. A numbered source is
 * looked at as well: somebody may have bound it in advance, by guessing the cookie.
 */
static __always_inline int contested(const struct record *record, const struct record_key *key)
{
	struct record *live = bpf_map_lookup_elem(&records, key);
	struct departed *departed;
	__u64 others_at;

	if (live && live->cookie != record->cookie &&
	    (live->tgid != record->tgid || live->uid != record->uid ||
	     live->process_started_at != record->process_started_at))
		return 1;
	departed = bpf_map_lookup_elem(&departed_sources, key);
	if (!departed)
		return 0;
	others_at = departed_is(departed, record) ? departed->others_erased_at : departed->erased_at;
	return others_at && bpf_ktime_get_boot_ns() - others_at < CONTEST_NS;
}

/* The port is chosen, the SYN is not sent: whoever the listener accepts next is already on record. */
static __always_inline void join(struct bpf_sock_ops *ops, struct record *record)
{
	struct record_key key;

	key_of(ops, record, &key);
	if (record->kind == RECORD_REDIRECTED && contested(record, &key)) {
		record->kind = RECORD_CONTESTED;
		count(COUNT_CONTESTED);
	}
	if (bpf_map_update_elem(&records, &key, record, BPF_ANY)) {
		count(COUNT_RECORDS_FULL);
		return;
	}
	count_user(record->uid);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void erase(struct bpf_sock_ops *ops, const struct record *record)
{
	struct departed departed = {};
	struct departed *before;
	struct record_key key;
	struct record *known;

	key_of(ops, record, &key);
	known = bpf_map_lookup_elem(&records, &key);
	/* The key may belong to a later socket by now. */
	if (!known || known->cookie != record->cookie)
		return;
	if (bpf_map_delete_elem(&records, &key))
		return;
	discount_user(record->uid);
	count(COUNT_ERASED);
	if (!own_source(record, &key))
		return;
	before = bpf_map_lookup_elem(&departed_sources, &key);
	if (before)
		departed.others_erased_at = departed_is(before, record) ? before->others_erased_at :
									  before->erased_at;
	departed.erased_at = bpf_ktime_get_boot_ns();
	departed.process_started_at = record->process_started_at;
	departed.tgid = record->tgid;
	departed.uid = record->uid;
	bpf_map_update_elem(&departed_sources, &key, &departed, BPF_ANY);
}

/* A connect() to the listener may have failed before, and the same socket now dials somebody else. */
static __always_inline int to_listener(struct bpf_sock_ops *ops)
{
	struct settings *settings = get_settings();

	return settings && ops->remote_ip4 == settings->listener_addr &&
	       (__u16)bpf_ntohl(ops->remote_port) == bpf_ntohs(settings->listener_port);
}

SEC("sockops")
int follow_socket(struct bpf_sock_ops *ops)
{
	struct bpf_sock *socket = ops->sk;
	struct record *record;

	if (ops->op != BPF_SOCK_OPS_TCP_CONNECT_CB &&
	    !(ops->op == BPF_SOCK_OPS_STATE_CB && ops->args[1] == BPF_TCP_CLOSE))
		return 1;
	if (!socket)
		return 1;
	record = bpf_sk_storage_get(&callers, socket, NULL, 0);
	if (!record)
		return 1;
	if (ops->op == BPF_SOCK_OPS_TCP_CONNECT_CB && to_listener(ops)) {
		join(ops, record);
		return 1;
	}
	if (ops->op == BPF_SOCK_OPS_STATE_CB)
		erase(ops, record);
	/* A closed socket may be connected again, to anybody. */
	bpf_sk_storage_delete(&callers, socket);
	return 1;
}

static __always_inline struct record *redirected(struct bpf_sock_addr *ctx)
{
	struct record *record;

	if (!ctx->sk)
		return NULL;
	record = bpf_sk_storage_get(&callers, ctx->sk, NULL, 0);
	return record && record->kind != RECORD_DIRECT ? record : NULL;
}

SEC("cgroup/getpeername4")
int show_peer4(struct bpf_sock_addr *ctx)
{
	struct record *record = redirected(ctx);

	if (record) {
		ctx->user_ip4 = record->destination_addr;
		ctx->user_port = bpf_htons(record->destination_port);
	}
	return 1;
}

SEC("cgroup/getpeername6")
int show_peer6(struct bpf_sock_addr *ctx)
{
	struct record *record = redirected(ctx);

	if (record) {
		ctx->user_ip6[3] = record->destination_addr;
		ctx->user_port = bpf_htons(record->destination_port);
	}
	return 1;
}

/* While the agent is away its port is free: an impostor there would be given every caller's requests. */
static __always_inline int guard_port(struct bpf_sock_addr *ctx)
{
	struct settings *settings;

	if (ctx->protocol != IPPROTO_TCP)
		return PROCEED;
	settings = get_settings();
	if (!settings || (__u16)ctx->user_port != settings->listener_port)
		return PROCEED;
	if (!(__u32)bpf_get_current_uid_gid() || bpf_get_netns_cookie(ctx) != settings->netns)
		return PROCEED;
	count(COUNT_BIND_REFUSED);
	return REFUSE;
}

SEC("cgroup/bind4")
int guard_bind4(struct bpf_sock_addr *ctx)
{
	return guard_port(ctx);
}

SEC("cgroup/bind6")
int guard_bind6(struct bpf_sock_addr *ctx)
{
	return guard_port(ctx);
}
