// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects by one call.
 */
#define pr_fmt(fmt) fmt

#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/topology.h>

#include "slabtest.h"

#define MOST 2048

static void bulk_round(struct st *t, struct kmem_cache *cache, void **objects, size_t *sizes,
		       unsigned int count, gfp_t flags)
{
	unsigned int size = kmem_cache_size(cache), i;
	int got = kmem_cache_alloc_bulk(cache, flags, count, objects);

	if (!st_check(t, got == count, "%d of %u objects", got, count))
		return;
	for (i = 0; i < count; i++) {
		sizes[i] = size;
		if (flags & __GFP_ZERO)
			st_is_byte(t, objects[i], 0, size);
		st_fill(t, objects[i], size);
	}
	st_disjoint(t, objects, sizes, count);
	st_shuffle(&t->rnd, objects, count);
	for (i = 0; i < count; i++)
		st_spend(t, objects[i], size);
	/* Some one by one: both ways of freeing take objects of both ways of allocating. */
	for (i = 0; i < count / 4; i++)
		kmem_cache_free(cache, objects[i]);
	if (i < count)
		kmem_cache_free_bulk(cache, count - i, objects + i);
}

/* Guards: all objects asked for, each its own, whatever the number. */
static void bulk_counts(struct st *t)
{
	static const unsigned int counts[] = { 1, 2, 3, 7, 16, 31, 32, 33, 64, 250, 1000, MOST };
	struct kmem_cache *cache = kmem_cache_create("slabtest_bulk", 88, 0, 0, NULL);
	void **objects = kvcalloc(MOST, sizeof(*objects), GFP_KERNEL);
	size_t *sizes = kvcalloc(MOST, sizeof(*sizes), GFP_KERNEL);
	int i;

	if (!st_check(t, cache && objects && sizes, "no memory"))
		goto out;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		bulk_round(t, cache, objects, sizes, counts[i], GFP_KERNEL);
		bulk_round(t, cache, objects, sizes, counts[i], GFP_KERNEL | __GFP_ZERO);
		bulk_round(t, cache, objects, sizes, counts[i], GFP_ATOMIC);
		st_alive(t);
	}
out:
	kvfree(sizes);
	kvfree(objects);
	kmem_cache_destroy(cache);
}

/* Guards: kfree_bulk sorts out objects of many caches, and of none (large ones), and frees all. */
static void bulk_mixed(struct st *t)
{
	const unsigned int count = 600;
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	long base = st_slab_pages();
	unsigned int round, i;
	size_t size;

	if (!st_check(t, objects, "no memory"))
		return;
	for (round = 0; round < st_scale(t, 40); round++) {
		for (i = 0; i < count; i++) {
			size = i % 50 ? 1U << (3 + i % 9) : KMALLOC_MAX_CACHE_SIZE + 1;
			objects[i] = kmalloc(size, GFP_KERNEL);
			if (!st_check(t, objects[i], "no object of %zu", size))
				break;
			st_fill(t, objects[i], size);
			st_spend(t, objects[i], size);
		}
		if (round % 2)
			st_shuffle(&t->rnd, objects, i);
		if (i)
			kfree_bulk(i, objects);
	}
	/* 4000 pages went through; the caches of kmalloc may keep some. */
	st_settled(t, NULL, base, 2 * st_slack_pages());
	kvfree(objects);
}

struct handover {
	struct kmem_cache *cache;
	int count;
	void *objects[500];
};

static void take_bulk(struct st_worker *worker)
{
	struct handover *h = worker->data;
	int i;

	h->count = kmem_cache_alloc_bulk(h->cache, GFP_KERNEL, ARRAY_SIZE(h->objects), h->objects);
	st_check(worker->t, h->count == ARRAY_SIZE(h->objects), "%d objects", h->count);
	for (i = 0; i < h->count; i++)
		st_fill(worker->t, h->objects[i], 240);
}

static void give_bulk(struct st_worker *worker)
{
	struct handover *h = worker->data;
	int i;

	for (i = 0; i < h->count; i++)
		st_spend(worker->t, h->objects[i], 240);
	if (h->count)
		kmem_cache_free_bulk(h->cache, h->count, h->objects);
}

/* Guards: a bulk of objects may be freed on another CPU, for each CPU and its neighbour. */
static void bulk_remote(struct st *t)
{
	struct handover *h = kvzalloc(sizeof(*h), GFP_KERNEL);
	unsigned int cpu, next, round;

	if (!st_check(t, h, "no memory"))
		return;
	h->cache = kmem_cache_create("slabtest_hand", 240, 0, 0, NULL);
	if (!st_check(t, h->cache, "no cache"))
		goto out;
	for (round = 0; round < st_scale(t, 3); round++) {
		for_each_online_cpu(cpu) {
			next = cpumask_next(cpu, cpu_online_mask);
			if (next >= nr_cpu_ids)
				next = cpumask_first(cpu_online_mask);
			if (st_run_on(t, cpu, take_bulk, h))
				st_run_on(t, next, give_bulk, h);
		}
		st_alive(t);
	}
	kmem_cache_destroy(h->cache);
out:
	kvfree(h);
}

