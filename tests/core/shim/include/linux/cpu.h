/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_CPU_H
#define SHIM_CPU_H

#include <linux/cpumask.h>

enum cpuhp_state { CPUHP_AP_ONLINE_DYN };

#define cpus_read_lock()	hotplug_read_lock()
#define cpus_read_trylock()	hotplug_read_trylock()
#define cpus_read_unlock()	hotplug_read_unlock()
int cpuhp_setup_state(enum cpuhp_state state, const char *name,
		      int (*online)(unsigned int cpu),
		      int (*offline)(unsigned int cpu));

#endif
