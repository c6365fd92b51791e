// SPDX-License-Identifier: GPL-2.0
/*
 * Caches come and go: shrinking and destroying leave nothing behind.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>

#include "slabtest.h"

#define SIZE 512

/* Rows of objects, one row a CPU. */
struct herd {
	struct kmem_cache *cache;
	unsigned int rows;
	unsigned int each;
	void **objects;
};

static bool herd_open(struct st *t, struct herd *herd, const char *name, unsigned int each)
{
	herd->each = each;
	herd->rows = num_online_cpus();
	herd->cache = kmem_cache_create(name, SIZE, 0, ST_OWN, NULL);
	herd->objects = kvcalloc(herd->rows * each, sizeof(*herd->objects), GFP_KERNEL);
	return st_check(t, herd->cache && herd->objects, "no memory");
}

static void herd_close(struct herd *herd)
{
	kmem_cache_destroy(herd->cache);
	kvfree(herd->objects);
	*herd = (struct herd){ };
}

static void **row_of(struct herd *herd, unsigned int row)
{
	return herd->objects + row % herd->rows * herd->each;
}

static void breed(struct st_worker *worker)
{
	struct herd *herd = worker->data;
	void **row = row_of(herd, worker->index);
	unsigned int i;

	for (i = 0; i < herd->each; i++) {
		row[i] = kmem_cache_alloc(herd->cache, GFP_KERNEL);
		if (!st_check(worker->t, row[i], "no object"))
			break;
		st_fill(worker->t, row[i], SIZE);
		/* Locks that emulated CPUs queue for can take them long. */
		cond_resched();
	}
}

static void cull(struct st_worker *worker)
{
	struct herd *herd = worker->data;
	/* Each CPU frees what its neighbour allocated. */
	void **row = row_of(herd, worker->index + 1);
	unsigned int i;

	for (i = 0; i < herd->each; i++) {
		if (!row[i])
			continue;
		st_spend(worker->t, row[i], SIZE);
		kmem_cache_free(herd->cache, row[i]);
		row[i] = NULL;
		cond_resched();
	}
}

/*
 * Guards: a cache whose objects are all free can be destroyed at once, wherever they wait, and
 * none of its pages is left.
 */
static void life_destroy(struct st *t)
{
	unsigned int round, rounds = st_scale(t, 8);
	long base = st_slab_pages();
	struct herd herd;

	for (round = 0; round < rounds; round++) {
		if (herd_open(t, &herd, "slabtest_destroy", 100 + 300 * round)) {
			st_run_on_all(t, breed, &herd);
			st_run_on_all(t, cull, &herd);
		}
		herd_close(&herd);
		st_alive(t);
	}
	st_settled(t, NULL, base, st_slack_pages());
}

/* Guards: kmem_cache_shrink gives back what is free, also what other CPUs freed. */
static void life_shrink(struct st *t)
{
	const unsigned int each = st_scale(t, 16000) / num_online_cpus();
	unsigned int pages, most;
	struct herd herd;
	long full;

	if (!herd_open(t, &herd, "slabtest_shrink", each))
		goto out;
	st_run_on_all(t, breed, &herd);
	st_slabs_of(herd.objects, herd.rows * each, &pages, &most);
	st_shuffle(&t->rnd, herd.objects, herd.rows * each);
	full = st_slab_pages();
	st_run_on_all(t, cull, &herd);
	st_note(t, "%u pages full, %ld after free", pages, pages + st_slab_pages() - full);
	st_settled(t, herd.cache, full - pages, st_slack_pages());
	/* It is good for use after that. */
	st_run_on_all(t, breed, &herd);
	st_run_on_all(t, cull, &herd);
out:
	herd_close(&herd);
}

/* Guards: shrinking touches no object in use. */
static void life_shrink_held(struct st *t)
{
	const unsigned int each = st_scale(t, 1000);
	struct herd herd;
	unsigned int i;

	if (!herd_open(t, &herd, "slabtest_partial", each))
		goto out;
	st_run_on_all(t, breed, &herd);
	for (i = 0; i < herd.rows * each; i++) {
		if (!(i % 16) || !herd.objects[i])
			continue;
		st_spend(t, herd.objects[i], SIZE);
		kmem_cache_free(herd.cache, herd.objects[i]);
		herd.objects[i] = NULL;
	}
	kmem_cache_shrink(herd.cache);
	for (i = 0; i < herd.rows * each; i += 16)
		if (herd.objects[i])
			st_verify(t, herd.objects[i], SIZE);
	kmem_cache_shrink(herd.cache);
	st_run_on_all(t, cull, &herd);
out:
	herd_close(&herd);
}