/*
 * Guards: a bulk that cannot be had in full gives nothing, says so, and keeps nothing. More is
 * asked for than the machine has, in a way that neither waits nor kills.
 */
static void bulk_failure(struct st *t)
{
	const size_t size = 2 * PAGE_SIZE;
	const unsigned long count = totalram_pages();
	struct kmem_cache *cache = kmem_cache_create("slabtest_much", size, 0, ST_OWN,
						     NULL);
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	LIST_HEAD(pages);
	long base;
	int got;

	if (!st_check(t, cache && objects, "no memory"))
		goto out;
	/* Most of it is gone already, so that it takes few objects to find the end. */
	st_hoard(&pages, count / 8);
	base = st_slab_pages();
	got = kmem_cache_alloc_bulk(cache, GFP_NOWAIT | __GFP_NOWARN, count, objects);
	if (!st_check(t, !got, "%d of %lu objects, each of two pages", got, count))
		kmem_cache_free_bulk(cache, got, objects);
	st_settled(t, cache, base, st_slack_pages());
	st_give_back(&pages);
out:
	kvfree(objects);
	kmem_cache_destroy(cache);
}

#define STRAYS 200

/* Objects of one node, freed on a CPU of another, which then asks for its own. */
struct strays {
	struct kmem_cache *cache;
	int from, to;
	bool bulk;
};

static void free_strays(struct strays *strays, void **objects, unsigned int count)
{
	unsigned int i;

	if (strays->bulk)
		kmem_cache_free_bulk(strays->cache, count, objects);
	for (i = 0; i < count && !strays->bulk; i++)
		kmem_cache_free(strays->cache, objects[i]);
}

static unsigned int take_of_node(struct st_worker *worker, int node, void **objects)
{
	struct strays *strays = worker->data;
	unsigned int i;

	for (i = 0; i < STRAYS; i++) {
		objects[i] = kmem_cache_alloc_node(strays->cache, GFP_KERNEL | __GFP_THISNODE,
						   node);
		if (!st_check(worker->t, objects[i], "no object on node %d", node))
			break;
		st_check(worker->t, is_kfence_address(objects[i]) ||
			 page_to_nid(virt_to_page(objects[i])) == node,
			 "an object for node %d lies on %d", node,
			 page_to_nid(virt_to_page(objects[i])));
	}
	return i;
}

static void swap_strays(struct st_worker *worker)
{
	struct strays *strays = worker->data;
	void **objects = kcalloc(STRAYS, sizeof(*objects), GFP_KERNEL);
	unsigned int got;

	if (!st_check(worker->t, objects, "no memory"))
		return;
	got = take_of_node(worker, strays->from, objects);
	if (got)
		free_strays(strays, objects, got);
	got = take_of_node(worker, strays->to, objects);
	if (got)
		free_strays(strays, objects, got);
	kfree(objects);
}

/*
 * Guards: objects that are freed on a CPU of another node, one by one or in bulk, are not given to
 * those who ask for memory of that CPU's node.
 */
static void bulk_nodes(struct st *t)
{
	unsigned int pairs = 0;
	struct strays strays;

	for_each_node_state(strays.to, N_MEMORY) {
		unsigned int cpu = cpumask_any_and(cpumask_of_node(strays.to), cpu_online_mask);

		strays.from = next_node_in(strays.to, node_states[N_MEMORY]);
		if (cpu >= nr_cpu_ids || strays.from == strays.to)
			continue;
		pairs++;
		for (strays.bulk = false;; strays.bulk = true) {
			strays.cache = kmem_cache_create("slabtest_strays", 136, 0, ST_OWN, NULL);
			if (st_check(t, strays.cache, "no cache"))
				st_run_on(t, cpu, swap_strays, &strays);
			kmem_cache_destroy(strays.cache);
			if (strays.bulk)
				break;
		}
	}
	if (!pairs)
		t->skip = "needs two nodes with memory";
}

const struct st_case bulk_cases[] = {
	{ "bulk_counts", bulk_counts },
	{ "bulk_mixed", bulk_mixed },
	{ "bulk_remote", bulk_remote, SHAPED },
	{ "bulk_nodes", bulk_nodes, SHAPED },
	{ "bulk_failure", bulk_failure },
	{ }
};
