/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps, with their sizes and why. All are pinned by the agent, so that a restart finds them as they were. */
#ifndef REDIRECTOR_MAPS_H
#define REDIRECTOR_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "record.h"

/* Three endpoints and two spellings of the listener; room for more without a new object. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct target_key);
	__type(value, struct target);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* Written every second by the agent, apart from the settings so that neither overwrites the other. ns since boot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

/*
 * The facts of a caller hang on its socket and die with it. Nothing can evict them between connect() and the SYN,
 * nothing is left behind when the connect() fails in between, and no other socket can find them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct record);
} callers SEC(".maps");

/*
 * Live connections to the listener by the caller's end. A plain hash, not an LRU: a flood may find it full, but can
 * never push out somebody else's record. Memory is taken as it is used.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct record_key);
	__type(value, struct record);
} records SEC(".maps");

/* Addresses and ports that callers bound themselves, for a while after they are gone; see contested(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct record_key);
	__type(value, struct departed);
} departed_sources SEC(".maps");

/* Live connections of each uid. An element goes when its count reaches zero. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} user_connections SEC(".maps");

/* For the log line about callers in other network namespaces; the oldest may be forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, struct foreign);
} foreign_namespaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	if (value)
		(*value)++;
}

#endif
