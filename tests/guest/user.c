// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checks that need user space: what the kernel shows in files, CPUs that come and
 * go, processes that die for want of memory.
 */
#include "guest.h"

static const char group[] = "user";

static const struct check_case cases[] = {
	{ "slabinfo_format", check_slabinfo_format },
	{ "slabinfo_sum", check_slabinfo_sum },
	{ "slabinfo_held", check_slabinfo_held },
	{ "slabinfo_exact", check_slabinfo_exact },
	{ "sysfs_slab", check_sysfs_slab },
	{ "node_counters", check_node_counters },
	{ "memory_returns", check_memory_returns },
	{ "trim_returns", check_trim_returns },
	{ "queue_bound", check_queue_bound },
	{ "churn", check_churn },
	{ "memcg_charge", check_memcg_charge },
	{ "failslab", check_failslab },
	{ "offline_drains", check_offline_drains },
	{ "offline_trim", check_offline_trim },
	{ "offline_load", check_offline_load },
	{ "oom", check_oom },
};

unsigned int user_wanted(const struct words *words)
{
	return cases_wanted(words, group, cases, ARRAY_SIZE(cases));
}

bool user_run(const struct words *words)
{
	return cases_run(words, group, cases, ARRAY_SIZE(cases));
}
