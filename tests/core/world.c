// SPDX-License-Identifier: GPL-2.0
/* Caches and objects as a user of the allocator has them, and what was promised of them */
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include <stdio.h>

#include "internal.h"
#include "slab.h"

#define BUILT		0xc7		/* what a constructor leaves */
#define ROW		(PAGE_SIZE / 8 / 64)

struct world world;

static uint64_t live_bits[(size_t)MAX_NUMNODES * NODE_PAGES][ROW];
static const char *const names[MOST_CACHES] = {
	"zero", "one", "two", "three", "four", "five", "twin six", "twin seven",
};

static unsigned long sum_of_misses(void)
{
	unsigned long sum = 0;

	for (int node = 0; node < machine.nr_nodes; node++)
		sum += machine.page_misses[node];
	return sum;
}

void world_boot(uint64_t seed, const struct topology *topology)
{
	memset(&machine, 0, sizeof(machine));
	memset(&world, 0, sizeof(world));
	memset(live_bits, 0, sizeof(live_bits));
	machine.seed = seed;
	machine.random = seed * 0x9E3779B97F4A7C15ULL + 1;
	machine.limit = 20000000;
	machine.now = INITIAL_JIFFIES;
	fibers_reset();
	work_reset();
	pages_reset();
	common_reset();
	topology_reset(topology);
	percpu_reset();
	core_boot();
	work_start();
	core_check_boot_caches();
	pages_check();
	world.percpu_at_boot = percpu_used();
}

static void construct(void *object)
{
	struct slab *slab = virt_to_slab(object);

	memset(object, BUILT, slab->slab_cache->object_size);
}

bool world_create(int slot, unsigned int size, unsigned int align, unsigned int flags,
		  bool ctor)
{
	struct slot *c = &world.slots[slot];

	note("%d %s: create %d: size %u align %u flags %x%s", this_fiber->cpu,
	     this_fiber->name, slot, size, align, flags, ctor ? " ctor" : "");
	if (c->s || c->leaving)
		return false;
	c->leaving = true;
	c->size = size;
	c->flags = flags;
	c->ctor = ctor;
	c->s = kmem_cache_create(names[slot], size, align, flags,
				 ctor ? construct : NULL);
	c->leaving = false;
	return c->s != NULL;
}

static void fill(const struct held *h, unsigned char *object)
{
	unsigned int size = world.slots[h->cache].size;

	for (unsigned int i = 0; i < size; i += 1 + i / 16)
		object[i] = h->stamp + i;
	object[size - 1] = h->stamp;
}

static void verify(const struct held *h)
{
	const unsigned char *object = h->object;
	unsigned int size = world.slots[h->cache].size;

	for (unsigned int i = 0; i < size - 1; i += 1 + i / 16) {
		if (object[i] != (unsigned char)(h->stamp + i))
			fail("byte %u of %p of %s was written to by somebody else", i,
			     h->object, names[h->cache]);
	}
	if (object[size - 1] != (unsigned char)h->stamp)
		fail("the last byte of %p of %s was written to by somebody else",
		     h->object, names[h->cache]);
}

static void expect(const unsigned char *object, unsigned int size, int byte)
{
	for (unsigned int i = 0; i < size; i++) {
		if (object[i] != byte)
			fail("byte %u of %p is %02x, not %02x", i, (const void *)object,
			     object[i], byte);
	}
}

/* An object is ours: nobody else has it, and it is as it was promised */
static int enter(int slot, void *object, gfp_t gfp)
{
	struct slot *c = &world.slots[slot];
	struct page *page = &virt_to_folio(object)->page;
	unsigned int index = core_index(c->s, object);
	uint64_t *bits = live_bits[machine_page_number(page)];
	struct held *h;

	if (bits[index / 64] & BIT(index % 64))
		fail("%p of %s is handed out twice", object, names[slot]);
	if ((uintptr_t)object % c->s->align)
		fail("%p of %s is not aligned to %u", object, names[slot], c->s->align);
	if (world.nr_held == MOST_OBJECTS)
		fail("shim: too many objects");
	bits[index / 64] |= BIT(index % 64);
	page->live++;
	c->live++;
	if (c->ctor)
		expect(object, c->size, BUILT);
	else if ((gfp & __GFP_ZERO) || machine.init_on_alloc)
		if (!(c->flags & SLAB_TYPESAFE_BY_RCU))
			expect(object, c->size, 0);
	h = &world.held[world.nr_held++];
	*h = (struct held) { object, slot, ++world.stamps };
	fill(h, object);
	return world.nr_held - 1;
}

