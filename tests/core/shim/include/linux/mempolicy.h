/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_MEMPOLICY_H
#define SHIM_MEMPOLICY_H

#include <linux/cpumask.h>

/* The nodes in turn, beginning behind the last one */
struct mempolicy {
	nodemask_t nodes;
	int last;
	int mode;
};

enum { MPOL_INTERLEAVE = 3, MPOL_LOCAL };

#define in_task()		(!this_fiber->is_interrupt)
int mempolicy_slab_node(void);

#endif
