// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checks that need user space: what the kernel shows in files, CPUs that come and
 * go, processes that die for want of memory.
 */
#include "guest.h"

static const char group[] = "user";

static const struct check_case cases[] = {
	{ "slabinfo_format", check_slabinfo_format, ANY_SHAPE },
	{ "slabinfo_sum", check_slabinfo_sum, ANY_SHAPE },
	{ "slabinfo_held", check_slabinfo_held, ANY_SHAPE },
	{ "slabinfo_exact", check_slabinfo_exact, ANY_SHAPE },
	{ "slabinfo_order", check_slabinfo_order, ANY_SHAPE },
	{ "sysfs_slab", check_sysfs_slab, ANY_SHAPE },
	{ "sysfs_attributes", check_sysfs_attributes, ANY_SHAPE },
	{ "sysfs_marks", check_sysfs_marks, ANY_SHAPE },
	{ "sysfs_freebatch", check_sysfs_freebatch, ANY_SHAPE },
	{ "sysfs_shrink", check_sysfs_shrink, ANY_SHAPE },
	{ "sysfs_validate", check_sysfs_validate, ANY_SHAPE },
	{ "sysfs_alias", check_sysfs_alias, ANY_SHAPE },
	{ "sysfs_lifecycle", check_sysfs_lifecycle, ANY_SHAPE },
	{ "stats_format", check_stats_format, ANY_SHAPE },
	{ "stats_identities", check_stats_identities, ANY_SHAPE },
	{ "slqbinfo_totals", check_slqbinfo_totals, ANY_SHAPE },
	{ "slqbinfo_report", check_slqbinfo_report, ANY_SHAPE },
	{ "slqbinfo_activity", check_slqbinfo_activity, ANY_SHAPE },
	{ "slqbinfo_options", check_slqbinfo_options, ANY_SHAPE },
	{ "alloc_traces", check_alloc_traces, ANY_SHAPE },
	{ "node_counters", check_node_counters, SHAPED },
	{ "memory_returns", check_memory_returns, SHAPED },
	{ "trim_returns", check_trim_returns, ANY_SHAPE },
	{ "trim_period", check_trim_period, ANY_SHAPE },
	{ "trim_sleeps", check_trim_sleeps, ANY_SHAPE },
	{ "trim_isolated", check_trim_isolated, SHAPED },
	{ "queue_bound", check_queue_bound, SHAPED },
	{ "slabinfo_bytes", check_slabinfo_bytes, SHAPED },
	{ "churn", check_churn, ANY_SHAPE },
	{ "kernel_returns", check_kernel_returns, ANY_SHAPE },
	{ "cycle_leaves", check_cycle_leaves, ANY_SHAPE },
	{ "policy_obeyed", check_policy_obeyed, SHAPED },
	{ "cpuset_obeyed", check_cpuset_obeyed, SHAPED },
	{ "busy", check_busy, ANY_SHAPE },
	{ "memcg_charge", check_memcg_charge, ANY_SHAPE },
	{ "memcg_bulk", check_memcg_bulk, ANY_SHAPE },
	{ "memcg_selftest", check_memcg_selftest, ANY_SHAPE },
	{ "failslab", check_failslab, ANY_SHAPE },
	{ "failslab_filter", check_failslab_filter, ANY_SHAPE },
	{ "merge", check_merge, ANY_SHAPE },
	{ "tracepoints", check_tracepoints, ANY_SHAPE },
	{ "meminit", check_meminit, ANY_SHAPE },
	{ "cleared", check_cleared, ANY_SHAPE },
	{ "usercopy_size", check_usercopy_size, ANY_SHAPE },
	{ "usercopy_window", check_usercopy_window, ANY_SHAPE },
	{ "free_wrong", check_free_wrong, ANY_SHAPE },
	{ "kmemleak", check_kmemleak, ANY_SHAPE },
	{ "unreclaimable", check_unreclaimable, ANY_SHAPE },
	{ "plug_cpu", check_plug_cpu, SHAPED },
	{ "plug_memory", check_plug_memory, SHAPED },
	{ "offline_drains", check_offline_drains, ANY_SHAPE },
	{ "offline_trim", check_offline_trim, ANY_SHAPE },
	{ "offline_load", check_offline_load, ANY_SHAPE },
	{ "offline_frees", check_offline_frees, ANY_SHAPE },
	{ "memory_offline", check_memory_offline, SHAPED },
	{ "memory_home", check_memory_home, SHAPED },
	{ "oom", check_oom, ANY_SHAPE },
};

unsigned int user_wanted(const struct words *words)
{
	return cases_wanted(words, group, cases, ARRAY_SIZE(cases));
}

bool user_run(const struct words *words)
{
	return cases_run(words, group, cases, ARRAY_SIZE(cases));
}
