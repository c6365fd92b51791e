// SPDX-License-Identifier: GPL-2.0
/*
 * Free lists that are hard to foresee, and hard to lead astray.
 */
#define pr_fmt(fmt) fmt

#include <linux/bottom_half.h>
#include <linux/compiler.h>
#include <linux/kernel.h>

#include "slabtest.h"

#define ORDERED 64

/* How many of the objects of a new cache lie above the one before, and the mark of their order. */
static bool look_at_order(struct st *t, unsigned int *rising, unsigned long *mark)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_random", 128, 0, ST_OWN, NULL);
	void *object[ORDERED];
	int i, count = 0;

	if (!st_check(t, cache, "no cache"))
		return false;
	*rising = 0;
	*mark = 0;
	while (count < ORDERED) {
		object[count] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (!st_check(t, object[count], "no object"))
			break;
		count++;
	}
	for (i = 1; i < count; i++) {
		bool above = object[i] > object[i - 1];

		*rising += above;
		*mark = *mark << 1 | above;
	}
	while (count--)
		kmem_cache_free(cache, object[count]);
	kmem_cache_destroy(cache);
	return !atomic_read(&t->failures);
}

/* Guards: where free lists are in random order, nobody knows what lies behind an object. */
static void freelist_order(struct st *t)
{
	unsigned int one, other;
	unsigned long mark, more;

	if (!IS_ENABLED(CONFIG_SLAB_FREELIST_RANDOM) || IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "free lists are in order here";
		return;
	}
	if (!look_at_order(t, &one, &mark) || !look_at_order(t, &other, &more))
		return;
	st_note(t, "%u and %u of %d objects lie above the one before", one, other, ORDERED);
	st_check(t, one > ORDERED / 8 && one < ORDERED - ORDERED / 8,
		 "%u of %d objects lie above the one before", one, ORDERED);
	st_check(t, mark != more, "two caches have the same order (%lx)", mark);
}

/*
 * Write over a free object what somebody would who wants to be handed memory of his choice. With
 * hardened free lists the kernel dies rather.
 */
void st_lead_astray(struct st *t)
{
	static unsigned long choice[32];
	struct kmem_cache *cache = kmem_cache_create("slabtest_astray", sizeof(choice), 0, ST_OWN,
						     NULL);
	unsigned long *one, *other;
	size_t i;

	if (!st_check(t, cache, "no cache"))
		return;
	one = kmem_cache_alloc(cache, GFP_KERNEL);
	other = kmem_cache_alloc(cache, GFP_KERNEL);
	if (!st_check(t, one && other, "no objects"))
		return;
	/* On one CPU: another has another list. */
	local_bh_disable();
	kmem_cache_free(cache, other);
	kmem_cache_free(cache, one);
	OPTIMIZER_HIDE_VAR(one);
	for (i = 0; i < ARRAY_SIZE(choice); i++)
		WRITE_ONCE(one[i], (unsigned long)choice);
	one = kmem_cache_alloc(cache, GFP_NOWAIT);
	other = kmem_cache_alloc(cache, GFP_NOWAIT);
	local_bh_enable();
	/* The compiler knows that no allocator gives out a variable. */
	OPTIMIZER_HIDE_VAR(one);
	OPTIMIZER_HIDE_VAR(other);
	st_check(t, other != choice && one != choice, "memory of another's choice was handed out");
	/* Whatever else it is, the cache cannot be trusted any more. */
}

/*
 * Free an object, and again in bulk, as another way to the same queue. SLQB tells of it, and keeps
 * the object once.
 */
void st_free_twice(struct st *t)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_twice", 192, 0, ST_OWN, NULL);
	void *object, *more[4];
	unsigned int i, j;

	object = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;
	if (!st_check(t, object, "no object"))
		return;
	pr_info("    # expect: 1 SLQB: double free in slabtest_twice\n");
	local_bh_disable();
	kmem_cache_free(cache, object);
	kmem_cache_free_bulk(cache, 1, &object);
	local_bh_enable();
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		for (j = 0; j < i; j++)
			st_check(t, more[i] != more[j], "%lx was handed out twice",
				 st_at(more[i]));
	}
	while (i--)
		if (!atomic_read(&t->failures))
			kmem_cache_free(cache, more[i]);
}

const struct st_case harden_cases[] = {
	{ "freelist_order", freelist_order },
	{ }
};
