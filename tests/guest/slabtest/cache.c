// SPDX-License-Identifier: GPL-2.0
/*
 * Caches made by kmem_cache_create: sizes, alignments, merging, names.
 */
#define pr_fmt(fmt) fmt

#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/kfence.h>
#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "slabtest.h"

/* Fill two slabs and a bit, look at every object, free them in another order. */
static void use_cache(struct st *t, struct kmem_cache *cache, size_t size, size_t align,
		      gfp_t flags)
{
	void *object[96];
	size_t sizes[ARRAY_SIZE(object)];
	int i, count = clamp_t(int, 2 * PAGE_SIZE / size + 3, 5, ARRAY_SIZE(object));

	for (i = 0; i < count; i++) {
		object[i] = kmem_cache_alloc(cache, flags);
		sizes[i] = size;
		if (!st_check(t, object[i], "no object of %zu", size))
			break;
		st_check(t, IS_ALIGNED((unsigned long)object[i], align),
			 "%lx of %zu is not aligned to %zu", st_at(object[i]), size, align);
		if (flags & __GFP_ZERO)
			st_is_byte(t, object[i], 0, size);
		st_fill(t, object[i], size);
	}
	st_disjoint(t, object, sizes, i);
	st_shuffle(&t->rnd, object, i);
	while (i--) {
		st_spend(t, object[i], size);
		kmem_cache_free(cache, object[i]);
	}
}

static void one_size(struct st *t, size_t size, size_t align, slab_flags_t flags, size_t aligned)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_size", size, align, flags, NULL);

	if (!st_check(t, cache, "no cache of %zu aligned to %zu", size, align))
		return;
	st_check(t, kmem_cache_size(cache) >= size, "a cache of %zu says %u", size,
		 kmem_cache_size(cache));
	use_cache(t, cache, size, aligned, GFP_KERNEL);
	use_cache(t, cache, size, aligned, GFP_KERNEL | __GFP_ZERO);
	kmem_cache_destroy(cache);
	st_alive(t);
}

/* Guards: a cache of any size gives objects of that size. */
static void cache_sizes(struct st *t)
{
	static const unsigned int quick[] = { 37, 211, 997 }, soak[] = { 1, 5, 17 };
	const unsigned int *step = t->soak ? soak : quick;
	size_t size;

	/* Small ones closely, large ones by larger primes. */
	for (size = 1; size <= 4096 + 1;
	     size += size < 256 ? step[0] : size < 1024 ? step[1] : step[2])
		one_size(t, size, 0, 0, 1);
	one_size(t, PAGE_SIZE - 8, 0, 0, 1);
	one_size(t, PAGE_SIZE, 0, 0, 1);
	one_size(t, 3 * PAGE_SIZE / 2, 0, 0, 1);
	one_size(t, 4 * PAGE_SIZE + 8, 0, 0, 1);
}

/* There is a cache of the same size already, with slabs, which need not start at such an address. */
static void beside_plain(struct st *t, size_t align)
{
	struct kmem_cache *plain = kmem_cache_create("slabtest_plain", 3 * align, 0, 0, NULL);

	if (!st_check(t, plain, "no cache of %zu", 3 * align))
		return;
	use_cache(t, plain, 3 * align, 1, GFP_KERNEL);
	one_size(t, 3 * align, align, 0, align);
	kmem_cache_destroy(plain);
}

/*
 * Guards: the alignment asked for, up to a page, and that of the cache line, whatever cache of the
 * same size is there already.
 */
static void cache_align(struct st *t)
{
	static const size_t sizes[] = { 8, 24, 40, 104, 136, 500, 1000 };
	size_t align, line;
	int i;

	for (align = 8; align <= PAGE_SIZE; align *= 2) {
		one_size(t, align / 2 + 8, align, 0, align);
		one_size(t, align + 8, align, 0, align);
	}
	for (align = 16; align <= PAGE_SIZE / 8; align *= 2)
		beside_plain(t, align);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* A small object gets as much of a line as it can use. */
		for (line = cache_line_size(); sizes[i] <= line / 2;)
			line /= 2;
		one_size(t, sizes[i], 0, SLAB_HWCACHE_ALIGN, line);
		one_size(t, sizes[i], 0, SLAB_HWCACHE_ALIGN | ST_OWN, line);
	}
}

