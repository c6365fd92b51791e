// SPDX-License-Identifier: GPL-2.0
/*
 * What an allocation and a free cost that find all they need at hand, counted in instructions.
 *
 * Nothing in a guest counts instructions, but its clock does where the emulator makes it (-icount):
 * one tick of the cycle counter is one instruction then, and the same loop takes the same number.
 */
#define pr_fmt(fmt) fmt

#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/timex.h>

#include "slabtest.h"

#define PAIRS 1000
#define PAIR_SIZE 64
#define TURNS 5

static noinline void no_pairs(struct kmem_cache *cache, unsigned int count)
{
	while (count--)
		barrier();
}

static noinline void single_pairs(struct kmem_cache *cache, unsigned int count)
{
	while (count--)
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_NOWAIT));
}

static noinline void double_pairs(struct kmem_cache *cache, unsigned int count)
{
	while (count--) {
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_NOWAIT));
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_NOWAIT));
	}
}

static u64 ticks_of(void (*loop)(struct kmem_cache *cache, unsigned int count),
		    struct kmem_cache *cache, unsigned int count)
{
	unsigned long flags;
	cycles_t start, end;

	local_irq_save(flags);
	start = get_cycles();
	loop(cache, count);
	end = get_cycles();
	local_irq_restore(flags);
	return end - start;
}

/* A loop of so many turns more takes a whole number of instructions for each, and few. */
static bool clock_counts_instructions(void)
{
	u64 more, each;
	int i;

	for (i = 0; i < TURNS; i++) {
		more = ticks_of(no_pairs, NULL, 2 * PAIRS) - ticks_of(no_pairs, NULL, PAIRS);
		each = div_u64(more, PAIRS);
		if (more != each * PAIRS || !each || each > 8)
			return false;
	}
	return true;
}

/*
 * Guards: an object that was just freed is at hand for the next allocation: pair after pair takes
 * the same instructions, no more than a bound that is far from those of any longer path.
 */
static void pair_same(struct st *t)
{
	const u64 bound = 300;
	struct kmem_cache *cache;
	u64 each = 0;
	void *object;
	int i;

	if (!clock_counts_instructions()) {
		t->skip = "the clock does not count instructions";
		return;
	}
	cache = kmem_cache_create("slabtest_pair", PAIR_SIZE, 0, ST_OWN, NULL);
	if (!st_check(t, cache, "no cache"))
		return;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	for (i = 0; st_check(t, object, "no object") && i < TURNS; i++) {
		u64 more = ticks_of(double_pairs, cache, PAIRS) -
			   ticks_of(single_pairs, cache, PAIRS);

		st_check(t, !each || more == each, "%llu instructions, then %llu", each, more);
		each = more;
	}
	kmem_cache_destroy(cache);
	st_check(t, each == div_u64(each, PAIRS) * PAIRS, "%llu instructions for %d pairs", each,
		 PAIRS);
	each = div_u64(each, PAIRS);
	st_check(t, each && each <= bound, "%llu instructions", each);
	pr_info("    # measure: pair.%d %llu instructions\n", PAIR_SIZE, each);
}

const struct st_case pair_cases[] = {
	{ "pair_same", pair_same },
	{ }
};
