// SPDX-License-Identifier: GPL-2.0
/* CPUs and nodes: what the machine starts with, and what comes and goes */
#include <linux/cpu.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <stdio.h>
#include <stdlib.h>

#define MOST_CALLS	16

static struct {
	int level;
	int (*call)(void);
} initcalls[MOST_CALLS];

static struct {
	const char *word;
	int (*call)(char *value);
} words[MOST_CALLS];

static unsigned int nr_initcalls, nr_words;
static int (*cpu_comes)(unsigned int cpu);
static int (*cpu_goes)(unsigned int cpu);
static struct notifier_block *memory_changes;
static struct mutex memory_mutex = { .lock = { .name = "memory", .rank = 1 } };

int kstrtouint(const char *text, unsigned int base, unsigned int *result)
{
	char *end;

	*result = strtoul(text, &end, base);
	return end == text || *end ? -EINVAL : 0;
}

int param_set_uint(const char *text, const struct kernel_param *param)
{
	return kstrtouint(text, 0, param->arg);
}

int param_get_uint(char *buffer, const struct kernel_param *param)
{
	return sprintf(buffer, "%u\n", *(unsigned int *)param->arg);
}

void machine_initcall(int level, int (*call)(void))
{
	initcalls[nr_initcalls].level = level;
	initcalls[nr_initcalls++].call = call;
}

void machine_setup(const char *word, int (*call)(char *))
{
	words[nr_words].word = word;
	words[nr_words++].call = call;
}

void run_initcalls(void)
{
	for (int level = 0; level < 4; level++) {
		for (unsigned int i = 0; i < nr_initcalls; i++) {
			if (initcalls[i].level == level && initcalls[i].call())
				fail("an initcall fails");
		}
	}
}

void boot_word(const char *word, const char *value)
{
	for (unsigned int i = 0; i < nr_words; i++) {
		if (!strcmp(words[i].word, word)) {
			words[i].call((char *)value);
			return;
		}
	}
	fail("nobody knows the boot parameter %s", word);
}

void topology_reset(const struct topology *topology)
{
	cpu_comes = NULL;
	cpu_goes = NULL;
	memory_changes = NULL;
	memory_mutex.lock.holder = NULL;
	machine.nr_cpus = topology->nr_cpus;
	machine.nr_nodes = topology->nr_nodes;
	for (int node = 0; node < topology->nr_nodes; node++) {
		node_set(node, node_states[N_POSSIBLE]);
		node_set(node, node_states[N_ONLINE]);
		if (!topology->memoryless[node])
			node_set(node, node_states[N_NORMAL_MEMORY]);
	}
	for (unsigned int cpu = 0; cpu < topology->nr_cpus; cpu++) {
		machine.cpu[cpu].online = true;
		machine.cpu[cpu].isolated = topology->isolated[cpu];
		machine.cpu[cpu].node = topology->node_of_cpu[cpu];
	}
}

/* Nodes stand in a row. */
int machine_distance(int a, int b)
{
	return 10 + 10 * abs(a - b);
}

unsigned int machine_housekeeper(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (!machine.cpu[cpu].isolated)
			return cpu;
	}
	return 0;
}

int cpuhp_setup_state(enum cpuhp_state state, const char *name,
		      int (*online)(unsigned int cpu),
		      int (*offline)(unsigned int cpu))
{
	unsigned int cpu;

	(void)state;
	(void)name;
	cpu_comes = online;
	cpu_goes = offline;
	for_each_online_cpu(cpu) {
		this_fiber->cpu = cpu;
		this_fiber->pinned = true;
		if (online(cpu))
			return -EINVAL;
	}
	this_fiber->pinned = false;
	this_fiber->cpu = 0;
	return 0;
}

int register_memory_notifier(struct notifier_block *nb)
{
	memory_changes = nb;
	return 0;
}

/* As the CPU's own hotplug thread would do it */
static void call_on(unsigned int cpu, int (*call)(unsigned int cpu))
{
	bool pinned = this_fiber->pinned;

	this_fiber->pinned = true;
	migrate_to(cpu);
	if (call && call(cpu))
		fail("a callback of CPU hotplug fails");
	this_fiber->pinned = pinned;
}

static bool is_last(unsigned int cpu, bool isolated)
{
	unsigned int other;

	for_each_online_cpu(other) {
		if (other != cpu && !(isolated && machine.cpu[other].isolated))
			return false;
	}
	return true;
}

static void take_down(unsigned int cpu)
{
	wait_until(all_preemptible, NULL, "all CPUs to stand still");
	this_fiber->cpu = cpu;
	interrupts_of_dying_cpu(cpu);
	machine.cpu[cpu].online = false;
	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];

		if (f->cpu == (int)cpu) {
			f->cpu = machine_housekeeper();
			f->pinned = false;
		}
	}
}

bool cpu_down(unsigned int cpu)
{
	bool pinned = this_fiber->pinned;
	int home = this_fiber->cpu;

	hotplug_write_lock();
	if (!machine.cpu[cpu].online || is_last(cpu, true)) {
		hotplug_write_unlock();
		return false;
	}
	call_on(cpu, cpu_goes);
	take_down(cpu);
	if (machine.cpu[home].online)
		migrate_to(home);
	slab_dead_cpu(cpu);
	machine.home_moves++;
	this_fiber->pinned = pinned;
	hotplug_write_unlock();
	return true;
}

void cpu_up(unsigned int cpu)
{
	int home;

	hotplug_write_lock();
	home = this_fiber->cpu;
	if (!machine.cpu[cpu].online) {
		slab_prepare_cpu(cpu);
		machine.cpu[cpu].online = true;
		call_on(cpu, cpu_comes);
		migrate_to(home);
		machine.home_moves++;
	}
	hotplug_write_unlock();
}

static bool tell(unsigned long action, int node)
{
	struct memory_notify change = {
		.status_change_nid_normal = node, .status_change_nid = node,
	};

	return memory_changes->notifier_call(memory_changes, action, &change) !=
	       NOTIFY_BAD;
}

static bool is_last_memory(int node)
{
	int other;

	for_each_node_state(other, N_NORMAL_MEMORY) {
		if (other != node)
			return false;
	}
	return true;
}

static bool remove_memory(int node)
{
	bool gone;

	if (!node_state(node, N_NORMAL_MEMORY) || is_last_memory(node))
		return false;
	node_isolate(node, true);
	tell(MEM_GOING_OFFLINE, node);
	gone = !node_has_pages_in_use(node);
	if (gone) {
		node_clear(node, node_states[N_NORMAL_MEMORY]);
		machine.home_moves++;
		tell(MEM_OFFLINE, node);
	} else {
		tell(MEM_CANCEL_OFFLINE, node);
	}
	node_isolate(node, false);
	return gone;
}

static bool add_memory(int node)
{
	if (node_state(node, N_NORMAL_MEMORY))
		return true;
	if (!tell(MEM_GOING_ONLINE, node)) {
		tell(MEM_CANCEL_ONLINE, node);
		return false;
	}
	node_set(node, node_states[N_NORMAL_MEMORY]);
	machine.home_moves++;
	tell(MEM_ONLINE, node);
	return true;
}

static bool change_memory(int node, bool (*change)(int node))
{
	bool changed;

	hotplug_read_lock();
	mutex_lock(&memory_mutex);
	changed = change(node);
	mutex_unlock(&memory_mutex);
	hotplug_read_unlock();
	return changed;
}

/* All of a node's memory at once, if none of it is in use */
bool node_offline(int node)
{
	return change_memory(node, remove_memory);
}

bool node_come_online(int node)
{
	return change_memory(node, add_memory);
}