/* Objects that a worker takes. */
struct handful {
	struct kmem_cache *cache;
	unsigned int count;
	unsigned int got;
	void **objects;
};

/* The least distance of two objects; they are sorted. */
static size_t least_apart(void **objects, unsigned int count)
{
	size_t least = SIZE_MAX;
	unsigned int i;

	for (i = 1; i < count; i++)
		least = min(least, (size_t)(objects[i] - objects[i - 1]));
	return least;
}

/* Where in its slab the first of the objects of each slab lies; how many such places there are. */
static unsigned int places(void **objects, unsigned int count)
{
	unsigned long first, seen = 0;
	struct page *last = NULL;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct page *head = virt_to_head_page(objects[i]);

		if (head == last || is_kfence_address(objects[i]))
			continue;
		last = head;
		first = objects[i] - page_address(head);
		/* In steps of the smallest cache line there is. */
		seen |= 1UL << first / 32 % BITS_PER_LONG;
	}
	return hweight_long(seen);
}

static void take_coloured(struct st_worker *worker)
{
	struct handful *hand = worker->data;

	for (hand->got = 0; hand->got < hand->count; hand->got++) {
		hand->objects[hand->got] = kmem_cache_alloc(hand->cache, GFP_KERNEL);
		if (!st_check(worker->t, hand->objects[hand->got], "no object"))
			break;
	}
}

/*
 * Guards: where objects do not fill a slab, the slabs of a CPU begin at different cache lines, so
 * that their first objects do not all compete for the same ones. A promise of SLQB's.
 */
static void cache_colours(struct st *t)
{
	const size_t size = ALIGN_DOWN(PAGE_SIZE / 11 - 16, 8);
	struct handful hand = { .count = 12 * PAGE_SIZE / size };
	unsigned int slabs, pages, most;

	if (!IS_ENABLED(CONFIG_SLQB)) {
		t->skip = "a promise of SLQB's";
		return;
	}
	hand.cache = kmem_cache_create("slabtest_colours", size, 0, ST_OWN, NULL);
	hand.objects = kvcalloc(hand.count, sizeof(*hand.objects), GFP_KERNEL);
	if (!st_check(t, hand.cache && hand.objects, "no memory"))
		goto out;
	st_run_on(t, cpumask_first(cpu_online_mask), take_coloured, &hand);
	slabs = st_slabs_of(hand.objects, hand.got, &pages, &most);
	if (least_apart(hand.objects, hand.got) != size)
		t->skip = "objects are watched, and stand where they always do";
	else if (!atomic_read(&t->failures))
		st_check(t, places(hand.objects, hand.got) >= 2, "%u slabs begin at %u cache line",
			 slabs, places(hand.objects, hand.got));
	while (hand.got)
		kmem_cache_free(hand.cache, hand.objects[--hand.got]);
out:
	kvfree(hand.objects);
	kmem_cache_destroy(hand.cache);
}

/* Whether objects of two caches that are kept apart lie in one page all the same. */
static bool pages_are_shared(struct st *t)
{
	struct kmem_cache *cache[2];
	void *object[2][16] = { };
	bool shared = false;
	int i;

	for (i = 0; i < 2; i++)
		cache[i] = kmem_cache_create(i ? "slabtest_other" : "slabtest_one", 64, 0, ST_OWN,
					     NULL);
	for (i = 0; i < 2 * ARRAY_SIZE(object[0]) && cache[0] && cache[1]; i++)
		object[i % 2][i / 2] = kmem_cache_alloc(cache[i % 2], GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(object[0]); i++)
		if (st_check(t, object[0][i] && object[1][i], "no objects of 64"))
			shared |= virt_to_head_page(object[0][i]) ==
				  virt_to_head_page(object[1][i]);
	for (i = 0; i < 2 * ARRAY_SIZE(object[0]); i++)
		if (object[i % 2][i / 2])
			kmem_cache_free(cache[i % 2], object[i % 2][i / 2]);
	for (i = 0; i < 2; i++)
		kmem_cache_destroy(cache[i]);
	return shared;
}

