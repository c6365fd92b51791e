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
	{ "sysfs_attributes", check_sysfs_attributes },
	{ "sysfs_marks", check_sysfs_marks },
	{ "sysfs_freebatch", check_sysfs_freebatch },
	{ "sysfs_shrink", check_sysfs_shrink },
	{ "sysfs_validate", check_sysfs_validate },
	{ "sysfs_alias", check_sysfs_alias },
	{ "sysfs_lifecycle", check_sysfs_lifecycle },
	{ "stats_format", check_stats_format },
	{ "stats_identities", check_stats_identities },
	{ "slqbinfo_totals", check_slqbinfo_totals },
	{ "slqbinfo_report", check_slqbinfo_report },
	{ "slqbinfo_activity", check_slqbinfo_activity },
	{ "slqbinfo_options", check_slqbinfo_options },
	{ "alloc_traces", check_alloc_traces },
	{ "node_counters", check_node_counters },
	{ "memory_returns", check_memory_returns },
	{ "trim_returns", check_trim_returns },
	{ "trim_period", check_trim_period },
	{ "trim_sleeps", check_trim_sleeps },
	{ "trim_isolated", check_trim_isolated },
	{ "queue_bound", check_queue_bound },
	{ "slabinfo_bytes", check_slabinfo_bytes },
	{ "churn", check_churn },
	{ "busy", check_busy },
	{ "memcg_charge", check_memcg_charge },
	{ "memcg_selftest", check_memcg_selftest },
	{ "failslab", check_failslab },
	{ "failslab_filter", check_failslab_filter },
	{ "merge", check_merge },
	{ "tracepoints", check_tracepoints },
	{ "meminit", check_meminit },
	{ "cleared", check_cleared },
	{ "usercopy_size", check_usercopy_size },
	{ "usercopy_window", check_usercopy_window },
	{ "free_wrong", check_free_wrong },
	{ "kmemleak", check_kmemleak },
	{ "unreclaimable", check_unreclaimable },
	{ "plug_cpu", check_plug_cpu },
	{ "plug_memory", check_plug_memory },
	{ "offline_drains", check_offline_drains },
	{ "offline_trim", check_offline_trim },
	{ "offline_load", check_offline_load },
	{ "offline_frees", check_offline_frees },
	{ "memory_offline", check_memory_offline },
	{ "memory_home", check_memory_home },
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
