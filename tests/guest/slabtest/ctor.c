// SPDX-License-Identifier: GPL-2.0
/*
 * Constructed objects, and objects that readers may look at after they were freed.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "slabtest.h"

#define MAGIC 0x51a8c0de51a8c0deULL

struct built {
	u64 magic;
	struct list_head list;
	u64 owner;		/* 0 while nobody has the object */
	u64 filler[20];
};

static atomic_t constructions;

static void build(void *object)
{
	struct built *built = object;

	WRITE_ONCE(built->magic, MAGIC);
	INIT_LIST_HEAD(&built->list);
	built->owner = 0;
	memset(built->filler, 0x3c, sizeof(built->filler));
	atomic_inc(&constructions);
}

static struct built *take_built(struct st *t, struct kmem_cache *cache, u64 owner)
{
	struct built *built = kmem_cache_alloc(cache, GFP_KERNEL);

	if (!st_check(t, built, "no object"))
		return NULL;
	st_check(t, built->magic == MAGIC && list_empty(&built->list) && !built->owner &&
		 !memchr_inv(built->filler, 0x3c, sizeof(built->filler)),
		 "%lx is not as constructed: magic %llx, owner %llu", st_at(built),
		 built->magic, built->owner);
	built->owner = owner;
	st_did();
	return built;
}

/* Back to the state it was constructed in, as the contract has it. */
static void give_built(struct st *t, struct kmem_cache *cache, struct built *built, u64 owner)
{
	st_check(t, built->owner == owner, "%lx has owner %llu, not %llu: built again?",
		 st_at(built), built->owner, owner);
	built->owner = 0;
	kmem_cache_free(cache, built);
}

#define HELD 128

static void churn_built(struct st_worker *worker)
{
	struct kmem_cache *cache = worker->data;
	struct built **held = kcalloc(HELD, sizeof(*held), GFP_KERNEL);
	unsigned int i, slot, rounds = st_scale(worker->t, 8000);

	if (!st_check(worker->t, held, "no memory"))
		return;
	for (i = 0; i < rounds; i++) {
		slot = st_random(&worker->rnd, HELD);
		if (held[slot])
			give_built(worker->t, cache, held[slot], worker->index + 1);
		held[slot] = take_built(worker->t, cache, worker->index + 1);
		if (!(i % 512))
			cond_resched();
	}
	for (slot = 0; slot < HELD; slot++)
		if (held[slot])
			give_built(worker->t, cache, held[slot], worker->index + 1);
	kfree(held);
}

static void state(struct st *t, slab_flags_t flags)
{
	struct kmem_cache *cache;

	cache = kmem_cache_create("slabtest_built", sizeof(struct built), 0, flags, build);
	if (!st_check(t, cache, "no cache"))
		return;
	st_run_on_all(t, churn_built, cache);
	kmem_cache_destroy(cache);
	rcu_barrier();
}

/*
 * Guards: an object is as its constructor left it whenever it is given out, and none is
 * constructed again while in use.
 */
static void ctor_state(struct st *t)
{
	state(t, 0);
	state(t, SLAB_HWCACHE_ALIGN);
}

/* Guards: the same where slabs wait for a grace period. */
static void ctor_rcu_state(struct st *t)
{
	state(t, SLAB_TYPESAFE_BY_RCU);
}

/* Guards: the constructor has seen every object that is given out. */
static void ctor_calls(struct st *t)
{
	const unsigned int count = st_scale(t, 1000);
	struct built **built = kvcalloc(count, sizeof(*built), GFP_KERNEL);
	struct kmem_cache *cache;
	unsigned int got;

	atomic_set(&constructions, 0);
	cache = kmem_cache_create("slabtest_calls", sizeof(**built), 0, 0, build);
	if (!st_check(t, cache && built, "no memory"))
		goto out;
	for (got = 0; got < count; got++) {
		built[got] = take_built(t, cache, 1);
		if (!built[got])
			break;
	}
	st_check(t, atomic_read(&constructions) >= got, "%d constructions for %u objects",
		 atomic_read(&constructions), got);
	while (got--)
		give_built(t, cache, built[got], 1);
out:
	kmem_cache_destroy(cache);
	kvfree(built);
}

