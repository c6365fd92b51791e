// SPDX-License-Identifier: GPL-2.0
/*
 * What SLQB promises of its queues: how much they hold, and that the periodic trim empties them
 * without being asked. The other allocators promise none of it, so these are skipped there.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* Sleeping CPUs are not woken for a trim: they drain at their next use. Here it comes. */
void cpus_visit(void)
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

/* What SLQB promises of free objects, where those that were freed come back to it at once. */
bool slqb_promises(struct check *check)
{
	if (!allocator_is("SLQB"))
		check_skip(check, "a promise of SLQB's");
	else if (module_state("quarantine") == 1)
		check_skip(check, "KASAN keeps freed objects for a while");
	else
		return true;
	return false;
}

bool trim_promised(struct check *check)
{
	if (!slqb_promises(check))
		return false;
	if (check->words->trim_ms)
		return true;
	check_skip(check, "the trim is off");
	return false;
}

/*
 * How long what nobody uses may stay: a CPU that holds objects of another's looks at them twice
 * before it sends them home, and the other one twice before it frees them.
 */
unsigned int trim_patience_ms(const struct check *check)
{
	return 6 * check->words->trim_ms + 1000;
}

/* Fails the check when slabs of free objects are left after some trim periods. */
void trim_wait(struct check *check)
{
	unsigned int waited = 0, limit = trim_patience_ms(check);
	struct slab_line line = { .slabs = 0 };

	while (waited < limit) {
		cpus_visit();
		sleep_ms(100);
		waited += 100;
		if (slabinfo_find(held_cache, &line) && !line.slabs)
			break;
		/* Each round has been on every CPU: none of them hangs. */
		check_alive(check, waited);
	}
	check_note(check, "%lu slabs left after %u ms", line.slabs, waited);
	if (line.slabs)
		check_fail(check, "%lu slabs of free objects after %u ms", line.slabs, waited);
}

static const char period_path[] = "/sys/module/slqb/parameters/trim_ms";

/* Passes follow each other closely while a check waits for some; then as before. */
void trim_hurry(bool hurry)
{
	static long before = -1;
	char text[24] = "200";

	if (hurry)
		before = text_number(period_path);
	else
		snprintf(text, sizeof(text), "%ld", before);
	if (before >= 0)
		text_write(period_path, text);
}

/*
 * Guards: a few trim periods after the last use the slabs of free objects are gone, whoever owns them
 * and wherever the objects wait: with the CPU that has freed them, on their way, or with a node.
 */
void check_trim_returns(struct check *check)
{
	bool online[MAX_CPUS];
	unsigned int last = 0;

	if (!trim_promised(check))
		return;
	cpus_online(online);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		last = online[cpu] ? cpu : last;
	/* Once in the period that the kernel was booted with. */
	if (module_order("hold 20000") || module_order("release"))
		check_fail(check, "objects are not to be had");
	trim_wait(check);
	move_to(0);
	if (module_order("hold 4000") || module_order("spread 1500") || module_order("keep 2000") ||
	    module_order("release_on %u", last))
		check_fail(check, "objects are not to be had");
	move_to(-1);
	trim_hurry(true);
	trim_wait(check);
	trim_hurry(false);
}

/* Whether the slabs of objects that are freed now go away within so many milliseconds. */
static bool trimmed_within(struct check *check, unsigned int limit)
{
	struct slab_line line = { .slabs = 1 };

	if (module_order("hold 20000"))
		check_fail(check, "objects are not to be had");
	module_order("release");
	for (double end = seconds_now() + limit / 1000.0; line.slabs && seconds_now() < end;) {
		cpus_visit();
		sleep_ms(20);
		if (!slabinfo_find(held_cache, &line))
			check_fail(check, "%s has left slabinfo", held_cache);
	}
	return !line.slabs;
}

/* Whether passes begin: one may be under way since the period before, and end only now. */
static bool passes_begin(struct check *check, unsigned int limit)
{
	return trimmed_within(check, limit) && trimmed_within(check, limit);
}

static void period_refused(struct check *check, const char *value)
{
	long before = text_number(period_path);

	if (!text_write(period_path, value) || text_number(period_path) != before)
		check_fail(check, "a period of '%s' is taken", value);
}

/*
 * Guards: a period that is written holds from then on, on all CPUs, however long the one before
 * was; 0 is never. A long one is there while a short one is set, and that was waited for already.
 */
