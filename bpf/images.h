/* SPDX-License-Identifier: GPL-2.0-only */
/* Files whose code may run in a traced process: user space looks at each of them once, for functions of TLS libraries. */
#pragma once
#include "lanes.h"

INLINE void image_tell(void *ctx, struct task_state *s, u32 tgid, struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct super_block *super = READ(inode, i_sb);
	struct image_key key = { .inode = READ(inode, i_ino), .dev = READ(super, s_dev), .generation = READ(inode, i_generation) };
	struct rec_image r = {};
	u8 one = 1;

	if (map_update(MAP(MAP_IMAGES_SEEN), &key, &one, BPF_NOEXIST_))
		return;
	r.at_ns = clock_ns();
	r.inode = key.inode;
	r.generation = key.generation;
	r.dev = key.dev;
	r.proc = s->proc;
	r.tgid = tgid;
	r.tid = s->tid;
	ledger_add(LANE_IMAGES, COUNTED);
	lane_send(ctx, MAP_IMAGES, LANE_IMAGES, &r, sizeof(r), RB_FORCE_WAKEUP);
}
