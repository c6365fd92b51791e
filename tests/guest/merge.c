// SPDX-License-Identifier: GPL-2.0
/*
 * Caches of one shape, and the words on the command line that say whether they are one.
 */
#include "guest.h"

/* Guards: caches of one shape share slabs where the kernel is built to, unless it is told not to. */
void check_merge(struct check *check)
{
	bool told = cmdline_has("slab_nomerge") || cmdline_has("slub_nomerge");
	bool wanted = module_state("merges") == 1 && !told;

	if (!module_there() || allocator_is("SLOB")) {
		check_skip(check, "SLOB merges nothing, or there is no module");
		return;
	}
	if (module_order("twins 1")) {
		check_fail(check, "no caches");
		return;
	}
	if (wanted != (module_state("merged") == 1))
		check_fail(check, "two caches of one shape are %s", wanted ? "two" : "one");
	module_order("twins 0");
}
