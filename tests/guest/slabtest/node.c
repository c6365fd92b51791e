// SPDX-License-Identifier: GPL-2.0
/*
 * Which node an object lies on. Memory is plentiful while these run, so where it may come from
 * another node only for want of memory, it may not.
 */
#define pr_fmt(fmt) fmt

#include <linux/mm.h>
#include <linux/kfence.h>
#include <linux/nodemask.h>
#include <linux/topology.h>

#include "slabtest.h"

static int node_of(const void *object)
{
	return page_to_nid(virt_to_page(object));
}

/* KFENCE has a pool of its own, wherever that lies. */
static bool elsewhere(const void *object, int node)
{
	return node_of(object) != node && !is_kfence_address(object);
}

static size_t sizes_from(struct st *t, size_t *size)
{
	*size += 1 + *size / (t->soak ? 16 : 2);
	return *size;
}

static void each_size(struct st *t, int node, gfp_t flags)
{
	void *object[32];
	const int count = t->brief ? 8 : ARRAY_SIZE(object);
	size_t size = 0;
	int i;

	while (sizes_from(t, &size) <= 2 * KMALLOC_MAX_CACHE_SIZE) {
		for (i = 0; i < count; i++) {
			object[i] = kmalloc_node(size, flags, node);
			if (!st_check(t, object[i], "no object of %zu on node %d", size, node))
				break;
			st_check(t, !elsewhere(object[i], node), "%zu for node %d lies on %d",
				 size, node, node_of(object[i]));
			st_fill(t, object[i], size);
		}
		while (i--) {
			st_spend(t, object[i], size);
			kfree(object[i]);
		}
	}
	st_alive(t);
}

/* Guards: with __GFP_THISNODE an object lies on that node, whatever lies in queues. */
static void node_exact(struct st *t)
{
	int node;

	for_each_node_state(node, N_MEMORY)
		each_size(t, node, GFP_KERNEL | __GFP_THISNODE);
}

/* Guards: a node that is only preferred is taken while it has memory. */
static void node_preferred(struct st *t)
{
	int node;

	for_each_node_state(node, N_MEMORY) {
		each_size(t, node, GFP_KERNEL);
		each_size(t, node, GFP_NOWAIT | __GFP_NOWARN | __GFP_ZERO);
	}
}

/* Guards: a cache gives objects of each node by name, freed in another order. */
static void node_cache(struct st *t)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_node", 328, 0, 0, NULL);
	const unsigned int count = st_scale(t, 3000);
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	int node = first_memory_node;
	unsigned int i;

	if (!st_check(t, cache && objects, "no memory"))
		goto out;
	for (i = 0; i < count; i++) {
		objects[i] = kmem_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, node);
		if (!st_check(t, objects[i], "no object on node %d", node))
			break;
		st_check(t, !elsewhere(objects[i], node), "an object for node %d lies on %d", node,
			 node_of(objects[i]));
		st_fill(t, objects[i], 328);
		node = next_node_in(node, node_states[N_MEMORY]);
	}
	st_shuffle(&t->rnd, objects, i);
	while (i--) {
		st_spend(t, objects[i], 328);
		kmem_cache_free(cache, objects[i]);
	}
out:
	kvfree(objects);
	kmem_cache_destroy(cache);
}

/* Guards: a node without memory is served from one that has some. */
static void node_memoryless(struct st *t)
{
	unsigned int found = 0;
	int node;

	for_each_online_node(node) {
		size_t size = 0;

		if (node_state(node, N_MEMORY))
			continue;
		found++;
		while (sizes_from(t, &size) <= 2 * KMALLOC_MAX_CACHE_SIZE) {
			void *object = kmalloc_node(size, GFP_KERNEL, node);

			if (!st_check(t, object, "no object of %zu for node %d", size, node))
				continue;
			st_fill(t, object, size);
			st_spend(t, object, size);
			kfree(object);
			/* May fail: there is no such memory. It may not fall over. */
			kfree(kmalloc_node(size, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, node));
		}
	}
	if (!found)
		t->skip = "every node has memory";
}

/* How near the nearest memory is. */
static int nearest(int from)
{
	int node, best = INT_MAX;

	for_each_node_state(node, N_MEMORY)
		best = min(best, node_distance(from, node));
	return best;
}

struct local {
	struct kmem_cache *cache;
	unsigned int count;
	void **objects;
};

static void alloc_local(struct st_worker *worker)
{
	struct local *local = worker->data;
	int home = cpu_to_node(worker->cpu), node;
	unsigned int i;

	for (i = 0; i < local->count; i++) {
		local->objects[i] = kmem_cache_alloc(local->cache, GFP_KERNEL);
		if (!st_check(worker->t, local->objects[i], "no object on CPU %u", worker->cpu))
			break;
		st_fill(worker->t, local->objects[i], kmem_cache_size(local->cache));
		node = node_of(local->objects[i]);
		st_check(worker->t, node_distance(home, node) == nearest(home) ||
			 is_kfence_address(local->objects[i]),
			 "CPU %u of node %d got an object of node %d", worker->cpu, home, node);
	}
	local->count = i;
}

static void judge_local(struct st *t, struct local *local, unsigned int cpu)
{
	unsigned int most, pages, slabs, room = num_online_nodes() + num_online_cpus();
	unsigned int i, fit;

	slabs = st_slabs_of(local->objects, local->count, &pages, &most);
	if (most) {
		st_check(t, slabs <= local->count / most + room,
			 "CPU %u: %u objects, up to %u in a slab, took %u slabs", cpu,
			 local->count, most, slabs);
		/* What an allocator puts around an object takes three times as much at most. */
		fit = pages / slabs * PAGE_SIZE / (4 * kmem_cache_size(local->cache));
		st_check(t, most >= fit, "CPU %u: %u objects in a slab of %u pages", cpu, most,
			 pages / slabs);
	}
	for (i = 0; i < local->count; i++) {
		st_spend(t, local->objects[i], kmem_cache_size(local->cache));
		kmem_cache_free(local->cache, local->objects[i]);
	}
}

/*
 * Guards: a CPU is served from the nearest memory, its own or not, and fills a slab before it
 * takes the next: N objects take N / (objects in a slab) slabs and a few.
 */
static void node_local(struct st *t)
{
	static const unsigned int sizes[] = { 256, 456, 1024 };
	const unsigned int count = st_scale(t, 1000);
	struct local local = { .objects = kvcalloc(count, sizeof(void *), GFP_KERNEL) };
	unsigned int cpu, i;

	if (!st_check(t, local.objects, "no memory"))
		return;
	if (IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "SLOB has no slabs: a page of any node is shared by all caches";
		goto out;
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for_each_online_cpu(cpu) {
			local.count = count;
			local.cache = kmem_cache_create("slabtest_local", sizes[i], 0,
							ST_OWN, NULL);
			if (!st_check(t, local.cache, "no cache"))
				break;
			if (st_run_on(t, cpu, alloc_local, &local))
				judge_local(t, &local, cpu);
			kmem_cache_destroy(local.cache);
		}
	}
out:
	kvfree(local.objects);
}

const struct st_case node_cases[] = {
	{ "node_exact", node_exact, SHAPED },
	{ "node_preferred", node_preferred, SHAPED },
	{ "node_cache", node_cache, SHAPED },
	{ "node_memoryless", node_memoryless, SHAPED },
	{ "node_local", node_local, SHAPED },
	{ }
};
