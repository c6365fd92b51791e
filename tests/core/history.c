// SPDX-License-Identifier: GPL-2.0
/* Random histories: a machine, some tasks on it, whatever they come upon, and the end */
#include <linux/jiffies.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"
#include "slab.h"

#define PHASES		3

static unsigned int tasks_left;
static unsigned int operations;
static bool policies_drawn;

static unsigned int some_gfp(bool atomic)
{
	unsigned int gfp = atomic ? GFP_ATOMIC : one_of(4) ? GFP_KERNEL : GFP_NOWAIT;

	if (!one_of(6))
		gfp |= __GFP_ZERO;
	if (!one_of(10))
		gfp |= __GFP_MEMALLOC;
	return gfp | __GFP_NOWARN;
}

static int some_cache(void)
{
	unsigned int start = one_of(MOST_CACHES);

	for (unsigned int i = 0; i < MOST_CACHES; i++) {
		unsigned int slot = (start + i) % MOST_CACHES;

		if (world.slots[slot].s && !world.slots[slot].leaving)
			return slot;
	}
	return -1;
}

static void allocate(bool atomic)
{
	int slot = some_cache();
	unsigned int gfp = some_gfp(atomic);
	int node = one_of(3) ? NUMA_NO_NODE : (int)one_of(machine.nr_nodes);

	if (slot < 0 || world.nr_held > MOST_OBJECTS - 1024)
		return;
	if (node != NUMA_NO_NODE && !one_of(3))
		gfp |= __GFP_THISNODE;
	world_alloc(slot, gfp, node);
}

static void allocate_run(void)
{
	unsigned int nr = 1 + one_of(one_of(4) ? 16 : 200);
	int slot = some_cache();

	if (slot < 0 || world.nr_held > MOST_OBJECTS - 1024)
		return;
	if (one_of(2)) {
		world_alloc_bulk(slot, some_gfp(false), nr);
		return;
	}
	while (nr--) {
		if (world_alloc(slot, some_gfp(false), NUMA_NO_NODE) < 0)
			return;
	}
}

static void release(void)
{
	if (world.nr_held)
		world_free(one_of(world.nr_held));
}

static void release_run(void)
{
	unsigned int nr = 1 + one_of(one_of(4) ? 16 : 200);

	while (nr-- && world.nr_held)
		world_free(world.nr_held > 64 && one_of(2) ? world.nr_held - 1 :
			   one_of(world.nr_held));
}

static void release_bulk(void)
{
	unsigned int indexes[256], nr = 0, most = 1 + one_of(200);
	int slot = one_of(2) ? some_cache() : -1;

	for (unsigned int i = world.nr_held; i-- && nr < most;) {
		if (slot < 0 || world.held[i].cache == slot)
			indexes[nr++] = i;
	}
	world_free_bulk(slot, indexes, nr);
}

/* A size of its own for each: tiny, odd, a page, several pages */
static unsigned int some_size(void)
{
	switch (one_of(5)) {
	case 0:
		return 8 + one_of(24);
	case 1:
		return 1 + one_of(PAGE_SIZE / 4);
	case 2:
		return 8u << one_of(8);
	case 3:
		return PAGE_SIZE / 8 + one_of(PAGE_SIZE / 2);
	default:
		return one_of(8) ? 64 + one_of(192) : PAGE_SIZE + one_of(PAGE_SIZE);
	}
}

static void create(void)
{
	static const unsigned int aligns[] = { 0, 0, 0, 8, 16, 64, 128 };
	unsigned int slot = one_of(MOST_CACHES), flags = 0;
	bool ctor = !one_of(5);

	if (slot >= MOST_CACHES - 2) {
		world_create(slot, 40 + 8 * one_of(2), 0, 0, false);
		return;
	}
	if (!one_of(4))
		flags |= SLAB_TYPESAFE_BY_RCU;
	if (!one_of(4))
		flags |= SLAB_HWCACHE_ALIGN;
	if (!one_of(4))
		flags |= SLAB_RECLAIM_ACCOUNT;
	if (!one_of(4))
		flags |= SLAB_ACCOUNT;
	if (world_create(slot, some_size(), aligns[one_of(ARRAY_SIZE(aligns))], flags, ctor) &&
	    one_of(2))
		core_tune(world.slots[slot].s, one_of(40), 1 + one_of(12));
}

static void shrink(void)
{
	int slot = some_cache();

	if (slot < 0)
		return;
	note("%d %s: shrink %d", this_fiber->cpu, this_fiber->name, slot);
	world.slots[slot].users++;
	kmem_cache_shrink(world.slots[slot].s);
	world.slots[slot].users--;
}

static void change_cpus(void)
{
	unsigned int cpu = one_of(machine.nr_cpus);

	note("%d %s: CPU %u goes or comes", this_fiber->cpu, this_fiber->name, cpu);
	if (machine.cpu[cpu].online)
		cpu_down(cpu);
	else
		cpu_up(cpu);
}

static void change_nodes(void)
{
	int node = one_of(machine.nr_nodes);

	note("%d %s: node %d goes or comes", this_fiber->cpu, this_fiber->name, node);
	if (node_state(node, N_NORMAL_MEMORY))
		node_offline(node);
	else
		node_come_online(node);
}

static void without_interrupts(void)
{
	unsigned long flags;

	local_irq_save(flags);
	if (one_of(2))
		allocate(true);
	else
		release();
	local_irq_restore(flags);
}

static void device(void)
{
	if (one_of(2))
		allocate(true);
	else
		release();
}