/* @before: bytes in slabs of others, where these objects may lie, too. */
static void one_waste(struct st *t, size_t size, size_t before)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_waste", size, 0, ST_OWN, NULL);
	unsigned int got, slabs, pages, most, count = 8 * PAGE_SIZE / size;
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	size_t space, bytes;

	if (!st_check(t, cache && objects, "no memory"))
		goto out;
	for (got = 0; got < count; got++) {
		objects[got] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (!st_check(t, objects[got], "no object of %zu", size))
			break;
	}
	slabs = st_slabs_of(objects, got, &pages, &most);
	bytes = got * least_apart(objects, got);
	space = pages * PAGE_SIZE;
	if (slabs)
		st_check(t, space <= bytes + bytes / 2 + 2 * space / slabs + before,
			 "%zu bytes of objects of %zu lie in %u slabs of %zu", bytes, size, slabs,
			 space / slabs);
	while (got--)
		kmem_cache_free(cache, objects[got]);
out:
	kvfree(objects);
	kmem_cache_destroy(cache);
}

/*
 * Guards: a slab is full of objects, however large a page is; a quarter of it may be left over.
 * Where caches share pages (SLOB), objects fill first what is left free in those of others: any of
 * the pages that there were before may hold some, and no more than these.
 */
static void cache_waste(struct st *t)
{
	static const size_t sizes[] = { 32, 200, 712, 1504 };
	bool shared = pages_are_shared(t);
	int i;

	if (shared)
		st_note(t, "caches share pages");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		one_waste(t, sizes[i], shared ? st_slab_pages() * PAGE_SIZE : 0);
		st_alive(t);
	}
}

/*
 * Guards: kmem_cache_zalloc clears an object that was dirty a moment ago, to the last byte also where
 * the cache shares slabs with one of smaller objects.
 */
static void cache_zalloc(struct st *t)
{
	const size_t size = 224;
	struct kmem_cache *less = kmem_cache_create("slabtest_less", size - 5, 0, 0, NULL);
	struct kmem_cache *cache = kmem_cache_create("slabtest_zero", size, 0, 0, NULL);
	unsigned int i, rounds = st_scale(t, 2000);

	if (!st_check(t, less && cache, "no cache"))
		goto out;
	for (i = 0; i < rounds; i++) {
		void *object = kmem_cache_zalloc(cache, i % 2 ? GFP_KERNEL : GFP_ATOMIC);

		if (!st_check(t, object, "no object"))
			break;
		if (!st_is_byte(t, object, 0, size))
			i = rounds;
		memset(object, 0xff, size);
		kmem_cache_free(cache, object);
	}
out:
	kmem_cache_destroy(cache);
	kmem_cache_destroy(less);
}

/*
 * Guards: caches of one size do not share slabs where their objects are of different kinds: memory
 * that reclaim counts on, that is charged to groups, that devices reach, or that readers look at
 * after it was freed.
 */
static void cache_apart(struct st *t)
{
	static const slab_flags_t kinds[] = {
		0, SLAB_RECLAIM_ACCOUNT, SLAB_ACCOUNT, SLAB_CACHE_DMA, SLAB_CACHE_DMA32,
		SLAB_TYPESAFE_BY_RCU,
	};
	struct kmem_cache *cache[ARRAY_SIZE(kinds)];
	int i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		/* A name of its own: not each of them can be created twice under one. */
		char name[] = "slabtest_kind0";

		name[sizeof(name) - 2] += i;
		cache[i] = i && !kinds[i] ? NULL : kmem_cache_create(name, 1416, 0, kinds[i], NULL);
		for (j = 0; j < i && cache[i]; j++)
			st_check(t, cache[i] != cache[j], "caches with flags %x and %x are one",
				 (unsigned int)kinds[i], (unsigned int)kinds[j]);
	}
	while (i--)
		kmem_cache_destroy(cache[i]);
}

/* Guards: caches that may share slabs lose nothing when one of them goes. */
static void cache_twins(struct st *t)
{
	struct kmem_cache *one = kmem_cache_create("slabtest_twin1", 136, 0, 0, NULL);
	struct kmem_cache *other = kmem_cache_create("slabtest_twin2", 136, 0, 0, NULL);
	void *mine[50], *theirs[50];
	int i;

	if (!st_check(t, one && other, "no caches"))
		goto out;
	for (i = 0; i < ARRAY_SIZE(mine); i++) {
		mine[i] = kmem_cache_alloc(one, GFP_KERNEL);
		theirs[i] = kmem_cache_alloc(other, GFP_KERNEL);
		if (!st_check(t, mine[i] && theirs[i], "no objects"))
			break;
		st_fill(t, mine[i], 136);
		st_fill(t, theirs[i], 136);
	}
	while (i--) {
		st_spend(t, mine[i], 136);
		kmem_cache_free(one, mine[i]);
		st_verify(t, theirs[i], 136);
	}
	kmem_cache_destroy(one);
	one = NULL;
	for (i = 0; i < ARRAY_SIZE(theirs); i++) {
		st_spend(t, theirs[i], 136);
		kmem_cache_free(other, theirs[i]);
	}
	use_cache(t, other, 136, 1, GFP_KERNEL);
out:
	kmem_cache_destroy(one);
	kmem_cache_destroy(other);
}

