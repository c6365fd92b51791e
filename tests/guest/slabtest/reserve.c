// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations while no memory is left: from the page allocator's reserves, which are for those who
 * free memory, and such as must not fail or must not sleep.
 */
#define pr_fmt(fmt) fmt

#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include "slabtest.h"

#define ORDINARY (GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC)
#define ENTITLED (__GFP_MEMALLOC | __GFP_NOWARN)
#define SIZE 512
#define BESIDE 64
/* A quarter of what is kept back on a machine of 512 MiB. */
#define REQUESTS (700U * SZ_1K / (unsigned int)PAGE_SIZE)
/* Pages that others free meanwhile. */
#define TRICKLE 32
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

/* Allocations by a thread while no memory is free, and whether they came back before it was again. */
struct request {
	struct kmem_cache *cache;
	void *objects[REQUESTS];
	unsigned int got;
	bool irqs_kept;			/* interrupts were still off after each allocation */
	struct mutex lock;		/* protects the next two */
	bool over;			/* the memory was given back */
	struct list_head pages;		/* all memory there was */
	struct completion answered;
};

/* How many pages that was. */
static unsigned long take_all(struct request *request)
{
	unsigned long free = global_zone_page_state(NR_FREE_PAGES), left = free;

	mutex_lock(&request->lock);
	if (!request->over) {
		st_hoard(&request->pages, 0);
		left = global_zone_page_state(NR_FREE_PAGES);
	}
	mutex_unlock(&request->lock);
	return left < free ? free - left : 0;
}

static void give_all(struct request *request)
{
	mutex_lock(&request->lock);
	request->over = true;
	st_give_back(&request->pages);
	mutex_unlock(&request->lock);
}

/*
 * Take all memory, also what turns up when an allocation finds none: what the allocator gives back
 * from its queues, and the blocks that the page allocator keeps for high orders, one at a time.
 */
static void leave_nothing(struct request *request)
{
	unsigned int tries = REQUESTS - 1;

	take_all(request);
	while (tries--) {
		void *object = kmem_cache_alloc(request->cache, GFP_NOFS | __GFP_NOFAIL);

		if (object)
			request->objects[request->got++] = object;
		if (take_all(request) < TRICKLE)
			break;
	}
}

static void request_nofail(struct st_worker *worker)
{
	struct request *request = worker->data;

	leave_nothing(request);
	for (; request->got < REQUESTS; request->got++) {
		void *object = kmem_cache_alloc(request->cache, GFP_NOFS | __GFP_NOFAIL);

		if (!object)
			break;
		request->objects[request->got] = object;
	}
	complete(&request->answered);
}

static void request_atomic(struct st_worker *worker)
{
	struct request *request = worker->data;

	leave_nothing(request);
	request->irqs_kept = true;
	while (request->got < REQUESTS && request->irqs_kept) {
		unsigned long flags;
		void *object;

		local_irq_save(flags);
		object = kmem_cache_alloc(request->cache, ORDINARY);
		request->irqs_kept = irqs_disabled();
		local_irq_restore(flags);
		if (!object)
			break;
		request->objects[request->got++] = object;
	}
	complete(&request->answered);
}

/* Run @work while all memory is taken. True if it ended by itself, within twenty seconds. */
static bool answered_without_memory(struct st *t, struct request *request, st_work_fn *work)
{
	struct st_team *team;
	bool answered;

	INIT_LIST_HEAD(&request->pages);
	mutex_init(&request->lock);
	init_completion(&request->answered);
	request->cache = kmem_cache_create("slabtest_request", PAGE_SIZE, 0, ST_OWN, NULL);
	if (!st_check(t, request->cache, "no cache"))
		return false;
	team = st_team_start(t, cpumask_of(cpumask_first(cpu_online_mask)), true, work, request);
	answered = team && wait_for_completion_timeout(&request->answered, 20 * HZ);
	give_all(request);
	if (team)
		st_team_wait(team);
	return answered;
}

static void request_close(struct request *request)
{
	unsigned int i;

	for (i = 0; i < request->got; i++)
		kmem_cache_free(request->cache, request->objects[i]);
	kmem_cache_destroy(request->cache);
	kfree(request);
}

/*
 * Guards: an allocation that must not fail is served from the reserves of the page allocator when no
 * other memory is left, instead of waiting until somebody frees some.
 */
static void reserve_nofail(struct st *t)
{
	struct request *request = kzalloc(sizeof(*request), GFP_KERNEL);

	if (!st_check(t, request, "no memory"))
		return;
	if (st_check(t, answered_without_memory(t, request, request_nofail),
		     "__GFP_NOFAIL waits for memory to be freed"))
		st_check(t, request->got == REQUESTS, "__GFP_NOFAIL: %u of %u objects",
			 request->got, REQUESTS);
	request_close(request);
}

/*
 * Guards: an allocation that must not sleep fails at once when no memory is left, and leaves
 * interrupts off if they were.
 */
static void reserve_atomic(struct st *t)
{
	struct request *request = kzalloc(sizeof(*request), GFP_KERNEL);

	if (!st_check(t, request, "no memory"))
		return;
	if (st_check(t, answered_without_memory(t, request, request_atomic),
		     "GFP_NOWAIT waits for memory to be freed"))
		st_check(t, request->irqs_kept, "GFP_NOWAIT enabled interrupts");
	request_close(request);
}

const struct st_case reserve_cases[] = {
	{ "reserve_entitled", reserve_entitled, SHAPED },
	{ "reserve_nofail", reserve_nofail },
	{ "reserve_atomic", reserve_atomic },
	{ }
};
