// SPDX-License-Identifier: GPL-2.0
/*
 * A great many objects at once, freed in the order they came, backwards, and in no order.
 */
#define pr_fmt(fmt) fmt

#include <linux/mm.h>

#include "slabtest.h"

#define SIZE 120

enum order { FIFO, LIFO, RANDOM };

static void many(struct st *t, enum order order)
{
	const unsigned int count = st_scale(t, 50000);
	struct kmem_cache *cache = kmem_cache_create("slabtest_many", SIZE, 0, ST_OWN,
						     NULL);
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	long base = st_slab_pages();
	unsigned int i, got;

	if (!st_check(t, cache && objects, "no memory"))
		goto out;
	for (got = 0; got < count; got++) {
		objects[got] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (!st_check(t, objects[got], "no object after %u", got))
			break;
		st_fill(t, objects[got], SIZE);
		if (!(got % 1024))
			st_alive(t);
	}
	if (order == RANDOM)
		st_shuffle(&t->rnd, objects, got);
	for (i = 0; i < got; i++) {
		void *object = objects[order == LIFO ? got - 1 - i : i];

		st_spend(t, object, SIZE);
		kmem_cache_free(cache, object);
		if (!(i % 1024))
			st_alive(t);
	}
	st_settled(t, cache, base, st_slack_pages());
out:
	kvfree(objects);
	kmem_cache_destroy(cache);
}

/* Guards: no object is lost or mixed up on the way through slabs, first in first out. */
static void order_fifo(struct st *t)
{
	many(t, FIFO);
}

/* Guards: the same, last in first out. */
static void order_lifo(struct st *t)
{
	many(t, LIFO);
}

/* Guards: the same in random order, where every slab is partly free for a long time. */
static void order_random(struct st *t)
{
	many(t, RANDOM);
}

const struct st_case order_cases[] = {
	{ "order_fifo", order_fifo },
	{ "order_lifo", order_lifo },
	{ "order_random", order_random },
	{ }
};