static void breed_and_cull(struct st_worker *worker)
{
	struct herd *herd = worker->data;
	unsigned int i, rounds = st_scale(worker->t, 12);

	for (i = 0; i < rounds; i++) {
		struct st_worker self = *worker;

		breed(worker);
		/* Whoever shrinks on this CPU finds objects in use. */
		cond_resched();
		/* Its own row: nobody else touches it. */
		self.index += herd->rows - 1;
		cull(&self);
		if (!worker->index || i % 4 == 3)
			kmem_cache_shrink(herd->cache);
		cond_resched();
	}
}

/* Guards: shrinking while all CPUs allocate and free takes nothing from anybody. */
static void life_shrink_race(struct st *t)
{
	struct herd herd;

	if (herd_open(t, &herd, "slabtest_race", 400))
		st_run_on_all(t, breed_and_cull, &herd);
	herd_close(&herd);
}

static void storm_of_caches(struct st_worker *worker)
{
	unsigned int i, rounds = st_scale(worker->t, 15);
	void *objects[40];
	char name[32];

	for (i = 0; i < rounds; i++) {
		unsigned int size = 16 + st_random(&worker->rnd, 3000), n;
		struct kmem_cache *cache;

		snprintf(name, sizeof(name), "slabtest_%u_%u", worker->index, i);
		cache = kmem_cache_create(name, size, 0, i % 2 ? ST_OWN : 0, NULL);
		if (!st_check(worker->t, cache, "no cache of %u", size))
			break;
		for (n = 0; n < ARRAY_SIZE(objects); n++) {
			objects[n] = kmem_cache_alloc(cache, GFP_KERNEL);
			if (!st_check(worker->t, objects[n], "no object of %u", size))
				break;
			st_fill(worker->t, objects[n], size);
		}
		while (n--) {
			st_spend(worker->t, objects[n], size);
			kmem_cache_free(cache, objects[n]);
		}
		kmem_cache_destroy(cache);
	}
}

/* Guards: caches created and destroyed on all CPUs at once do not get in each other's way. */
static void life_storm(struct st *t)
{
	long base = st_slab_pages();

	st_run_on_all(t, storm_of_caches, NULL);
	st_settled(t, NULL, base, st_slack_pages());
}

/* Guards: an empty cache, never used, can be shrunk and destroyed. */
static void life_unused(struct st *t)
{
	unsigned int i, rounds = st_scale(t, 20);
	long base = st_slab_pages();

	for (i = 0; i < rounds; i++) {
		struct kmem_cache *cache = kmem_cache_create("slabtest_unused", 1 + 50 * i % 4000,
							     0, ST_OWN, NULL);

		if (!st_check(t, cache, "no cache"))
			break;
		kmem_cache_shrink(cache);
		kmem_cache_destroy(cache);
	}
	kmem_cache_destroy(NULL);
	st_settled(t, NULL, base, st_slack_pages());
}

/*
 * Guards: a cache that is destroyed with an object in use is not destroyed, and the kernel says so.
 * It stays, with the object, which is still whole.
 */
static void life_in_use(struct st *t)
{
	struct kmem_cache *cache;
	void *object;

	if (IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "SLOB does not know what is in use";
		return;
	}
	cache = kmem_cache_create("slabtest_in_use", SIZE, 0, ST_OWN, NULL);
	object = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;
	if (!st_check(t, object, "no object"))
		return;
	st_fill(t, object, SIZE);
	pr_info("    # expect: 1+ slabtest_in_use\n");
	kmem_cache_destroy(cache);
	/* Lost on purpose: it is nobody's leak. */
	kmemleak_not_leak(object);
	st_verify(t, object, SIZE);
}

const struct st_case life_cases[] = {
	{ "life_unused", life_unused },
	{ "life_destroy", life_destroy },
	{ "life_shrink", life_shrink },
	{ "life_shrink_held", life_shrink_held },
	{ "life_shrink_race", life_shrink_race },
	{ "life_storm", life_storm },
	{ "life_in_use", life_in_use },
	{ }
};
