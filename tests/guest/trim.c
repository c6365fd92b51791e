// SPDX-License-Identifier: GPL-2.0
/*
 * What SLQB promises of its queues: how much they hold, and that the periodic trim empties them
 * without being asked. The other allocators promise none of it, so these are skipped there.
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

bool trim_promised(struct check *check)
{
	if (!allocator_is("SLQB"))
		check_skip(check, "a promise of SLQB's");
	else if (!check->words->trim_ms)
		check_skip(check, "the trim is off");
	else
		return true;
	return false;
}

/* Fails the check when slabs of free objects are left after some trim periods. */
void trim_wait(struct check *check)
{
	unsigned int waited = 0, limit = 4 * check->words->trim_ms + 1000;
	struct slab_line line = { .slabs = 0 };

	while (waited < limit) {
		visit_cpus();
		sleep_ms(100);
		waited += 100;
		if (slabinfo_find(held_cache, &line) && !line.slabs)
			break;
		if (!(waited % 10000))
			check_note(check, "still at it after %u ms", waited);
	}
	check_note(check, "%lu slabs left after %u ms", line.slabs, waited);
	if (line.slabs)
		check_fail(check, "%lu slabs of free objects after %u ms", line.slabs, waited);
}

/* Guards: a few trim periods after the last use the slabs of free objects are gone. */
void check_trim_returns(struct check *check)
{
	if (!trim_promised(check))
		return;
	if (module_order("hold 20000"))
		check_fail(check, "objects are not to be had");
	module_order("release");
	trim_wait(check);
}

/*
 * Guards: the queues of a cache hold no more than its marks say, on each CPU and node: all else
 * goes back to the page allocator as it is freed. Twice that, since a slab stays for one object.
 */
void check_queue_bound(struct check *check)
{
	unsigned long bound, count;
	bool member[MAX_CPUS];
	unsigned int owners = cpus_online(member);
	struct slab_line line;

	if (!allocator_is("SLQB")) {
		check_skip(check, "a promise of SLQB's");
		return;
	}
	owners += list_read("/sys/devices/system/node/online", member, MAX_NODES);
	if (module_order("hold 1") || !slabinfo_find(held_cache, &line)) {
		check_fail(check, "%s is not in slabinfo", held_cache);
		return;
	}
	bound = 2 * owners * (line.limit + line.batch);
	count = 3 * bound;
	if (module_order("hold %lu", count))
		check_fail(check, "objects are not to be had");
	module_order("release");
	if (!slabinfo_find(held_cache, &line))
		check_fail(check, "%s has left slabinfo", held_cache);
	check_note(check, "%lu freed, %lu still in slabs; bound %lu", count, line.objects, bound);
	if (line.objects > bound)
		check_fail(check, "%lu objects in queues, the bound is %lu", line.objects, bound);
}
