/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_SCHED_ISOLATION_H
#define SHIM_SCHED_ISOLATION_H

#include <linux/cpumask.h>

enum hk_type { HK_TYPE_TICK, HK_TYPE_DOMAIN };

#define housekeeping_cpu(c, type)	(!machine.cpu[c].isolated)
#define housekeeping_any_cpu(type)	machine_housekeeper()

#endif
