// SPDX-License-Identifier: GPL-2.0
/*
 * A great many objects at once, freed in the order they came, backwards, and in no order.
 */
#define pr_fmt(fmt) fmt

#include <linux/irqflags.h>
#include <linux/kfence.h>
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

#define HEATED 64

struct heat {
	struct kmem_cache *cache;
	unsigned int tried;
	unsigned int same;
	void *object[HEATED];
};

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

/* How many of those tries give back what was just freed. Nothing comes in between. */
static void free_and_take(struct st_worker *worker)
{
	struct heat *heat = worker->data;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < HEATED; i++)
		heat->object[i] = kmem_cache_alloc(heat->cache, GFP_KERNEL);
	for (i = 0; i < HEATED; i++) {
		void *object = heat->object[i];

		if (!st_check(worker->t, object, "no object"))
			continue;
		heat->tried += !is_kfence_address(object);
		local_irq_save(flags);
		kmem_cache_free(heat->cache, object);
		heat->object[i] = kmem_cache_alloc(heat->cache, GFP_ATOMIC);
		local_irq_restore(flags);
		heat->same += heat->object[i] == object;
	}
	for (i = 0; i < HEATED; i++)
		if (heat->object[i])
			kmem_cache_free(heat->cache, heat->object[i]);
}

/*
 * Guards: the object that was freed last on a CPU is the next to be given out there: it is the one
 * that is in the cache of the processor.
 */
static void order_hot(struct st *t)
{
	struct heat heat = { .tried = 0 };

	if (IS_ENABLED(CONFIG_SLOB) || IS_ENABLED(CONFIG_KASAN_GENERIC) ||
	    IS_ENABLED(CONFIG_SLQB_DEBUG_ON) || IS_ENABLED(CONFIG_SLUB_DEBUG_ON)) {
		t->skip = "SLOB takes the first that fits, KASAN keeps freed objects for a while, watched caches have no queues";
		return;
	}
	heat.cache = kmem_cache_create("slabtest_hot", SIZE, 0, ST_OWN, NULL);
	if (st_check(t, heat.cache, "no cache") &&
	    st_run_on(t, cpumask_first(cpu_online_mask), free_and_take, &heat))
		st_check(t, heat.same >= heat.tried / 2, "%u of %u objects were given out again",
			 heat.same, heat.tried);
	kmem_cache_destroy(heat.cache);
}

const struct st_case order_cases[] = {
	{ "order_fifo", order_fifo },
	{ "order_lifo", order_lifo },
	{ "order_random", order_random },
	{ "order_hot", order_hot },
	{ }
};
