// SPDX-License-Identifier: GPL-2.0
/*
 * What reclaim goes by: how much memory is in slabs, of which kind and on which node, and how much
 * of it a task that reclaims has given back.
 */
#define pr_fmt(fmt) fmt

#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/swap.h>

#include "slabtest.h"

/* So large that a slab holds few of them, whatever a page is. */
#define SIZE (PAGE_SIZE / 4)
/* More than queues keep: SLQB up to a mebibyte on each CPU. */
#define COUNT (1000 + (2 << 20) / SIZE)

/* Objects of one cache, and how many pages they take. */
struct lot {
	struct kmem_cache *cache;
	void **objects;
	unsigned int count;
	unsigned int pages;
	unsigned long told;
	long freed;
};

static bool lot_open(struct st *t, struct lot *lot, slab_flags_t flags)
{
	lot->cache = kmem_cache_create("slabtest_lot", SIZE, 0, ST_OWN | flags, NULL);
	lot->objects = kvcalloc(COUNT, sizeof(*lot->objects), GFP_KERNEL);
	return st_check(t, lot->cache && lot->objects, "no memory");
}

static void lot_fill(struct st *t, struct lot *lot, unsigned int count, gfp_t flags, int node)
{
	unsigned int most;

	for (lot->count = 0; lot->count < count; lot->count++) {
		void *object = kmem_cache_alloc_node(lot->cache, GFP_KERNEL | flags, node);

		if (!st_check(t, object, "no object for node %d", node))
			break;
		lot->objects[lot->count] = object;
	}
	st_slabs_of(lot->objects, lot->count, &lot->pages, &most);
}

static void lot_empty(struct lot *lot)
{
	while (lot->count)
		kmem_cache_free(lot->cache, lot->objects[--lot->count]);
}

static void lot_close(struct lot *lot)
{
	kvfree(lot->objects);
	kmem_cache_destroy(lot->cache);
	*lot = (struct lot){ };
}

/*
 * Others give slabs back or take some meanwhile, so it is tried a few times: what is counted
 * wrongly never comes out right.
 */
static bool counted_right(struct st *t, struct lot *lot, int node, bool reclaimable, long *more,
			  long *others)
{
	unsigned int try;

	for (try = 0; try < 5; try++) {
		long base = st_node_pages(node, reclaimable);
		long other = st_node_pages(node, !reclaimable);

		lot_fill(t, lot, COUNT / 4, __GFP_THISNODE, node);
		*more = st_node_pages(node, reclaimable) - base;
		*others = st_node_pages(node, !reclaimable) - other;
		lot_empty(lot);
		kmem_cache_shrink(lot->cache);
		if (*more >= (long)lot->pages * 3 / 4 && *others <= (long)lot->pages / 4)
			return true;
	}
	return false;
}

/*
 * Guards: the pages of a cache are counted on the node they lie on, as what can be reclaimed where
 * the cache is of that kind, and else as what cannot.
 */
static void account_kinds(struct st *t)
{
	struct lot lot = { };
	long more, others;
	int node, kind;

	if (IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "SLOB has one kind of slabs, for all caches";
		return;
	}
	for (kind = 0; kind < 2; kind++) {
		if (lot_open(t, &lot, kind ? SLAB_RECLAIM_ACCOUNT : 0)) {
			for_each_node_state(node, N_MEMORY)
				st_check(t, counted_right(t, &lot, node, kind, &more, &others),
					 "node %d: %u pages of slabs that can%s be reclaimed: %ld more counted, %ld of the other kind",
					 node, lot.pages, kind ? "" : "not", more, others);
		}
		lot_close(&lot);
		st_alive(t);
	}
}

/* Free many objects as a task that reclaims does: what it gives back is added up in the task. */
static void reclaim_lot(struct st_worker *worker)
{
	struct reclaim_state state = { }, *before = current->reclaim_state;
	struct lot *lot = worker->data;
	long pages;

	lot_fill(worker->t, lot, COUNT, 0, NUMA_NO_NODE);
	pages = st_slab_pages();
	current->reclaim_state = &state;
	lot_empty(lot);
	current->reclaim_state = before;
	lot->freed = pages - st_slab_pages();
	lot->told = state.reclaimed_slab;
}

/*
 * Guards: a task that reclaims memory is told of each page of a slab that goes back while it frees
 * objects, or it goes on although it has got what it needs.
 */
static void account_reclaim(struct st *t)
{
	struct lot lot = { };

	if (IS_ENABLED(CONFIG_KASAN_GENERIC)) {
		t->skip = "KASAN keeps what was freed, and gives it back at other times";
		return;
	}
	if (lot_open(t, &lot, SLAB_RECLAIM_ACCOUNT) &&
	    st_run_on(t, cpumask_first(cpu_online_mask), reclaim_lot, &lot)) {
		st_note(t, "%u pages, %ld given back, %lu told of", lot.pages, lot.freed, lot.told);
		st_check(t, lot.freed >= (long)lot.pages / 4, "%ld of %u pages given back",
			 lot.freed, lot.pages);
		st_check(t, (long)lot.told >= lot.freed / 2 && lot.told <= lot.pages,
			 "%ld of %u pages given back, %lu told of", lot.freed, lot.pages, lot.told);
	}
	lot_close(&lot);
}

const struct st_case account_cases[] = {
	{ "account_kinds", account_kinds, SHAPED },
	{ "account_reclaim", account_reclaim },
	{ }
};