void check_trim_period(struct check *check)
{
	const unsigned int soon = 1500;
	long before = text_number(period_path);
	bool watched;

	if (!slqb_promises(check))
		return;
	if (before != (long)check->words->trim_ms)
		check_fail(check, "%s says %ld, %u was asked for", period_path, before,
			   check->words->trim_ms);
	period_refused(check, "soon");
	period_refused(check, "-1");
	period_refused(check, "4294967296");
	if (module_order("hold 1"))
		check_fail(check, "an object is not to be had");
	watched = cache_is_watched(held_cache);
	module_order("release");
	if (watched) {
		check_note(check, "objects are watched: none waits for a pass");
		return;
	}

	text_write(period_path, "100000000");
	if (passes_begin(check, 300))
		check_fail(check, "a pass comes at once in a day-long period");
	text_write(period_path, "50");
	if (!trimmed_within(check, soon))
		check_fail(check, "no pass within %u ms in a period of 50", soon);
	text_write(period_path, "0");
	if (text_number(period_path) || passes_begin(check, 500))
		check_fail(check, "a pass comes where there shall be none");
	text_write(period_path, "50");
	if (!trimmed_within(check, soon))
		check_fail(check, "no pass within %u ms after there were none", soon);

	if (before >= 0) {
		char text[24];

		snprintf(text, sizeof(text), "%ld", before);
		text_write(period_path, text);
	}
}

/* How many times a CPU has looked at its timers, from a file with a column for each CPU. */
static long timers_seen(unsigned int cpu)
{
	char *text = text_read_all("/proc/softirqs"), *line = text ? strstr(text, "TIMER:") : NULL;
	unsigned int column = 0;
	long seen = -1;

	for (char *name = text ? strstr(text, "CPU") : NULL; line && name && name < line;
	     name = strstr(name + 1, "CPU"), column++) {
		if ((unsigned int)atoi(name + 3) != cpu)
			continue;
		line += strlen("TIMER:");
		for (unsigned int skipped = 0; skipped <= column; skipped++)
			seen = strtol(line, &line, 10);
		break;
	}
	free(text);
	return seen;
}

/* How many times a CPU that has nothing to do looks at its timers in a while. */
static long timers_in(unsigned int cpu, const char *period, unsigned int ms)
{
	long before;

	text_write(period_path, period);
	cpus_visit();
	sleep_ms(200);
	before = timers_seen(cpu);
	sleep_ms(ms);
	return timers_seen(cpu) - before;
}

/*
 * Guards: a CPU that sleeps is not woken for a trim. Others may wake it, so what counts is how much
 * more often it is awake with a short period than with none.
 */
void check_trim_sleeps(struct check *check)
{
	const unsigned int ms = check->words->brief ? 1000 : 2000, period = 50;
	long before = text_number(period_path), without, with;
	bool online[MAX_CPUS];
	unsigned int cpu = 0;
	char text[24];

	if (!trim_promised(check))
		return;
	if (cpus_online(online) < 2) {
		check_skip(check, "one CPU, which is awake");
		return;
	}
	for (unsigned int other = 0; other < MAX_CPUS; other++)
		cpu = online[other] ? other : cpu;
	if (timers_seen(cpu) < 0) {
		check_fail(check, "no count of the timers of CPU %u", cpu);
		return;
	}
	if (module_order("hold 1000") || module_order("release_on %u", cpu))
		check_fail(check, "objects were not to be had or freed on CPU %u", cpu);
	without = timers_in(cpu, "0", ms);
	with = timers_in(cpu, "50", ms);
	snprintf(text, sizeof(text), "%ld", before);
	text_write(period_path, text);
	check_note(check, "CPU %u woke up %ld times in %u ms, without trims %ld", cpu, with, ms,
		   without);
	if (with > without + ms / period / 2)
		check_fail(check, "CPU %u woke up %ld times in %u ms, without trims %ld", cpu, with,
			   ms, without);
}

/*
 * How many objects are still in slabs. A queue that overflows is seen to by its owner, which has to
 * get a processor for that first: it is given a second, in which no trim empties the queues.
 */
static unsigned long settled_objects(struct check *check, unsigned long bound, unsigned int *waited)
{
	struct slab_line line;

	for (*waited = 0; slabinfo_find(held_cache, &line); *waited += 50) {
		if (line.objects <= bound || *waited >= 1000)
			return line.objects;
		sleep_ms(50);
	}
	check_fail(check, "%s has left slabinfo", held_cache);
	return 0;
}

/* How objects come and go, so that they wait in the queues of a CPU, of another one, or of a node. */
struct way {
	const char *come, *go;
	bool elsewhere;			/* they go on the last CPU */
};

