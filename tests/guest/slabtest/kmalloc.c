// SPDX-License-Identifier: GPL-2.0
/*
 * kmalloc and what goes with it, one caller at a time.
 */
#define pr_fmt(fmt) fmt

#include <linux/align.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "slabtest.h"

/* Sizes the compiler must not reason about. */
static size_t hidden(size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	return size;
}

/* Live objects, so that each lies beside others. */
#define WINDOW 64

struct window {
	void *object[WINDOW];
	size_t size[WINDOW];
	unsigned int at;
};

static void window_drop(struct st *t, struct window *w, unsigned int slot)
{
	if (!w->object[slot])
		return;
	st_spend(t, w->object[slot], w->size[slot]);
	kfree(w->object[slot]);
	w->object[slot] = NULL;
}

static void window_add(struct st *t, struct window *w, void *object, size_t size)
{
	unsigned int slot = w->at++ % WINDOW;

	window_drop(t, w, slot);
	st_fill(t, object, size);
	w->object[slot] = object;
	w->size[slot] = size;
}

static void window_close(struct st *t, struct window *w)
{
	unsigned int slot;

	for (slot = 0; slot < WINDOW; slot++)
		window_drop(t, w, slot);
}

/*
 * Each size in turn. Large pages have caches of large objects, whose every byte is looked at: of
 * those the sizes around the bounds of a cache, and a sample of the others.
 */
static size_t next_size(size_t size)
{
	const size_t every = SZ_16K, near = 16, stride = 1021;
	size_t bound = roundup_pow_of_two(size);

	if (size < every || size - bound / 2 <= near || bound - size <= near)
		return size + 1;
	return min(size + stride, bound - near);
}

/* Guards: an object has every byte that was asked for, and nobody else writes to them. */
static void sized_sizes(struct st *t)
{
	struct window w = { };
	size_t size;

	for (size = 1; size <= KMALLOC_MAX_CACHE_SIZE + PAGE_SIZE; size = next_size(size)) {
		void *object = kmalloc(hidden(size), GFP_KERNEL);

		if (!st_check(t, !ZERO_OR_NULL_PTR(object), "no object of %zu", size))
			break;
		window_add(t, &w, object, size);
		if (!(size % 256))
			st_alive(t);
	}
	window_close(t, &w);
}

/* Guards: the alignment promised in slab.h; a power of two is aligned to itself. */
static void sized_align(struct st *t)
{
	void *object[WINDOW];
	size_t size, align;
	int i;

	for (size = 1; size <= 4 * KMALLOC_MAX_CACHE_SIZE; size += size < 512 ? 1 : size / 8) {
		align = is_power_of_2(size) ? max_t(size_t, size, ARCH_KMALLOC_MINALIGN) :
			ARCH_KMALLOC_MINALIGN;
		align = min_t(size_t, align, KMALLOC_MAX_CACHE_SIZE);
		for (i = 0; i < 9; i++) {
			object[i] = kmalloc(hidden(size), GFP_KERNEL);
			st_check(t, IS_ALIGNED((unsigned long)object[i], align),
				 "%lx of %zu is not aligned to %zu", st_at(object[i]), size,
				 align);
		}
		while (i--)
			kfree(object[i]);
	}
}

static const struct {
	const char *name;
	gfp_t flags;
} kinds[] = {
	{ "GFP_KERNEL", GFP_KERNEL },
	{ "GFP_ATOMIC", GFP_ATOMIC },
	{ "GFP_NOWAIT", GFP_NOWAIT | __GFP_NOWARN },
	{ "GFP_NOFS", GFP_NOFS },
	{ "GFP_NOIO", GFP_NOIO },
	{ "__GFP_ZERO", GFP_KERNEL | __GFP_ZERO },
	{ "__GFP_ACCOUNT", GFP_KERNEL_ACCOUNT },
	{ "__GFP_RECLAIMABLE", GFP_KERNEL | __GFP_RECLAIMABLE },
	{ "reclaimable, accounted", GFP_KERNEL_ACCOUNT | __GFP_RECLAIMABLE },
	{ "__GFP_NORETRY", GFP_KERNEL | __GFP_NORETRY },
	{ "__GFP_NOFAIL", GFP_KERNEL | __GFP_NOFAIL },
	{ "__GFP_MEMALLOC", GFP_KERNEL | __GFP_MEMALLOC },
	{ "__GFP_COMP", GFP_KERNEL | __GFP_COMP },
#ifdef CONFIG_ZONE_DMA
	{ "GFP_DMA", GFP_KERNEL | GFP_DMA },
	{ "GFP_DMA, zeroed", GFP_KERNEL | GFP_DMA | __GFP_ZERO },
#endif
};