struct race {
	const char *name;
	size_t size;
	unsigned int rounds;
};

static void create_same(struct st_worker *worker)
{
	struct race *race = worker->data;
	unsigned int i;

	for (i = 0; i < race->rounds && !atomic_read(&worker->t->failures); i++) {
		struct kmem_cache *cache = kmem_cache_create(race->name, race->size, 0, 0, NULL);
		void *object;

		if (!st_check(worker->t, cache, "no cache"))
			break;
		object = kmem_cache_alloc(cache, GFP_KERNEL);
		if (st_check(worker->t, object, "no object")) {
			st_fill(worker->t, object, race->size);
			cond_resched();
			st_spend(worker->t, object, race->size);
			kmem_cache_free(cache, object);
		}
		kmem_cache_destroy(cache);
	}
}

/* Fill objects, or empty them again. */
static void fill_all(struct st *t, struct kmem_cache *cache, void **objects, size_t count)
{
	while (count--) {
		objects[count] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (st_check(t, objects[count], "no object"))
			st_fill(t, objects[count], kmem_cache_size(cache));
	}
}

static void empty_all(struct st *t, struct kmem_cache *cache, void **objects, size_t count)
{
	while (count--) {
		if (!objects[count])
			continue;
		st_spend(t, objects[count], kmem_cache_size(cache));
		kmem_cache_free(cache, objects[count]);
	}
}

/* Caches that may be shared, made at once: whoever is later finds the first one. */
struct pack {
	struct kmem_cache *cache[NR_CPUS];
	unsigned int size;
};

static void create_one(struct st_worker *worker)
{
	struct pack *pack = worker->data;

	pack->cache[worker->index] = kmem_cache_create("slabtest_pack", pack->size, 0, 0, NULL);
}

static void create_together(struct st *t)
{
	struct pack *pack = kzalloc(sizeof(*pack), GFP_KERNEL);
	unsigned int i, round;

	for (round = 0; pack && round < 8; round++) {
		pack->size = 1560 + 48 * round;
		st_run_on_all(t, create_one, pack);
		for (i = 1; i < num_online_cpus(); i++)
			st_check(t, IS_ENABLED(CONFIG_SLOB) || pack->cache[i] == pack->cache[0],
				 "two caches of one name and %u bytes", pack->size);
		for (i = 0; i < num_online_cpus(); i++)
			kmem_cache_destroy(pack->cache[i]);
		memset(pack, 0, sizeof(*pack));
	}
	kfree(pack);
}

/*
 * Guards: creating caches of one name at the same time on all CPUs leaves usable caches, nothing
 * when they are gone, and the objects of a cache they share slabs with in place; they are one
 * cache. Where caches do not merge a second one of the name is no part of the contract.
 */
static void cache_names(struct st *t)
{
	struct kmem_cache *one = kmem_cache_create("slabtest_probe1", 360, 0, 0, NULL);
	struct kmem_cache *other = kmem_cache_create("slabtest_probe2", 360, 0, 0, NULL);
	struct race race = { "slabtest_same", 360, st_scale(t, 20) };
	void *objects[40];
	long base;

	if (!st_check(t, one && other, "no caches"))
		goto out;
	if (one != other && !IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "caches do not merge here";
		goto out;
	}
	base = st_slab_pages();
	fill_all(t, one, objects, ARRAY_SIZE(objects));
	st_run_on_all(t, create_same, &race);
	empty_all(t, one, objects, ARRAY_SIZE(objects));
	st_settled(t, NULL, base, st_slack_pages());
	create_together(t);
out:
	kmem_cache_destroy(one);
	kmem_cache_destroy(other);
}

