// SPDX-License-Identifier: GPL-2.0
/*
 * Slab memory as the kernel's counters have it: per node and in all, and that it comes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static long sum_nodes(const char *field)
{
	bool online[MAX_NODES];
	char path[96];
	long sum = 0;

	if (!list_read("/sys/devices/system/node/online", online, MAX_NODES))
		return -1;
	for (unsigned int node = 0; node < MAX_NODES; node++) {
		if (!online[node])
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", node);
		sum += meminfo_kib(path, field);
	}
	return sum;
}

/* The machine is looked at before and after its nodes: an allocator at work moves all of them. */
static bool counted_alike(const char *field, long *nodes, long *machine)
{
	const long slack = 512;
	long before;

	for (int try = 0; try < 20; try++) {
		before = meminfo_kib("/proc/meminfo", field);
		*nodes = sum_nodes(field);
		*machine = meminfo_kib("/proc/meminfo", field);
		if (*machine >= 0 && *nodes >= (before < *machine ? before : *machine) - slack &&
		    *nodes <= (before > *machine ? before : *machine) + slack)
			return true;
		sleep_ms(50);
	}
	return false;
}

/* Guards: what the nodes count is what the machine counts, for each kind of slab memory. */
void check_node_counters(struct check *check)
{
	static const char * const fields[] = { "Slab", "SReclaimable", "SUnreclaim" };
	long nodes, machine;

	if (sum_nodes("Slab") < 0) {
		check_skip(check, "this kernel has no nodes");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!counted_alike(fields[i], &nodes, &machine))
			check_fail(check, "%s: nodes count %ld kB, the machine %ld kB", fields[i],
				   nodes, machine);
}

/* Guards: objects released and shrunk leave no memory behind; seen in the module's exact meter. */
void check_memory_returns(struct check *check)
{
	const unsigned long count = check->words->brief ? 10000 : 40000;
	long full, pages, after;

	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	if (module_order("hold %lu", count))
		check_fail(check, "cannot hold %lu objects", count);
	full = module_state("slab_pages");
	pages = module_state("held_pages");
	module_order("release");
	module_order("shrink");
	after = module_state("slab_pages");
	check_note(check, "%ld of %ld pages came back", full - after, pages);
	if (full - after < pages * 9 / 10)
		check_fail(check, "%ld of %ld pages came back", full - after, pages);
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}
