// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that hold slabs, in the whole machine, as the page allocator's counters have them: every
 * allocator of the kernel reports its pages there, and /proc/meminfo shows them.
 *
 * The counters are split: a part per node, and a small rest on each CPU that is added later. Both
 * are summed here, so a leak of few pages can be seen.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sort.h>
#include <linux/vmstat.h>

#include "slabtest.h"

static long node_item(struct pglist_data *node, enum node_stat_item item)
{
	long pages = atomic_long_read(&node->vm_stat[item]);
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		pages += per_cpu_ptr(node->per_cpu_nodestats, cpu)->vm_node_stat_diff[item];
	return pages;
}

/* What one node counts as slabs that can be reclaimed, or as the others. */
long st_node_pages(int node, bool reclaimable)
{
	return node_item(NODE_DATA(node), reclaimable ? NR_SLAB_RECLAIMABLE_B :
							NR_SLAB_UNRECLAIMABLE_B);
}

long st_slab_pages(void)
{
	long pages = 0;
	int node;

	for_each_online_node(node) {
		pages += st_node_pages(node, true);
		pages += st_node_pages(node, false);
	}
	return pages;
}

/* Pages that nobody has: in the free lists of the zones, and on their way there on each CPU. */
static long st_free_pages(void)
{
	long pages = 0;
	int node, zone;
	unsigned int cpu;

	for_each_online_node(node) {
		for (zone = 0; zone < MAX_NR_ZONES; zone++) {
			struct zone *z = &NODE_DATA(node)->node_zones[zone];

			if (!populated_zone(z))
				continue;
			pages += zone_page_state_snapshot(z, NR_FREE_PAGES);
			for_each_possible_cpu(cpu)
				pages += per_cpu_ptr(z->per_cpu_pageset, cpu)->count;
		}
	}
	return pages;
}

/* Pages that are free, or that some cache has: what an allocator loses is neither. */
long st_known_pages(void)
{
	return st_free_pages() + st_slab_pages();
}

static int by_address(const void *a, const void *b)
{
	const void *one = *(const void **)a, *other = *(const void **)b;

	return one < other ? -1 : one > other;
}

/*
 * The slabs that these objects lie in, counted; the array is sorted by that. *pages is what they
 * take together, *most the most objects in one of them. Objects of KFENCE lie in no slab.
 */
unsigned int st_slabs_of(void **objects, unsigned int count, unsigned int *pages,
			 unsigned int *most)
{
	unsigned int i, slabs = 0, run = 0;
	struct page *head, *last = NULL;

	*pages = 0;
	*most = 0;
	sort(objects, count, sizeof(*objects), by_address, NULL);
	for (i = 0; i < count; i++) {
		if (!objects[i] || is_kfence_address(objects[i]))
			continue;
		head = virt_to_head_page(objects[i]);
		if (head != last) {
			slabs++;
			*pages += compound_nr(head);
			run = 0;
		}
		*most = max(*most, ++run);
		last = head;
	}
	return slabs;
}

/* What the rest of the kernel may come to use while a case runs. */
long st_slack_pages(void)
{
	return 128 + 32 * num_online_cpus();
}

/* Whether slab memory is back at base, now or within ten seconds. */
bool st_settled(struct st *t, struct kmem_cache *cache, long base, long slack)
{
	unsigned long end = jiffies + 10 * HZ;
	long pages;

	for (;;) {
		rcu_barrier();
		if (cache)
			kmem_cache_shrink(cache);
		pages = st_slab_pages();
		if (pages <= base + slack)
			return true;
		if (time_after(jiffies, end))
			break;
		st_alive(t);
		msleep(20);
	}
	st_fail(t, "%ld pages of slabs, %ld before (%ld may be others')", pages, base, slack);
	return false;
}
