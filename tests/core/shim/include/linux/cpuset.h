/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_CPUSET_H
#define SHIM_CPUSET_H

#define read_mems_allowed_begin()	0u
#define read_mems_allowed_retry(cookie)	((void)(cookie), false)
/* A node that is not asked for pages counts as one that had none. */
#define cpuset_node_allowed(n, gfp) \
	(this_fiber->forbidden != (n) + 1 || (machine.page_misses[n]++, false))
#define cpuset_zone_allowed(z, gfp)	(this_fiber->forbidden != (z)->node + 1)

#endif
