/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The few kernel structures that are read, with the few fields that are read. The loader finds the real offsets in the
 * running kernel's BTF; nothing here depends on a kernel's headers.
 */
#ifndef REDIRECTOR_KERNEL_TYPES_H
#define REDIRECTOR_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	struct task_struct *group_leader;
	struct mm_struct *mm;
	__u64 start_boottime;
};

#pragma clang attribute pop

#endif