/* Guards: no flag changes what an object is; zeroed ones are zero. */
static void sized_flags(struct st *t)
{
	struct window w = { };
	size_t size;
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size = 1; size <= 2 * KMALLOC_MAX_CACHE_SIZE; size += 1 + size / 4) {
			void *object;

			/* The page allocator complains about large ones that may not fail. */
			if ((kinds[i].flags & __GFP_NOFAIL) && size > PAGE_SIZE)
				break;
			object = kmalloc(hidden(size), kinds[i].flags);
			if (!st_check(t, object, "%s: no object of %zu", kinds[i].name, size))
				continue;
			if (kinds[i].flags & __GFP_ZERO)
				st_is_byte(t, object, 0, size);
			window_add(t, &w, object, size);
		}
		st_alive(t);
	}
	window_close(t, &w);
}

/* Guards: GFP_DMA memory lies in the DMA zone. */
static void sized_dma(struct st *t)
{
#ifdef CONFIG_ZONE_DMA
	size_t size;
	int i;

	if (IS_ENABLED(CONFIG_SLOB)) {
		t->skip = "SLOB takes DMA objects from any page that has room";
		return;
	}
	for (size = 8; size <= KMALLOC_MAX_CACHE_SIZE; size *= 2) {
		for (i = 0; i < 4; i++) {
			void *object = kmalloc(hidden(size), GFP_KERNEL | GFP_DMA);

			if (!st_check(t, object, "no DMA object of %zu", size))
				continue;
			st_check(t, page_zonenum(virt_to_page(object)) == ZONE_DMA,
				 "DMA object %lx of %zu is in zone %d", st_at(object), size,
				 page_zonenum(virt_to_page(object)));
			kfree(object);
		}
	}
#else
	t->skip = "this kernel has no DMA zone";
#endif
}

/* Guards: zeroed memory is zero even where it was dirtied just before. */
static void sized_zero(struct st *t)
{
	void *object[8];
	size_t size;
	int round, i;

	for (size = 1; size <= 2 * KMALLOC_MAX_CACHE_SIZE; size += 1 + size / 8) {
		for (round = 0; round < 2; round++) {
			for (i = 0; i < ARRAY_SIZE(object); i++) {
				object[i] = i % 2 ? kzalloc(hidden(size), GFP_KERNEL) :
					kcalloc(1, hidden(size), GFP_KERNEL);
				if (st_check(t, object[i], "no object of %zu", size))
					st_is_byte(t, object[i], 0, size);
			}
			while (i--) {
				if (object[i])
					memset(object[i], 0xff, size);
				kfree(object[i]);
			}
		}
	}
}

/*
 * The headers promise the compiler objects aligned to the smallest size, up to 128 bytes; what is
 * given for nothing is not, so the compiler must not see where it comes from.
 */
static bool is_nothing(void *object)
{
	OPTIMIZER_HIDE_VAR(object);
	return object == ZERO_SIZE_PTR;
}

