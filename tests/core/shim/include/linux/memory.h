/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include <linux/notifier.h>

#define MEM_ONLINE		1
#define MEM_GOING_OFFLINE	2
#define MEM_OFFLINE		4
#define MEM_GOING_ONLINE	8
#define MEM_CANCEL_ONLINE	16
#define MEM_CANCEL_OFFLINE	32
#define SLAB_CALLBACK_PRI	1

struct memory_notify {
	int status_change_nid_normal;
	int status_change_nid;
};

int register_memory_notifier(struct notifier_block *nb);

#endif
