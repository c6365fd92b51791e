// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs that go offline and come back: what they held is not lost, and nobody is disturbed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define FEW 3

int cpu_set(unsigned int cpu, bool online)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return text_write(path, online ? "1" : "0");
}

static bool cpu_can_go(unsigned int cpu)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return !access(path, W_OK) && text_number(path) == 1;
}

/* The CPUs that can be switched off, while another one stays; how many. */
static unsigned int find_movable(unsigned int *movable)
{
	bool online[MAX_CPUS];
	unsigned int count = 0, there = 0;

	cpus_online(online);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		there += online[cpu];
		if (online[cpu] && cpu_can_go(cpu))
			movable[count++] = cpu;
	}
	return there > 1 ? count : 0;
}

/* Some of them, others with each seed. */
static unsigned int choose_few(unsigned int *movable, unsigned int count, unsigned long long seed)
{
	unsigned int few[FEW];

	for (unsigned int i = 0; i < FEW; i++)
		few[i] = movable[(seed + i) % count];
	memcpy(movable, few, sizeof(few));
	return FEW;
}

static bool ready(struct check *check, unsigned int *movable, unsigned int *count)
{
	*count = find_movable(movable);
	if (check->words->brief && *count > FEW)
		*count = choose_few(movable, *count, check->words->seed);
	if (!*count)
		check_skip(check, "no CPU here can go offline");
	else if (!module_there())
		check_skip(check, "the module is not loaded");
	else
		return true;
	return false;
}

static void toggle(struct check *check, unsigned int cpu, bool online)
{
	int error = cpu_set(cpu, online);

	if (error)
		check_fail(check, "CPU %u does not go %s: %s", cpu, online ? "online" : "offline",
			   strerror(-error));
}

/*
 * While the CPU is away: of @full pages in slabs the @pages of objects now free are given back. SLUB
 * keeps some slabs of each node, which are many of them where pages are large.
 */
static void expect_back(struct check *check, unsigned int cpu, long full, long pages)
{
	long back, least = allocator_is("SLQB") ? pages * 3 / 4 : pages / 2;

	module_order("shrink");
	back = full - module_state("slab_pages");
	if (back < least)
		check_fail(check, "CPU %u is away, and %ld of %ld pages came back", cpu, back,
			   pages);
}

/*
 * Guards: objects freed on a CPU that then goes offline are not kept by it: after a shrink their
 * memory is back, while the CPU is away. To the last slab, for the cache is destroyed then, and
 * the kernel complains if that has any.
 */
void check_offline_drains(struct check *check)
{
	unsigned int movable[MAX_CPUS], count, cpu;
	long full, pages;

	if (!ready(check, movable, &count))
		return;
	for (unsigned int i = 0; i < count && !check->failures; i++) {
		cpu = movable[i];
		if (module_order("hold 20000"))
			check_fail(check, "objects are not to be had");
		full = module_state("slab_pages");
		pages = module_state("held_pages");
		if (module_order("release_on %u", cpu))
			check_fail(check, "objects cannot be freed on CPU %u", cpu);
		toggle(check, cpu, false);
		expect_back(check, cpu, full, pages);
		module_order("close");
		toggle(check, cpu, true);
	}
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}

/*
 * Guards: the same with nobody shrinking: SLQB's trim gives back what a CPU had when it went. One
 * CPU of the machine is tried.
 */
void check_offline_trim(struct check *check)
{
	unsigned int movable[MAX_CPUS], count, cpu;

	if (!trim_promised(check) || !ready(check, movable, &count))
		return;
	cpu = movable[check->words->seed % count];
	if (module_order("hold 20000") || module_order("release_on %u", cpu))
		check_fail(check, "objects were not to be had or freed on CPU %u", cpu);
	trim_hurry(true);
	toggle(check, cpu, false);
	trim_wait(check);
	toggle(check, cpu, true);
	trim_hurry(false);
}

/*
 * A storm with pauses: to switch a CPU off, all CPUs must meet, which takes long where they share
 * few processors and none of them ever sleeps. Grace periods are hurried for the same reason.
 */
static void storm(struct check *check, bool on)
{
	int error = on ? module_order("storm 4000") : module_order("calm");

	if (error)
		check_fail(check, "no %s: %s", on ? "storm" : "calm", strerror(-error));
	text_write("/sys/kernel/rcu_expedited", on ? "1" : "0");
}

static void turn(struct check *check, unsigned int cpu)
{
	toggle(check, cpu, false);
	toggle(check, cpu, true);
}

/* Pages of slabs; what was left in queues is given the time to be trimmed, where it is. */
static long settled_pages(const struct check *check, bool trims, long enough)
{
	unsigned int limit = trims ? trim_patience_ms(check) : 0;
	long pages = module_state("slab_pages");

	if (trims)
		trim_hurry(true);
	for (unsigned int waited = 0; pages > enough && waited < limit; waited += 100) {
		cpus_visit();
		sleep_ms(100);
		pages = module_state("slab_pages");
	}
	if (trims)
		trim_hurry(false);
	return pages;
}

static unsigned int rounds_of(const struct check *check)
{
	return check->words->soak ? 1000 : check->words->brief ? 5 : 50;
}

/*
 * Guards: CPUs come and go under load, and no object is lost or damaged; afterwards slab memory
 * is what it was, so nothing was left behind on the way.
 */
void check_offline_load(struct check *check)
{
	unsigned int movable[MAX_CPUS], count, rounds = rounds_of(check);
	long before, after, slack;
	double start;
	bool trims;

	if (!ready(check, movable, &count))
		return;
	/* A storm and a full turn first, so that caches have grown as they will. */
	storm(check, true);
	for (unsigned int i = 0; i < count; i++)
		turn(check, movable[i]);
	storm(check, false);
	before = module_state("slab_pages");
	storm(check, true);
	start = seconds_now();
	for (unsigned int round = 0; round < rounds && !check->failures; round++) {
		turn(check, movable[(check->words->seed + round) % count]);
		if (round % 50 == 49)
			check_note(check, "%u of %u rounds", round + 1, rounds);
	}
	check_note(check, "%.0f ms a round", (seconds_now() - start) * 1000 / rounds);
	storm(check, false);
	/* Half-used slabs, and on each CPU what is queued, unless somebody sees to that. */
	trims = allocator_is("SLQB") && check->words->trim_ms && module_state("quarantine") != 1;
	slack = trims ? 512 : 512 + 1024L * (count + 1);
	after = settled_pages(check, trims, before + slack);
	if (after - before > slack)
		check_fail(check, "%ld pages of slabs, %ld before", after, before);
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
	check_note(check, "%ld objects in storms, %ld pages more", module_state("stormed"),
		   after - before);
}

/*
 * Guards: objects that a CPU handed out before it went are freed by others while it is away, with
 * nobody at home to take them in, and their memory comes back.
 */
void check_offline_frees(struct check *check)
{
	unsigned int movable[MAX_CPUS], count, cpu;
	long full, pages;

	if (!ready(check, movable, &count))
		return;
	for (unsigned int i = 0; i < count && !check->failures; i++) {
		cpu = movable[i];
		if (module_order("hold_on %u", cpu))
			check_fail(check, "objects are not to be had on CPU %u", cpu);
		toggle(check, cpu, false);
		full = module_state("slab_pages");
		pages = module_state("held_pages");
		module_order("release");
		expect_back(check, cpu, full, pages);
		toggle(check, cpu, true);
	}
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}
