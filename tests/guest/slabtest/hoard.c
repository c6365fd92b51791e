// SPDX-License-Identifier: GPL-2.0
/*
 * A machine short of memory, at once: the pages go to a list, not through faults or objects.
 */
#define pr_fmt(fmt) fmt

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "slabtest.h"

/* Takes what anybody may have who does not wait, but for @leave pages. */
void st_hoard(struct list_head *pages, unsigned long leave)
{
	int order;

	for (order = 9; order >= 0; order--) {
		while (!leave ||
		       global_zone_page_state(NR_FREE_PAGES) > leave + (1UL << order)) {
			struct page *page = alloc_pages(__GFP_NOWARN | __GFP_NOMEMALLOC, order);

			if (!page)
				break;
			set_page_private(page, order);
			list_add(&page->lru, pages);
		}
	}
}

void st_give_back(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		unsigned int order = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}
