/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The binary contract between the kernel programs and the agent: every structure that crosses the border, with fixed
 * widths and explicit padding. The agent's side is src/platform/linux/record_layout.ts; a test compares both by BTF.
 */
#ifndef REDIRECTOR_RECORD_H
#define REDIRECTOR_RECORD_H

#include <linux/types.h>

/* Raise this with every change of a structure below: maps pinned under another number are not taken over. */
#define REDIRECTOR_ABI 1

#define COMM_BYTES 16

/* What to do with a connect() to an address that the agent named. */
enum target_action {
	TARGET_ENFORCE = 1,	/* always to the listener */
	TARGET_AUDIT = 2,	/* to the listener while the agent's heart beats, straight on otherwise */
	TARGET_LISTENER = 3,	/* the listener itself: somebody dialled it on purpose */
};

struct target_key {
	__u32 addr;		/* network order */
	__u16 port;		/* network order */
	__u16 pad;
};

struct target {
	__u32 action;		/* enum target_action */
};

/* One element, written by the agent as a whole. */
struct settings {
	__u64 netns;		/* cookie of the agent's network namespace; others are not redirected */
	__u64 agent_start_ticks; /* start of the agent's process, 1/100 s since boot as /proc shows it */
	__u32 agent_tgid;	/* this process reaches the host directly */
	__u32 listener_addr;	/* network order */
	__u16 listener_port;	/* network order */
	__u16 pad;
	__u32 user_limit;	/* live connections of one uid */
	__u32 root_limit;	/* the same for uid 0 */
	__u32 pad2;
	__u64 stale_after_ns;	/* age of a heartbeat from which audit targets are let through */
};

enum record_kind {
	RECORD_REDIRECTED = 1,
	RECORD_DIRECT = 2,	/* tombstone: the listener was dialled, there is no identity to take */
	RECORD_CONTESTED = 3,	/* another process had this address and port a moment ago: nobody's identity */
};

/* The caller's end of a connection to the listener: what the listener sees as its peer. */
struct record_key {
	__u32 addr;		/* network order */
	__u16 port;		/* host order */
	__u16 pad;
	__u64 netns;
};

struct record {
	__u64 cookie;
	__u64 netns;
	__u64 connected_at;	/* ns since boot */
	__u64 process_started_at; /* ns since boot; 0 where task reads are refused */
	__u64 cgroup_id;
	__u64 exe_inode;	/* 0 where task reads are refused */
	__u32 exe_device;	/* the kernel's encoding: major << 20 | minor */
	__u32 uid;		/* real ids, initial user namespace */
	__u32 gid;
	__u32 tgid;
	__u32 destination_addr;	/* network order */
	__u16 destination_port;	/* host order */
	__u16 kind;		/* enum record_kind */
	char comm[COMM_BYTES];
};

/* Who last had an address and port that it had bound itself, and when somebody else last had it before. */
struct departed {
	__u64 erased_at;	/* ns since boot */
	__u64 others_erased_at;	/* ns since boot; 0 for never */
	__u64 process_started_at;
	__u32 tgid;
	__u32 uid;
};

/* Last connect() to a target from a network namespace that is not the agent's. */
struct foreign {
	__u64 count;
	__u64 last_at;		/* ns since boot */
	__u32 tgid;
	__u32 uid;
	char comm[COMM_BYTES];
};

/* Per-CPU counters. The names are the agent's metric names. */
enum counter {
	COUNT_REDIRECTED,	/* connections sent to the listener */
	COUNT_DIRECT,		/* connections dialled to the listener */
	COUNT_AGENT,		/* the agent's own connections to a target */
	COUNT_FOREIGN_NETNS,	/* target dialled from another network namespace */
	COUNT_HEARTBEAT_STALE,	/* audit target let through because the agent is silent */
	COUNT_OVER_LIMIT,	/* connect() refused: the uid holds too many connections */
	COUNT_NO_STORAGE,	/* connect() refused: no memory for the caller's facts */
	COUNT_NO_SETTINGS,	/* connect() refused: the agent never wrote its settings */
	COUNT_RECORDS_FULL,	/* no room for the record: the connection stays unattributed */
	COUNT_OWN_SOURCE,	/* the caller had bound its socket: its own source address was kept */
	COUNT_CONTESTED,	/* such a connection is left without identity: see RECORD_CONTESTED */
	COUNT_ERASED,		/* records erased because the socket closed */
	COUNT_BIND_REFUSED,	/* somebody without privilege wanted the listener's port */
	COUNT_MAX,
};

#define CHECK_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
CHECK_SIZE(struct target_key, 8);
CHECK_SIZE(struct target, 4);
CHECK_SIZE(struct settings, 48);
CHECK_SIZE(struct record_key, 16);
CHECK_SIZE(struct record, 88);
CHECK_SIZE(struct departed, 32);
CHECK_SIZE(struct foreign, 40);

#endif