/* Ours no more, as far as we know; the caller frees it */
static void leave(const struct held *h)
{
	struct slot *c = &world.slots[h->cache];
	struct page *page = &virt_to_folio(h->object)->page;
	unsigned int index = core_index(c->s, h->object);

	verify(h);
	if (c->ctor)
		memset(h->object, BUILT, c->size);
	live_bits[machine_page_number(page)][index / 64] &= ~BIT(index % 64);
	page->live--;
	c->live--;
}

/* Is there a promise that the object is on one node? On which? */
static int promised_node(int node)
{
	if (world.homes_moved || machine.home_moves)
		return -1;
	if (node != NUMA_NO_NODE)
		return core_home_of_node(node);
	if (this_fiber->mempolicy)
		return -1;
	if (this_fiber->pinned || this_fiber->irqs_off)
		return core_home_of_cpu(this_fiber->cpu);
	return -1;
}

static void check_promise(const void *object, gfp_t gfp, int home,
			  unsigned long misses)
{
	int nid = page_to_nid(virt_to_page(object));

	if (home < 0 || nid == home || machine.home_moves)
		return;
	if (gfp & __GFP_THISNODE)
		fail("an object of node %d alone is on node %d", home, nid);
	if (machine.page_misses[home] == misses)
		fail("an object of node %d, which has memory, is on node %d", home, nid);
}

static void check_nothing(gfp_t gfp, int home, unsigned long misses,
			  unsigned long all)
{
	if (machine.home_moves)
		return;
	if (home >= 0 && (gfp & __GFP_THISNODE) ?
	    machine.page_misses[home] == misses : sum_of_misses() == all)
		fail("no object, though there is memory");
}

int world_alloc(int slot, unsigned int gfp, int node)
{
	struct slot *c = &world.slots[slot];
	int home = promised_node(node);
	unsigned long misses = home < 0 ? 0 : machine.page_misses[home];
	unsigned long all = sum_of_misses();
	void *object;

	/* A constructor's work is not to be undone. */
	if (c->ctor)
		gfp &= ~__GFP_ZERO;
	note("%d %s: alloc %d: gfp %x node %d%s", this_fiber->cpu, this_fiber->name,
	     slot, gfp, node, this_fiber->irqs_off ? " irqs off" : "");
	if (!c->s || c->leaving)
		return -1;
	c->users++;
	if (node == NUMA_NO_NODE)
		object = kmem_cache_alloc(c->s, gfp);
	else
		object = kmem_cache_alloc_node(c->s, gfp, node);
	c->users--;
	if (!object) {
		check_nothing(gfp, home, misses, all);
		return -1;
	}
	check_promise(object, gfp, home, misses);
	return enter(slot, object, gfp);
}

int world_alloc_bulk(int slot, unsigned int gfp, unsigned int nr)
{
	struct slot *c = &world.slots[slot];
	unsigned long all = sum_of_misses();
	void *objects[256];
	int got;

	if (c->ctor)
		gfp &= ~__GFP_ZERO;
	note("%d %s: alloc %u of %d: gfp %x", this_fiber->cpu, this_fiber->name, nr,
	     slot, gfp);
	if (!c->s || c->leaving || nr > ARRAY_SIZE(objects))
		return 0;
	c->users++;
	got = kmem_cache_alloc_bulk(c->s, gfp, nr, objects);
	c->users--;
	if (got != (int)nr && (got || sum_of_misses() == all))
		fail("a bulk of %u objects gives %d", nr, got);
	for (int i = 0; i < got; i++)
		enter(slot, objects[i], gfp);
	return got;
}

static struct held take_held(unsigned int index)
{
	struct held h = world.held[index];

	world.held[index] = world.held[--world.nr_held];
	return h;
}

void world_free(unsigned int index)
{
	struct held h = take_held(index);
	struct slot *c = &world.slots[h.cache];

	note("%d %s: free %p of %d%s", this_fiber->cpu, this_fiber->name, h.object,
	     h.cache, this_fiber->irqs_off ? " irqs off" : "");
	c->users++;
	leave(&h);
	kmem_cache_free(c->s, h.object);
	c->users--;
}

static int descending(const unsigned int *a, unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++) {
		if (a[i] >= a[i - 1])
			return 0;
	}
	return 1;
}