#define SLOTS 64

struct gallery {
	struct kmem_cache *cache;
	bool constructed;
	struct built __rcu *slots[SLOTS];
};

static struct built *replace(struct gallery *gallery, unsigned int slot, struct built *with)
{
	return (__force struct built *)xchg(&gallery->slots[slot], RCU_INITIALIZER(with));
}

static struct built *paint(struct st_worker *worker, struct gallery *gallery)
{
	struct built *built = kmem_cache_alloc(gallery->cache, GFP_KERNEL);

	if (!st_check(worker->t, built, "no object"))
		return NULL;
	if (gallery->constructed)
		st_check(worker->t, built->magic == MAGIC, "%lx has magic %llx",
			 st_at(built), built->magic);
	else
		WRITE_ONCE(built->magic, MAGIC);
	st_did();
	return built;
}

/*
 * A reader may hold an object that was freed, that somebody else has now; it is still one of
 * these.
 */
static void visit(struct st_worker *worker, struct gallery *gallery)
{
	unsigned int i, looks;

	rcu_read_lock();
	for (i = 0; i < SLOTS; i += 7) {
		struct built *built = rcu_dereference(gallery->slots[i]);

		for (looks = 0; built && looks < 20; looks++) {
			u64 magic = READ_ONCE(built->magic);

			if (!st_check(worker->t, magic == MAGIC, "%lx changed to %llx",
				      st_at(built), magic))
				break;
			cpu_relax();
		}
	}
	rcu_read_unlock();
}

/* Whether a free object, or somebody else's, is as all of the gallery are. */
static bool is_one_of_these(const struct gallery *gallery, const struct built *built)
{
	if (READ_ONCE(built->magic) != MAGIC)
		return false;
	return !gallery->constructed || (list_empty(&built->list) &&
		!memchr_inv(built->filler, 0x3c, sizeof(built->filler)));
}

/* More than any allocator keeps in a queue, so that slabs go back. */
#define CROWD 4000
#define PAGES 64

/* The page allocator gives what came back last: should a slab be among it, this is seen. */
static void spoil_pages(struct page **pages, int node, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		pages[i] = alloc_pages_node(node, GFP_NOWAIT | __GFP_NOWARN | __GFP_COMP, order);
		if (pages[i])
			memset(page_address(pages[i]), 0xd1, PAGE_SIZE << order);
	}
}

/* Within one grace period: all are freed, pages are used for something else, all are read. */
static void leave(struct st_worker *worker, struct gallery *gallery, struct built **crowd,
		  struct page **pages)
{
	struct page *last = virt_to_head_page(crowd[CROWD - 1]);
	unsigned int i, order = compound_order(last);
	int node = page_to_nid(last);

	rcu_read_lock();
	for (i = 0; i < CROWD; i++)
		kmem_cache_free(gallery->cache, crowd[i]);
	spoil_pages(pages, node, order);
	for (i = 0; i < CROWD; i++)
		if (!st_check(worker->t, is_one_of_these(gallery, crowd[i]),
			      "%lx is another's: magic %llx", st_at(crowd[i]), crowd[i]->magic))
			break;
	rcu_read_unlock();
	for (i = 0; i < PAGES; i++)
		if (pages[i])
			__free_pages(pages[i], order);
}

static void gather(struct st_worker *worker)
{
	struct gallery *gallery = worker->data;
	struct page **pages = kvcalloc(PAGES, sizeof(*pages), GFP_KERNEL);
	struct built **crowd = kvcalloc(CROWD, sizeof(*crowd), GFP_KERNEL);
	unsigned int i;

	if (!st_check(worker->t, crowd && pages, "no memory"))
		goto out;
	for (i = 0; i < CROWD; i++) {
		crowd[i] = paint(worker, gallery);
		if (!crowd[i])
			break;
	}
	if (i == CROWD)
		leave(worker, gallery, crowd, pages);
	else
		while (i--)
			kmem_cache_free(gallery->cache, crowd[i]);
out:
	kvfree(crowd);
	kvfree(pages);
}

