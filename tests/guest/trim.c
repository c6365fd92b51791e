// SPDX-License-Identifier: GPL-2.0
/*
 * The periodic trim: SLQB gives back what lies unused in its queues, without being asked.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "guest.h"

/* Sleeping CPUs are not woken for a trim: they drain at their next use. Here it comes. */
static void visit_cpus(void)
{
	bool online[MAX_CPUS];
	cpu_set_t here, before;

	sched_getaffinity(0, sizeof(before), &before);
	cpus_online(online);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && cpu < MAX_CPUS; cpu++) {
		if (!online[cpu])
			continue;
		CPU_ZERO(&here);
		CPU_SET(cpu, &here);
		sched_setaffinity(0, sizeof(here), &here);
		sleep_ms(2);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

/* Guards: a few trim periods after the last use the slabs of free objects are gone. */
void check_trim_returns(struct check *check)
{
	const unsigned int periods = 4, count = 20000;
	unsigned int waited = 0, limit;
	struct slab_line line = { .slabs = 0 };

	if (!allocator_is("SLQB")) {
		check_skip(check, "a promise of SLQB's");
		return;
	}
	if (!check->words->trim_ms) {
		check_skip(check, "the trim is off");
		return;
	}
	limit = periods * check->words->trim_ms + 1000;
	if (module_order("hold %u", count))
		check_fail(check, "cannot hold %u objects", count);
	module_order("release");
	while (waited < limit) {
		visit_cpus();
		sleep_ms(100);
		waited += 100;
		if (slabinfo_find("slabtest_held", &line) && !line.slabs)
			break;
		if (!(waited % 10000))
			check_note(check, "still at it after %u ms", waited);
	}
	check_note(check, "%lu slabs left after %u ms", line.slabs, waited);
	if (line.slabs)
		check_fail(check, "%lu slabs of free objects after %u ms", line.slabs, waited);
}