/* Guards: nothing asked for, nothing given, and nothing can be freed. */
static void sized_nothing(struct st *t)
{
	size_t none = hidden(0);

	st_check(t, is_nothing(kmalloc(0, GFP_KERNEL)), "kmalloc of constant 0");
	st_check(t, is_nothing(kmalloc(none, GFP_KERNEL)), "kmalloc of 0");
	st_check(t, is_nothing(kzalloc(none, GFP_ATOMIC)), "kzalloc of 0");
	st_check(t, is_nothing(kmalloc_node(none, GFP_KERNEL, first_online_node)),
		 "kmalloc_node of 0");
	st_check(t, is_nothing(kmalloc_array(none, 16, GFP_KERNEL)), "array of 0");
	st_check(t, !ksize(ZERO_SIZE_PTR), "ksize of nothing");
	kfree(ZERO_SIZE_PTR);
	kfree(NULL);
	kfree_sensitive(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
}

/*
 * Guards: past the largest cache the page allocator serves, up to the largest size there is, with
 * every byte in place.
 */
static void sized_large(struct st *t)
{
	const gfp_t flags = GFP_KERNEL | __GFP_NOWARN;
	size_t size, sizes[3];
	int i;

	for (size = KMALLOC_MAX_CACHE_SIZE; size <= KMALLOC_MAX_SIZE; size *= 2) {
		sizes[0] = size - 1;
		sizes[1] = size;
		sizes[2] = size + 1;
		for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= KMALLOC_MAX_SIZE; i++) {
			char *object = kmalloc(hidden(sizes[i]), flags);

			/* Fragmentation may leave no room for the very large ones. */
			if (!object && size > SZ_512K)
				continue;
			if (!st_check(t, object, "no object of %zu", sizes[i]))
				continue;
			st_check(t, ksize(object) >= sizes[i], "%zu for %zu", ksize(object),
				 sizes[i]);
			st_fill(t, object, sizes[i]);
			st_spend(t, object, sizes[i]);
			kfree(object);
		}
		st_alive(t);
	}
}

/* Guards: a size nobody can serve fails, at once and in silence. */
static void sized_too_large(struct st *t)
{
	static const size_t sizes[] = {
		KMALLOC_MAX_SIZE + 1, 2 * KMALLOC_MAX_SIZE, 1UL << (BITS_PER_LONG - 2),
		SIZE_MAX / 2 + 1, SIZE_MAX - PAGE_SIZE, SIZE_MAX,
	};
	const gfp_t flags = GFP_KERNEL | __GFP_NOWARN;
	void *object;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		object = kmalloc(hidden(sizes[i]), flags);
		st_check(t, !object, "an object of %zu", sizes[i]);
		kfree(object);
		object = kmalloc_node(hidden(sizes[i]), flags | __GFP_ZERO, first_online_node);
		st_check(t, !object, "an object of %zu on a node", sizes[i]);
		kfree(object);
	}
	object = kmalloc_array(hidden(SIZE_MAX / 8), 16, flags);
	st_check(t, !object, "an array whose size overflows");
	kfree(object);
}

/* Guards: ksize never says less than was asked for, and rounding up is honest. */
static void sized_ksize(struct st *t)
{
	size_t size, round;

	for (size = 1; size <= 2 * KMALLOC_MAX_CACHE_SIZE; size += 1 + size / 64) {
		void *object = kmalloc(hidden(size), GFP_KERNEL);

		round = kmalloc_size_roundup(size);
		if (!st_check(t, object, "no object of %zu", size))
			continue;
		st_check(t, ksize(object) >= size, "ksize %zu for %zu", ksize(object), size);
		st_check(t, round >= size, "%zu rounded to %zu", size, round);
		kfree(object);
		object = kmalloc(hidden(round), GFP_KERNEL);
		if (!st_check(t, object, "no object of %zu", round))
			continue;
		st_check(t, ksize(object) >= round, "ksize %zu for %zu", ksize(object), round);
		kfree(object);
	}
}

/* What is left of an object after it was resized; filled anew. */
static u8 *resize(struct st *t, u8 *object, size_t size, size_t next, u8 *mark)
{
	u8 *moved = krealloc(object, hidden(next), GFP_KERNEL);

	if (!st_check(t, moved, "no object of %zu", next))
		return object;
	st_is_byte(t, moved, *mark, min(size, next));
	memset(moved, ++*mark, next);
	return moved;
}

