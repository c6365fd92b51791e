// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs made of the page allocator's reserves, which are for those who free memory.
 */
#define pr_fmt(fmt) fmt

#include <linux/gfp.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "slabtest.h"

#define ORDINARY (GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC)
#define ENTITLED (__GFP_MEMALLOC | __GFP_NOWARN)
#define SIZE 512
#define BESIDE 64
/* A page that somebody frees meanwhile becomes a slab of objects that are not meant. */
#define ASIDE (8 * PAGE_SIZE / SIZE)

/* Every allocator marks such a slab in this way, and no other. */
static bool of_reserve(const void *object)
{
	return !is_kfence_address(object) && PageActive(virt_to_head_page(object));
}

/* An object of the reserves. While somebody else frees memory there is none: those go to @aside. */
static void *take_reserve(struct kmem_cache *cache, struct list_head *pages, void **aside,
			  unsigned int *count)
{
	void *object;

	for (;;) {
		st_hoard(pages, 0);
		object = kmem_cache_alloc(cache, ENTITLED);
		if (!object || of_reserve(object) || *count == ASIDE)
			return object;
		aside[(*count)++] = object;
	}
}

/* The second one is still in use: ordinary callers find a free object in the slab, and pass it by. */
static void use_beside(struct st *t, struct kmem_cache *cache)
{
	void *object[BESIDE];
	unsigned int i, strays = 0;

	for (i = 0; i < ARRAY_SIZE(object); i++) {
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		strays += object[i] && of_reserve(object[i]);
	}
	st_check(t, !strays, "%u ordinary objects lie in the slab of the reserves", strays);
	while (i--)
		kmem_cache_free(cache, object[i]);
}

/*
 * Guards: a slab of the reserves serves those who may use them, while there is no other memory and
 * later, and nobody else at any time.
 */
static void reserve_entitled(struct st *t)
{
	void **aside = kvcalloc(ASIDE, sizeof(*aside), GFP_KERNEL);
	void *first, *second, *plain;
	struct kmem_cache *cache = NULL;
	unsigned int count = 0;
	LIST_HEAD(pages);
	bool stray;

	if (!IS_ENABLED(CONFIG_SLQB)) {
		t->skip = "a promise of SLQB's: others mix, or do not tell whose a slab is";
		goto out;
	}
	cache = kmem_cache_create("slabtest_reserve", SIZE, 0, ST_OWN, NULL);
	if (!st_check(t, cache && aside, "no memory"))
		goto out;
	first = take_reserve(cache, &pages, aside, &count);
	plain = kmem_cache_alloc(cache, ORDINARY);
	second = take_reserve(cache, &pages, aside, &count);
	stray = plain && of_reserve(plain);
	st_give_back(&pages);

	st_check(t, first && of_reserve(first), "there was no object of the reserves");
	st_check(t, second && of_reserve(second), "the entitled got no second object");
	st_check(t, !stray, "an ordinary caller got an object of the reserves");
	if (first)
		kmem_cache_free(cache, first);
	use_beside(t, cache);
	if (second)
		kmem_cache_free(cache, second);
	if (plain)
		kmem_cache_free(cache, plain);
	while (count--)
		kmem_cache_free(cache, aside[count]);
out:
	kmem_cache_destroy(cache);
	kvfree(aside);
}

const struct st_case reserve_cases[] = {
	{ "reserve_entitled", reserve_entitled, SHAPED },
	{ }
};