#ifdef CONFIG_ZONE_DMA32
/* Whether some memory is out of reach for devices with 32 address lines. */
static bool memory_beyond(void)
{
	int node;

	for_each_node_state(node, N_MEMORY)
		if (populated_zone(&NODE_DATA(node)->node_zones[ZONE_NORMAL]))
			return true;
	return false;
}
#endif

/*
 * Guards: the objects of a cache for devices with 32 address lines lie within their reach, whichever
 * node is asked for, also where most memory does not.
 */
static void cache_dma32(struct st *t)
{
#ifdef CONFIG_ZONE_DMA32
	struct kmem_cache *cache;
	unsigned int i;
	int node;

	if (IS_ENABLED(CONFIG_SLOB) || !memory_beyond()) {
		t->skip = "all memory lies below 4 GiB, or SLOB does not ask";
		return;
	}
	cache = kmem_cache_create("slabtest_dma32", 512, 0, SLAB_CACHE_DMA32 | ST_OWN, NULL);
	if (!st_check(t, cache, "no cache"))
		return;
	for_each_node_state(node, N_MEMORY) {
		void *object[64];

		for (i = 0; i < ARRAY_SIZE(object); i++) {
			object[i] = kmem_cache_alloc_node(cache, GFP_KERNEL, node);
			if (!st_check(t, object[i], "no object for node %d", node))
				break;
			st_check(t, is_kfence_address(object[i]) ||
				 page_zonenum(virt_to_page(object[i])) <= ZONE_DMA32,
				 "object %lx for node %d is in zone %d", st_at(object[i]), node,
				 page_zonenum(virt_to_page(object[i])));
		}
		while (i--)
			kmem_cache_free(cache, object[i]);
	}
	kmem_cache_destroy(cache);
#else
	t->skip = "this kernel has no DMA32 zone";
#endif
}

/* Guards: a window for user copies is taken where it fits the object, and the cache works. */
static void cache_usercopy(struct st *t)
{
	struct kmem_cache *cache;

	cache = kmem_cache_create_usercopy("slabtest_copy", 200, 8, 0, 64, 100, NULL);
	if (!st_check(t, cache, "no cache"))
		return;
	use_cache(t, cache, 200, 8, GFP_KERNEL);
	kmem_cache_destroy(cache);
}

/* Guards: kmem_cache_alloc_lru is an allocation like any other. */
static void cache_lru(struct st *t)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_lru", 176, 0, SLAB_ACCOUNT, NULL);
	struct list_lru lru;
	int i;

	if (!st_check(t, cache, "no cache"))
		return;
	if (!st_check(t, !list_lru_init(&lru), "no lru"))
		goto out;
	for (i = 0; i < 100; i++) {
		void *object = kmem_cache_alloc_lru(cache, &lru, GFP_KERNEL);

		if (!st_check(t, object, "no object"))
			break;
		st_fill(t, object, 176);
		st_spend(t, object, 176);
		kmem_cache_free(cache, object);
	}
	list_lru_destroy(&lru);
out:
	kmem_cache_destroy(cache);
}

/* Guards: kmem_dump_obj knows an object of a slab from something else. */
static void cache_dump(struct st *t)
{
	static int elsewhere;
	void *object = kmalloc(100, GFP_KERNEL);

	if (!st_check(t, object, "no object"))
		return;
	if (IS_ENABLED(CONFIG_PRINTK)) {
		pr_info("    # %s:", t->name);
		st_check(t, kmem_dump_obj(object + 8), "an object is not known");
	}
	st_check(t, !kmem_dump_obj(&elsewhere), "a variable is taken for an object");
	st_check(t, !kmem_dump_obj(NULL), "NULL is taken for an object");
	kfree(object);
}

const struct st_case cache_cases[] = {
	{ "cache_sizes", cache_sizes },
	{ "cache_align", cache_align },
	{ "cache_waste", cache_waste },
	{ "cache_colours", cache_colours },
	{ "cache_zalloc", cache_zalloc },
	{ "cache_apart", cache_apart },
	{ "cache_dma32", cache_dma32, SHAPED },
	{ "cache_twins", cache_twins },
	{ "cache_names", cache_names },
	{ "cache_usercopy", cache_usercopy },
	{ "cache_lru", cache_lru },
	{ "cache_dump", cache_dump },
	{ }
};
