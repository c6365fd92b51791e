// SPDX-License-Identifier: GPL-2.0
/*
 * Caches of one shape, and the words on the command line that say whether they are one.
 */
#include "guest.h"

/* Whether objects of a cache are watched in a way that needs slabs of their own. */
static bool watched(const char *cache)
{
	static const char * const ways[] = { "red_zone", "poison", "store_user", "trace" };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (cache_value(cache, ways[i]) > 0)
			return true;
	return false;
}

/*
 * Guards: caches of one shape share slabs where the kernel is built to, unless it is told not to,
 * or watches them. One that is only checked shares none with its like, which still share theirs.
 */
void check_merge(struct check *check)
{
	bool told = cmdline_has("slab_nomerge") || cmdline_has("slub_nomerge");
	bool apart = cmdline_has("slqb_debug=F,slabtest_twin_a");
	int wanted = module_state("merges") == 1 && !told ? 2 : 0;
	int merged;

	if (!module_there() || allocator_is("SLOB")) {
		check_skip(check, "SLOB merges nothing, or there is no module");
		return;
	}
	if (module_order("twins 1")) {
		check_fail(check, "no caches");
		return;
	}
	if (watched("slabtest_twin_a"))
		wanted = 0;
	else if (apart)
		wanted /= 2;
	merged = module_state("merged");
	if (merged != wanted)
		check_fail(check, "%d of three caches are one with another of their shape, not %d",
			   merged, wanted);
	module_order("twins 0");
}
