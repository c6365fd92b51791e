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

/* Guards: what the nodes count is what the machine counts, for each kind of slab memory. */
void check_node_counters(struct check *check)
{
	static const char * const fields[] = { "Slab", "SReclaimable", "SUnreclaim" };
	const long slack = 1024;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		long machine = meminfo_kib("/proc/meminfo", fields[i]);
		long nodes = sum_nodes(fields[i]);

		if (nodes < 0) {
			check_skip(check, "this kernel has no nodes");
			return;
		}
		if (machine <= 0 || labs(machine - nodes) > slack)
			check_fail(check, "%s: nodes count %ld kB, the machine %ld kB", fields[i],
				   nodes, machine);
	}
}

/* Guards: objects released and shrunk leave no memory behind; seen in the module's exact meter. */
void check_memory_returns(struct check *check)
{
	const unsigned long count = 40000;
	long before, full, after, size;

	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	module_order("hold 1");
	module_order("release");
	module_order("shrink");
	before = module_state("slab_pages");
	if (module_order("hold %lu", count))
		check_fail(check, "cannot hold %lu objects", count);
	full = module_state("slab_pages");
	module_order("release");
	module_order("shrink");
	after = module_state("slab_pages");
	size = module_state("size") * count / sysconf(_SC_PAGESIZE);
	if (full - before < size * 9 / 10)
		check_fail(check, "%ld pages of objects took %ld pages", size, full - before);
	if (after - before > size / 10)
		check_fail(check, "%ld of %ld pages came back", full - after, full - before);
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}