static void exhibit(struct st_worker *worker)
{
	struct gallery *gallery = worker->data;
	unsigned int i, rounds = st_scale(worker->t, 150), burst;
	struct built *old, *spare[40];

	for (i = 0; i < rounds; i++) {
		old = replace(gallery, st_random(&worker->rnd, SLOTS), paint(worker, gallery));
		if (old)
			kmem_cache_free(gallery->cache, old);
		/* Whole slabs must come and go for the grace period to matter. */
		for (burst = 0; burst < ARRAY_SIZE(spare); burst++)
			spare[burst] = paint(worker, gallery);
		visit(worker, gallery);
		while (burst--)
			if (spare[burst])
				kmem_cache_free(gallery->cache, spare[burst]);
		if (!(i % 32) && !worker->index)
			kmem_cache_shrink(gallery->cache);
		cond_resched();
	}
}

static void readable(struct st *t, void (*ctor)(void *object))
{
	struct gallery *gallery = kzalloc(sizeof(*gallery), GFP_KERNEL);
	unsigned int slot;
	long base;

	if (!st_check(t, gallery, "no memory"))
		return;
	base = st_slab_pages();
	gallery->constructed = ctor;
	gallery->cache = kmem_cache_create("slabtest_rcu", sizeof(struct built), 0,
					   SLAB_TYPESAFE_BY_RCU, ctor);
	if (!st_check(t, gallery->cache, "no cache"))
		goto out;
	st_run_on_all(t, exhibit, gallery);
	st_run_on_all(t, gather, gallery);
	for (slot = 0; slot < SLOTS; slot++) {
		struct built *old = replace(gallery, slot, NULL);

		if (old)
			kmem_cache_free(gallery->cache, old);
	}
	kmem_cache_destroy(gallery->cache);
	st_settled(t, NULL, base, st_slack_pages());
out:
	kfree(gallery);
}

/* Guards: SLAB_TYPESAFE_BY_RCU: what a reader looks at stays an object of this cache. */
static void rcu_readable(struct st *t)
{
	readable(t, NULL);
}

/* Guards: the same with a constructor: the constructed state is there at every moment. */
static void rcu_ctor(struct st *t)
{
	readable(t, build);
}

/* Five times that are more pages than others may come to use meanwhile. */
#define GONE 1500

static void take_and_give(struct st_worker *worker)
{
	struct kmem_cache *cache = worker->data;
	struct built **built = kvcalloc(GONE, sizeof(*built), GFP_KERNEL);
	int i;

	if (!st_check(worker->t, built, "no memory"))
		return;
	for (i = 0; i < GONE; i++)
		built[i] = take_built(worker->t, cache, 1);
	while (i--)
		if (built[i])
			give_built(worker->t, cache, built[i], 1);
	kvfree(built);
}

/* Guards: such a cache can be destroyed while its slabs wait for the grace period. */
static void rcu_destroy(struct st *t)
{
	unsigned int round, rounds = st_scale(t, 5);
	long base = st_slab_pages();

	for (round = 0; round < rounds; round++) {
		struct kmem_cache *cache;

		cache = kmem_cache_create("slabtest_rcu_gone", sizeof(struct built), 0,
					  SLAB_TYPESAFE_BY_RCU, build);
		if (!st_check(t, cache, "no cache"))
			break;
		st_run_on_all(t, take_and_give, cache);
		kmem_cache_destroy(cache);
	}
	st_settled(t, NULL, base, st_slack_pages());
}

const struct st_case ctor_cases[] = {
	{ "ctor_state", ctor_state },
	{ "ctor_rcu_state", ctor_rcu_state },
	{ "ctor_calls", ctor_calls },
	{ "rcu_readable", rcu_readable },
	{ "rcu_ctor", rcu_ctor },
	{ "rcu_destroy", rcu_destroy },
	{ }
};
