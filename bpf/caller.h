/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who is calling: everything about the current task that goes into a record. */
#ifndef REDIRECTOR_CALLER_H
#define REDIRECTOR_CALLER_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"
#include "record.h"

#ifdef NO_TASK_READS

/* The variant for kernels that refuse to read a task: no start time and no executable, hence no proof of either. */
static __always_inline __u64 process_started_at(void)
{
	return 0;
}

static __always_inline void read_executable(struct record *record)
{
	record->exe_device = 0;
	record->exe_inode = 0;
}

#else

/* Start of the process (not of the thread), ns since boot, suspension included: what /proc shows in clock ticks. */
static __always_inline __u64 process_started_at(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* The file that the process executes, by device and inode: true in whatever mount namespace the caller is. */
static __always_inline void read_executable(struct record *record)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	record->exe_device = BPF_CORE_READ(inode, i_sb, s_dev);
	record->exe_inode = BPF_CORE_READ(inode, i_ino);
}

#endif

static __always_inline void read_caller(struct record *record)
{
	__u64 ids = bpf_get_current_uid_gid();

	/* The helper's low half is the uid. */
	record->uid = (__u32)ids;
	record->gid = (__u32)(ids >> 32);
	record->tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	record->process_started_at = process_started_at();
	read_executable(record);
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->connected_at = bpf_ktime_get_boot_ns();
	bpf_get_current_comm(record->comm, sizeof(record->comm));
}

#endif