/* A small object grows in steps until it is a large one, and shrinks. How often did it move? */
static unsigned int grow(struct st *t)
{
	size_t size = 0, next = 1 + st_random(&t->rnd, 64);
	unsigned int moves = 0;
	u8 *object = NULL, *last, mark = st_random(&t->rnd, 256);

	while (next <= 3 * PAGE_SIZE) {
		last = object;
		object = resize(t, object, size, next, &mark);
		moves += object != last;
		size = next;
		next = size + 1 + st_random(&t->rnd, 2 * size);
	}
	object = resize(t, object, size, size / 2, &mark);
	object = krealloc(object, hidden(0), GFP_KERNEL);
	st_check(t, ZERO_OR_NULL_PTR(object), "krealloc to 0 gave %lx", st_at(object));
	return moves;
}

/* Guards: what an object held is there after it was resized, in either direction. */
static void sized_realloc(struct st *t)
{
	unsigned int i, moves = 0, rounds = st_scale(t, 300);

	for (i = 0; i < rounds && !atomic_read(&t->failures); i++)
		moves += grow(t);
	st_check(t, moves >= 4 * rounds, "%u moves of %u objects", moves, rounds);
}

/* Guards: live objects of any sizes share no byte. */
static void sized_unique(struct st *t)
{
	const unsigned int count = st_scale(t, 4000);
	size_t *sizes = kvmalloc_array(count, sizeof(*sizes), GFP_KERNEL);
	void **objects = kvcalloc(count, sizeof(*objects), GFP_KERNEL);
	unsigned int i;

	if (!st_check(t, sizes && objects, "no memory for %u pointers", count))
		goto out;
	for (i = 0; i < count; i++) {
		sizes[i] = 1 + st_random(&t->rnd, 8U << st_random(&t->rnd, 9));
		objects[i] = kmalloc(sizes[i], GFP_KERNEL);
		if (!st_check(t, objects[i], "no object of %zu", sizes[i]))
			break;
		st_fill(t, objects[i], sizes[i]);
	}
	st_disjoint(t, objects, sizes, i);
	while (i--) {
		st_spend(t, objects[i], sizes[i]);
		kfree(objects[i]);
	}
out:
	kvfree(objects);
	kvfree(sizes);
}

/* Guards: the helpers around kmalloc give memory that kfree takes, sensitive or not. */
static void sized_helpers(struct st *t)
{
	static const char text[] = "the quick brown fox";
	char *copy;
	void *object;
	size_t size;

	for (size = 1; size < sizeof(text); size++) {
		copy = kmemdup(text, size, GFP_KERNEL);
		if (st_check(t, copy, "kmemdup of %zu", size))
			st_check(t, !memcmp(copy, text, size), "kmemdup of %zu changed it", size);
		kfree_sensitive(copy);
		copy = kstrndup(text, size, GFP_KERNEL);
		if (st_check(t, copy, "kstrndup of %zu", size))
			st_check(t, strlen(copy) == size && !strncmp(copy, text, size),
				 "kstrndup of %zu changed it", size);
		kfree_const(copy);
		object = kmalloc_track_caller(hidden(size * 100), GFP_KERNEL);
		if (st_check(t, object, "kmalloc_track_caller of %zu", size * 100))
			memset(object, 0xff, size * 100);
		kfree_sensitive(object);
		object = kvmalloc(hidden(size * PAGE_SIZE), GFP_KERNEL);
		if (st_check(t, object, "kvmalloc of %zu pages", size))
			memset(object, 0xff, size * PAGE_SIZE);
		kvfree(object);
	}
}

const struct st_case kmalloc_cases[] = {
	{ "kmalloc_sizes", sized_sizes },
	{ "kmalloc_align", sized_align },
	{ "kmalloc_flags", sized_flags },
	{ "kmalloc_dma", sized_dma },
	{ "kmalloc_zero", sized_zero },
	{ "kmalloc_nothing", sized_nothing },
	{ "kmalloc_large", sized_large },
	{ "kmalloc_too_large", sized_too_large },
	{ "kmalloc_ksize", sized_ksize },
	{ "kmalloc_realloc", sized_realloc },
	{ "kmalloc_unique", sized_unique },
	{ "kmalloc_helpers", sized_helpers },
	{ }
};