/* Of one cache, or of several if @slot is -1; the highest index first */
void world_free_bulk(int slot, const unsigned int *indexes, unsigned int nr)
{
	struct kmem_cache *s = slot < 0 ? NULL : world.slots[slot].s;
	void *objects[256];
	int caches[256];

	if (nr > ARRAY_SIZE(objects) || !descending(indexes, nr))
		fail("shim: a bulk is not in order");
	note("%d %s: free %u of %d", this_fiber->cpu, this_fiber->name, nr, slot);
	for (unsigned int i = 0; i < nr; i++) {
		struct held h = take_held(indexes[i]);

		leave(&h);
		objects[i] = h.object;
		caches[i] = h.cache;
		world.slots[h.cache].users++;
	}
	kmem_cache_free_bulk(s, nr, objects);
	for (unsigned int i = 0; i < nr; i++)
		world.slots[caches[i]].users--;
}

bool world_destroy(int slot)
{
	struct slot *c = &world.slots[slot];

	note("%d %s: destroy %d", this_fiber->cpu, this_fiber->name, slot);
	if (!c->s || c->leaving || c->users || c->live)
		return false;
	c->leaving = true;
	kmem_cache_destroy(c->s);
	core_check_noted();
	c->s = NULL;
	c->leaving = false;
	return true;
}

/* With a short period and many CPUs there would be a pass to do at any moment, were it not for this */
void world_settle(void)
{
	machine.settling = true;
	if (!machine_idle(NULL))
		wait_until(machine_idle, NULL, "the machine to be idle");
	machine.settling = false;
}

/* Long enough for two passes of the trim worker of each CPU */
void world_trim(void)
{
	for (int i = 0; i < 6; i++) {
		time_passes(4 * HZ);
		world_settle();
	}
}

void world_free_all(void)
{
	while (world.nr_held) {
		migrate_to(any_online_cpu());
		world_free(one_of(world.nr_held));
	}
}

static void check_info(const struct slot *c, const struct census *census)
{
	struct slabinfo info;

	get_slabinfo(c->s, &info);
	if (info.num_slabs != census->slabs || info.num_objs != census->objects ||
	    info.active_objs != census->in_use)
		fail("slabinfo of %s: %lu objects in use, %lu in all, %lu slabs; there are %lu, %lu, %lu",
		     c->s->name, info.active_objs, info.num_objs, info.num_slabs,
		     census->in_use, census->objects, census->slabs);
}

/* The books of every cache are right to the object */
static void check_books(void)
{
	unsigned long live[MOST_CACHES] = { 0 };
	struct census census;

	if (complaints())
		fail("the kernel printed something");
	for (int i = 0; i < MOST_CACHES; i++) {
		for (int j = 0; j < MOST_CACHES; j++) {
			if (world.slots[i].s && world.slots[i].s == world.slots[j].s)
				live[i] += world.slots[j].live;
		}
	}
	for (int i = 0; i < MOST_CACHES; i++) {
		const struct slot *c = &world.slots[i];

		if (!c->s)
			continue;
		census = core_check(c->s);
		if (census.in_use != live[i])
			fail("%s has %lu objects in use, its users have %lu", c->s->name,
			     census.in_use, live[i]);
		check_info(c, &census);
		for (unsigned int h = 0; h < world.nr_held; h++) {
			if (world.held[h].cache == i &&
			    core_object_is_free(c->s, world.held[h].object))
				fail("%p of %s is in use and free", world.held[h].object,
				     c->s->name);
		}
	}
	core_check_boot_caches();
	pages_check();
}

/*
 * Once everybody has finished, and while they stand still. Who could not have slab_mutex had to
 * come again meanwhile
 */
void world_check(void)
{
	unsigned int chaos = machine.chaos;

	world_settle();
	time_passes(HZ / 10);
	world_settle();
	machine.chaos = 0;
	check_books();
	machine.chaos = chaos;
}

/* All back: objects, caches, CPUs, nodes, pages */
void world_end(void)
{
	struct kmem_cache *s;
	struct census census;

	this_fiber->pinned = false;
	for (unsigned int cpu = 0; cpu < machine.nr_cpus; cpu++)
		cpu_up(cpu);
	world_free_all();
	world_check();
	for (int i = 0; i < MOST_CACHES; i++) {
		if (world.slots[i].s && !world_destroy(i))
			fail("%s cannot be destroyed", names[i]);
	}
	list_for_each_entry(s, &slab_caches, list)
		kmem_cache_shrink(s);
	world_settle();
	machine.chaos = 0;
	census = core_check_boot_caches();
	if (census.queued)
		fail("%lu objects are in queues after all was shrunk", census.queued);
	if (census.slabs != pages_used())
		fail("%lu pages are used, %lu by the first caches", pages_used(),
		     census.slabs);
	pages_check();
	if (percpu_used() != world.percpu_at_boot)
		fail("per-CPU memory: %zu bytes at boot, %zu now",
		     world.percpu_at_boot, percpu_used());
	if (complaints())
		fail("the kernel printed something");
}