/* What a reader looks at may be freed meanwhile; its slab stays a slab of that cache */
static void read_objects(void)
{
	rcu_read_lock();
	for (unsigned int i = 0; i < 8 && world.nr_held; i++) {
		struct held h = world.held[one_of(world.nr_held)];
		struct kmem_cache *s = world.slots[h.cache].s;

		if (!(world.slots[h.cache].flags & SLAB_TYPESAFE_BY_RCU))
			continue;
		note("%d %s: look at %p of %d", this_fiber->cpu, this_fiber->name,
		     h.object, h.cache);
		for (unsigned int j = one_of(400); j; j--)
			machine_breathe();
		if (!virt_to_slab(h.object) || virt_to_slab(h.object)->slab_cache != s)
			fail("a reader looks at %p, and it is no object any more", h.object);
		if (*(volatile char *)h.object == 1)
			continue;
	}
	rcu_read_unlock();
}

static void wait_a_while(void)
{
	note("%d %s: time passes", this_fiber->cpu, this_fiber->name);
	time_passes(one_of(4 * HZ));
	machine_breathe();
}

static const struct {
	unsigned int weight;
	void (*run)(void);
	bool hotplug;
} deeds[] = {
	{ 30, release, false }, { 14, allocate_run, false }, { 10, release_run, false },
	{ 8, release_bulk, false }, { 8, without_interrupts, false },
	{ 3, create, false }, { 2, shrink, false }, { 6, wait_a_while, false },
	{ 4, read_objects, false }, { 2, change_cpus, true }, { 2, change_nodes, true },
};

static void do_something(bool hotplug)
{
	unsigned int choice = one_of(120);

	if (!one_of(8))
		raise_device_interrupt(one_of(machine.nr_cpus));
	if (!one_of(30)) {
		world_destroy(one_of(MOST_CACHES));
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(deeds); i++) {
		if (choice < deeds[i].weight) {
			if (hotplug || !deeds[i].hotplug)
				deeds[i].run();
			return;
		}
		choice -= deeds[i].weight;
	}
	allocate(false);
}

static void task(void *hotplug)
{
	for (unsigned int i = 0; i < operations; i++)
		do_something(hotplug != NULL);
	tasks_left--;
}

static bool tasks_over(void *nothing)
{
	(void)nothing;
	return !tasks_left;
}

static void draw_topology(struct topology *t)
{
	t->nr_nodes = 1 + one_of(MAX_NUMNODES);
	t->nr_cpus = 1 + one_of(NR_CPUS);
	for (unsigned int cpu = 0; cpu < t->nr_cpus; cpu++) {
		t->node_of_cpu[cpu] = one_of(t->nr_nodes);
		t->isolated[cpu] = cpu && !one_of(6);
	}
	for (int node = 1; node < t->nr_nodes; node++)
		t->memoryless[node] = !one_of(4);
}

static void draw_manners(void)
{
	static const unsigned int chaos[] = { 1, 3, 8, 16, 64, 256 };
	static const unsigned int periods[] = { 0, 50, 1000, 3000 };

	machine.chaos = chaos[one_of(ARRAY_SIZE(chaos))];
	machine.page_failures = one_of(3) ? 0 : 2 + one_of(60);
	machine.init_on_alloc = !one_of(8);
	machine.init_on_free = !one_of(8);
	machine.device_interrupt = device;
	core_trim_period(periods[one_of(ARRAY_SIZE(periods))]);
}

/*
 * In some histories tasks say which nodes their memory is to come from: one or more, with memory or
 * without. The others draw what they drew before there was this.
 */
static void draw_policy(struct fiber *f, struct mempolicy *policy)
{
	*policy = (struct mempolicy){ .last = -1 };
	if (!policies_drawn || one_of(2))
		return;
	for (int node = 0; node < machine.nr_nodes; node++) {
		if (one_of(2))
			node_set(node, policy->nodes);
	}
	node_set((int)one_of(machine.nr_nodes), policy->nodes);
	f->mempolicy = policy;
}

static void phase(bool hotplug)
{
	static struct mempolicy policies[MOST_TASKS];
	static const char *const names[MOST_TASKS] = { "ann", "bob", "cat", "dan" };

	tasks_left = 1 + one_of(MOST_TASKS);
	operations = 10 + one_of(60);
	for (unsigned int i = tasks_left; i--;) {
		struct fiber *f = fiber_start(names[i], any_online_cpu(), task,
					      hotplug ? &machine : NULL);

		f->pinned = !hotplug && !one_of(3);
		f->forbidden = one_of(6) ? 0 : 1 + (int)one_of(machine.nr_nodes);
		draw_policy(f, &policies[i]);
	}
	wait_until(tasks_over, NULL, "the tasks to end");
	world_check();
}

void history(uint64_t seed)
{
	struct topology topology = { .nr_cpus = 1 };
	bool hotplug;

	machine.random = seed * 0x9E3779B97F4A7C15ULL + 1;
	draw_topology(&topology);
	world_boot(seed, &topology);
	draw_manners();
	hotplug = one_of(2);
	policies_drawn = seed % 8 == 7;
	for (unsigned int i = 0; i < 3; i++)
		create();
	for (unsigned int i = 0; i < PHASES; i++)
		phase(hotplug);
	machine.page_failures = 0;
	for (int node = 0; node < machine.nr_nodes; node++) {
		if (!topology.memoryless[node])
			node_come_online(node);
	}
	world_end();
}
