// SPDX-License-Identifier: GPL-2.0
/*
 * The periodic trim: SLQB gives back what lies unused in its queues, without being asked.
 */
#include <string.h>

#include "guest.h"

/* Guards: within a few trim periods of the last use the slabs of free objects are gone. */
void check_trim_returns(struct check *check)
{
	const unsigned int periods = 4, count = 20000;
	unsigned int waited = 0, limit;
	struct slab_line line = { .objects = 0 };

	if (!allocator_is("SLQB")) {
		check_skip(check, "a promise of SLQB's");
		return;
	}
	if (!check->words->trim_ms) {
		check_skip(check, "the trim is off");
		return;
	}
	limit = periods * check->words->trim_ms + 1000;
	if (module_order("hold %u", count))
		check_fail(check, "cannot hold %u objects", count);
	module_order("release");
	while (waited < limit) {
		sleep_ms(100);
		waited += 100;
		if (slabinfo_find("slabtest_held", &line) && !line.slabs)
			break;
		if (!(waited % 10000))
			check_note(check, "still at it after %u ms", waited);
	}
	check_note(check, "%lu slabs left after %u ms", line.slabs, waited);
	if (line.slabs)
		check_fail(check, "%lu slabs of free objects after %u ms", line.slabs, waited);
}
