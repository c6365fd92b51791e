// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs and memory that come while everything runs. The harness plugs a part when the console says
 *
 *   slqb-guest: plug (cpu|memory)
 *
 * and 'slqbtest.spare=CPUS:MIB,MIB...' tells how many CPUs there are, and the sizes of the memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static const unsigned int patience_ms = 20000;

static unsigned int cpus_present(bool *member)
{
	return list_read("/sys/devices/system/cpu/present", member, MAX_CPUS);
}

/* The CPU that was not there @before, MAX_CPUS if none comes in time. */
static unsigned int wait_for_cpu(const bool *before)
{
	bool now[MAX_CPUS];

	for (unsigned int waited = 0; waited < patience_ms; waited += 50) {
		cpus_present(now);
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			if (now[cpu] && !before[cpu])
				return cpu;
		sleep_ms(50);
	}
	return MAX_CPUS;
}

static void plug_cpu(struct check *check)
{
	bool before[MAX_CPUS], online[MAX_CPUS];
	unsigned int cpu;
	int error;

	cpus_present(before);
	say("slqb-guest: plug cpu");
	cpu = wait_for_cpu(before);
	if (cpu == MAX_CPUS) {
		check_fail(check, "no CPU came within %u ms", patience_ms);
		return;
	}
	cpus_online(online);
	error = online[cpu] ? 0 : cpu_set(cpu, true);
	if (error) {
		check_fail(check, "CPU %u does not go online: %s", cpu, strerror(-error));
		return;
	}
	/* From the new one to the others, and from the others to the new one. */
	if (module_order("hold_on %u", cpu) || module_order("release") ||
	    module_order("hold 5000") || module_order("release_on %u", cpu))
		check_fail(check, "objects were not to be had or freed on CPU %u", cpu);
	check_note(check, "CPU %u came", cpu);
}

/*
 * Guards: a CPU that no cache knew of gets queues of its own before it runs, whatever the others
 * do meanwhile; what it frees comes back.
 */
void check_plug_cpu(struct check *check)
{
	unsigned int spare = check->words->spare_cpus;
	bool online[MAX_CPUS];
	unsigned int count = cpus_online(online);

	if (!spare) {
		check_skip(check, "this machine has no CPU to spare");
		return;
	}
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	module_order("storm 4000");
	for (unsigned int i = 0; i < spare && !check->failures; i++)
		plug_cpu(check);
	module_order("calm");
	if (!check->failures && cpus_online(online) != count + spare)
		check_fail(check, "%u CPUs are online, %u were, and %u came", cpus_online(online),
			   count, spare);
	if (allocator_is("SLQB") && check->words->trim_ms && module_state("quarantine") != 1)
		trim_wait(check);
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}

/* Whatever memory is offline, put online for the kernel. How much there is then, in kB. */
static long wait_for_memory(struct check *check, long enough)
{
	long total = 0;

	for (unsigned int waited = 0; waited < patience_ms; waited += 50) {
		memory_all_online(check);
		total = meminfo_kib("/proc/meminfo", "MemTotal");
		if (total >= enough || check->failures)
			break;
		sleep_ms(50);
	}
	return total;
}

/*
 * Guards: memory that comes to a node, new or not, is used for objects asked for there, under
 * load; nothing is lost.
 */
void check_plug_memory(struct check *check)
{
	const struct words *words = check->words;
	long before, enough, after;

	if (!words->spare_dimms) {
		check_skip(check, "this machine has no memory to spare");
		return;
	}
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	/* A cache that is there before the memory is. */
	module_order("place 0");
	module_order("storm 4000");
	for (unsigned int i = 0; i < words->spare_dimms && !check->failures; i++) {
		before = meminfo_kib("/proc/meminfo", "MemTotal");
		enough = before + words->spare_mib[i] * 1024;
		say("slqb-guest: plug memory");
		after = wait_for_memory(check, enough);
		if (after < enough)
			check_fail(check, "%ld MiB were to come: %ld kB were there, now %ld",
				   words->spare_mib[i], before, after);
		nodes_used(check);
	}
	module_order("displace");
	module_order("calm");
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}