/* Free more objects than queues may hold; a second time, for what is told of only once. */
static void expect_bound(struct check *check, const struct way *way, unsigned long count,
			 unsigned long bound, unsigned int last)
{
	unsigned int waited;
	unsigned long left;
	int error;

	for (int round = 0; round < 2; round++) {
		module_order("shrink");
		error = module_order("hold 0") ?: module_order("%s %lu", way->come, count);
		if (error)
			check_fail(check, "objects are not to be had: %s", strerror(-error));
		if (way->elsewhere)
			module_order("%s %u", way->go, last);
		else
			module_order(way->go);
		left = settled_objects(check, bound, &waited);
		if (left > bound)
			check_fail(check, "%s, %s: %lu objects in queues after %u ms, the bound is %lu",
				   way->come, way->go, left, waited, bound);
	}
}

static void each_way(struct check *check, unsigned long bound, unsigned int nodes, unsigned int last)
{
	static const struct way ways[] = {
		{ "hold", "release", false },
		{ "hold", "release_bulk", false },
		{ "hold", "release_on", true },
		{ "spread", "release", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways) && !check->failures; i++)
		expect_bound(check, &ways[i], strcmp(ways[i].come, "spread") ? 2 * bound :
			     2 * bound / nodes + 1, bound, last);
}

/*
 * Guards: the queues of a cache hold no more than its marks say, on each CPU and node, however the
 * objects came and went: all else goes back to the page allocator as it is freed. Twice that, since a
 * slab stays for one object. No trim helps; low marks make it quick.
 */
void check_queue_bound(struct check *check)
{
	long hiwater, freebatch, period = text_number(period_path);
	unsigned int nodes, cpus, last = 0;
	bool member[MAX_CPUS];
	struct slab_line line;
	char text[24];

	if (!slqb_promises(check))
		return;
	cpus = cpus_online(member);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		last = member[cpu] ? cpu : last;
	nodes = list_read("/sys/devices/system/node/has_memory", member, MAX_NODES);
	nodes = nodes ? nodes : 1;
	if (module_order("hold 1") || !slabinfo_find(held_cache, &line)) {
		check_fail(check, "%s is not in slabinfo", held_cache);
		return;
	}
	hiwater = line.limit;
	freebatch = line.batch;
	put_marks(64, 16);
	slabinfo_find(held_cache, &line);
	check_note(check, "bound %lu", 2 * (cpus + nodes) * (line.limit + line.batch));
	text_write(period_path, "0");
	move_to(0);
	each_way(check, 2 * (cpus + nodes) * (line.limit + line.batch), nodes, last);
	move_to(-1);
	snprintf(text, sizeof(text), "%ld", period);
	text_write(period_path, text);
	put_marks(hiwater, freebatch);
}

/* CPUs that are to be left alone; how many. */
static unsigned int find_isolated(bool *isolated)
{
	bool member[MAX_CPUS];
	unsigned int count = list_read("/sys/devices/system/cpu/isolated", isolated, MAX_CPUS);

	if (!list_read("/sys/devices/system/cpu/nohz_full", member, MAX_CPUS))
		return count;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		count += member[cpu] && !isolated[cpu];
		isolated[cpu] |= member[cpu];
	}
	return count;
}

/*
 * Guards: no trim runs on a CPU that was isolated, or that does without ticks, however long what it
 * freed lies there and however awake it is; when asked to, it gives back all of it.
 */
void check_trim_isolated(struct check *check)
{
	bool isolated[MAX_CPUS] = { false };
	struct slab_line line;

	if (!trim_promised(check))
		return;
	if (!find_isolated(isolated)) {
		check_skip(check, "no CPU is isolated");
		return;
	}
	for (unsigned int cpu = 0; cpu < MAX_CPUS && !check->failures; cpu++) {
		if (!isolated[cpu])
			continue;
		if (module_order("hold 20000") || module_order("release_on %u", cpu))
			check_fail(check, "objects were not to be had or freed on CPU %u", cpu);
		for (unsigned int waited = 0; waited < 5 * check->words->trim_ms; waited += 100) {
			cpus_visit();
			sleep_ms(100);
		}
		if (!slabinfo_find(held_cache, &line) || !line.slabs)
			check_fail(check, "CPU %u was trimmed", cpu);
		module_order("shrink");
		if (!slabinfo_find(held_cache, &line) || line.slabs)
			check_fail(check, "CPU %u keeps %lu slabs when asked for them", cpu,
				   line.slabs);
	}
}
