// SPDX-License-Identifier: GPL-2.0
/*
 * What an object holds while it is ours: words made from its address and the seed. An allocator
 * that hands memory out twice, or lets its own words run into an object in use, is found when the
 * object is verified; one that hands out the very same object twice, when it is spent for the
 * second time.
 */
#define pr_fmt(fmt) fmt

#include <linux/hash.h>
#include <linux/minmax.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "slabtest.h"

static u64 first_word(const struct st *t, const void *object)
{
	return hash_64((unsigned long)object ^ t->seed, 64) | 1;
}

static u64 next_word(u64 word)
{
	return word + 0x9e3779b97f4a7c15ULL;
}

/* Objects of odd sizes, aligned to 4, 2 or 1: no wider access than that is safe on every arch. */
static void put(void *to, u64 word, size_t size)
{
	memcpy(to, &word, min(size, sizeof(word)));
}

void st_fill(const struct st *t, void *object, size_t size)
{
	u64 word = first_word(t, object);
	size_t at;

	st_did();
	for (at = 0; at < size; at += sizeof(word)) {
		put(object + at, word, size - at);
		word = next_word(word);
	}
}

bool st_verify(struct st *t, const void *object, size_t size)
{
	u64 word = first_word(t, object);
	size_t at, left;

	st_did();
	for (at = 0; at < size; at += sizeof(word)) {
		left = min(size - at, sizeof(word));
		if (memcmp(object + at, &word, left)) {
			st_fail(t, "object %lx of %zu: bytes %zu.. are %*ph, not %*ph",
				st_at(object), size, at, (int)left, object + at, (int)left, &word);
			return false;
		}
		word = next_word(word);
	}
	return true;
}

/* The last look before an object is freed: nobody may find it whole after that. */
bool st_spend(struct st *t, void *object, size_t size)
{
	bool good = st_verify(t, object, size);

	put(object, ~first_word(t, object), size);
	return good;
}

bool st_is_byte(struct st *t, const void *object, u8 byte, size_t size)
{
	const u8 *wrong = memchr_inv(object, byte, size);

	if (wrong)
		st_fail(t, "object %lx of %zu: byte %zu is %02x, not %02x", st_at(object), size,
			(size_t)(wrong - (const u8 *)object), *wrong, byte);
	return !wrong;
}

void st_shuffle(struct rnd_state *rnd, void **array, size_t count)
{
	size_t i, other;

	for (i = count; i > 1; i--) {
		other = st_random(rnd, i);
		swap(array[i - 1], array[other]);
	}
}

struct span {
	unsigned long start;
	size_t size;
};

static int by_start(const void *a, const void *b)
{
	const struct span *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

/* No two live objects share a byte. */
bool st_disjoint(struct st *t, void **array, const size_t *sizes, size_t count)
{
	struct span *spans = kvmalloc_array(count, sizeof(*spans), GFP_KERNEL);
	bool good = true;
	size_t i;

	if (!st_check(t, spans, "no memory for %zu spans", count))
		return false;
	for (i = 0; i < count; i++)
		spans[i] = (struct span){ (unsigned long)array[i], sizes[i] };
	sort(spans, count, sizeof(*spans), by_start, NULL);
	for (i = 1; i < count; i++)
		good &= st_check(t, spans[i - 1].start + spans[i - 1].size <= spans[i].start,
				 "objects %lx of %zu and %lx of %zu overlap", spans[i - 1].start,
				 spans[i - 1].size, spans[i].start, spans[i].size);
	kvfree(spans);
	return good;
}
