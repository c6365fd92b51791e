// SPDX-License-Identifier: GPL-2.0
/* Nodes, their pages, and the page allocator. Free pages may not be touched */
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/oom.h>

#include <sys/mman.h>

#include "poison.h"

#define RESERVE		16	/* pages of a node that only entitled callers get */
#define MOST_PAGES	((size_t)MAX_NUMNODES * NODE_PAGES)

struct node {
	unsigned int used;
	bool isolated;			/* memory that is going away gives no pages */
	long stat[NR_STATS];
	struct pglist_data data;
};

nodemask_t node_states[NR_NODE_STATES];
static struct node nodes[MAX_NUMNODES];
static struct page pages[MOST_PAGES];
static char *arena;
static struct notifier_block *oom;

static void clean(struct page *page)
{
	*page = (struct page) {
		.node = page->node, .head = page, ._mapcount = { -1 },
	};
}

static void arena_init(void)
{
	size_t bytes = MOST_PAGES << PAGE_SHIFT;
	size_t i;

	/* Room to start where the largest order does */
	arena = mmap(NULL, bytes + (PAGE_SIZE << MAX_ORDER), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		fail("no memory for the machine's memory");
	arena = (char *)ALIGN((uintptr_t)arena, PAGE_SIZE << MAX_ORDER);
	poison(arena, bytes);
	for (i = 0; i < MOST_PAGES; i++) {
		pages[i].node = i / NODE_PAGES;
		clean(&pages[i]);
	}
}

void pages_reset(void)
{
	size_t i;

	if (!arena)
		arena_init();
	for (i = 0; i < MOST_PAGES; i++) {
		if (!pages[i].used)
			continue;
		poison(arena + (i << PAGE_SHIFT), PAGE_SIZE);
		clean(&pages[i]);
	}
	memset(nodes, 0, sizeof(nodes));
	memset(node_states, 0, sizeof(node_states));
	for (i = 0; i < MAX_NUMNODES; i++)
		nodes[i].data.node_id = nodes[i].data.zone.node = i;
	oom = NULL;
}

struct pglist_data *machine_node_data(int node)
{
	return &nodes[node].data;
}

struct page *machine_page(const void *address)
{
	size_t offset = (const char *)address - arena;

	if (offset >= MOST_PAGES << PAGE_SHIFT)
		fail("%p is no memory of the machine", address);
	return &pages[offset >> PAGE_SHIFT];
}

void *machine_page_address(const struct page *page)
{
	return arena + ((size_t)(page - pages) << PAGE_SHIFT);
}

size_t machine_page_number(const struct page *page)
{
	return page - pages;
}

/* The nodes with memory, the nearest first: made when it is asked for */
struct zonelist *machine_zonelist(int node)
{
	struct zonelist *list = &nodes[node].data.zonelist;
	int nr = 0, other, i;

	for_each_node_state(other, N_NORMAL_MEMORY) {
		struct zone *zone = &nodes[other].data.zone;

		for (i = nr++; i > 0; i--) {
			if (node_distance(node, list->zones[i - 1].zone->node) <=
			    node_distance(node, other))
				break;
			list->zones[i] = list->zones[i - 1];
		}
		list->zones[i].zone = zone;
	}
	list->zones[nr].zone = NULL;
	return list;
}

static bool block_is_free(const struct page *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1u << order; i++) {
		if (page[i].used)
			return false;
	}
	return true;
}

static struct page *find_block(int node, unsigned int order)
{
	unsigned int blocks = NODE_PAGES >> order;
	unsigned int start, i;

	if (!blocks)
		return NULL;
	/* What was freed a moment ago, or anything else */
	start = one_of(2) ? 0 : one_of(blocks);
	for (i = 0; i < blocks; i++) {
		struct page *page = &pages[(size_t)node * NODE_PAGES +
					   ((size_t)((start + i) % blocks) << order)];

		if (block_is_free(page, order))
			return page;
	}
	return NULL;
}

static struct page *take_block(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned int nr = 1u << order;

	for (unsigned int i = 0; i < nr; i++) {
		page[i].used = true;
		page[i].head = gfp & __GFP_COMP ? page : &page[i];
		page[i].compound = gfp & __GFP_COMP;
	}
	page->order = order;
	page->_refcount.counter = 1;
	nodes[page->node].used += nr;
	unpoison(machine_page_address(page), PAGE_SIZE << order);
	if (gfp & __GFP_ZERO)
		memset(machine_page_address(page), 0, PAGE_SIZE << order);
	return page;
}

static struct page *alloc_on_node(int node, gfp_t gfp, unsigned int order)
{
	unsigned int room = NODE_PAGES - nodes[node].used;
	unsigned int wanted = 1u << order;
	struct page *page = NULL;
	bool entitled = (gfp & __GFP_MEMALLOC) && !(gfp & __GFP_NOMEMALLOC);

	if (node_state(node, N_NORMAL_MEMORY) && this_fiber->forbidden != node + 1 && !nodes[node].isolated &&
	    !(machine.page_failures && !one_of(machine.page_failures)) &&
	    room >= wanted + (entitled ? 0 : RESERVE))
		page = find_block(node, order);
	if (!page) {
		machine.page_misses[node]++;
		return NULL;
	}
	take_block(page, order, gfp);
	page->pfmemalloc = room < wanted + RESERVE;
	return page;
}

static struct page *try_nodes(int node, gfp_t gfp, unsigned int order)
{
	struct zonelist *list = machine_zonelist(node);
	struct page *page;

	for (struct zoneref *ref = list->zones; ref->zone; ref++) {
		if ((gfp & __GFP_THISNODE) && ref->zone->node != node)
			continue;
		page = alloc_on_node(ref->zone->node, gfp, order);
		if (page)
			return page;
	}
	/* Nobody has pages on a node that is not in the list. */
	if (gfp & __GFP_THISNODE)
		machine.page_misses[node]++;
	return NULL;
}

struct page *__alloc_pages_node(int node, gfp_t gfp, unsigned int order)
{
	bool may_wait = gfp & __GFP_DIRECT_RECLAIM;
	struct page *page;
	unsigned long freed = 0;

	if (order >= MAX_ORDER)
		fail("a page of order %u is asked for", order);
	if (this_fiber->nr_held && this_fiber->held[this_fiber->nr_held - 1]->rank > 4)
		fail("pages are asked for with %s held",
		     this_fiber->held[this_fiber->nr_held - 1]->name);
	if (may_wait)
		assert_may_sleep("alloc_pages");
	machine_breathe();
	page = try_nodes(node, gfp, order);
	if (page || !may_wait || (gfp & __GFP_NORETRY))
		return page;
	if (oom)
		oom->notifier_call(oom, 0, &freed);
	return try_nodes(node, gfp, order);
}

/* The node that comes next by the task's policy, if that has one. */
static int policy_node(struct mempolicy *policy)
{
	int node = next_node(policy->last, policy->nodes);

	if (node == MAX_NUMNODES)
		node = first_node(policy->nodes);
	policy->last = node;
	return node;
}

int mempolicy_slab_node(void)
{
	if (!in_task() || !this_fiber->mempolicy)
		return numa_node_id();
	return policy_node(this_fiber->mempolicy);
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	int node = numa_node_id();

	if (in_task() && this_fiber->mempolicy && !(gfp & __GFP_THISNODE))
		node = policy_node(this_fiber->mempolicy);
	return __alloc_pages_node(node, gfp, order);
}

void __free_pages(struct page *page, unsigned int order)
{
	for (int i = 0; i < this_fiber->nr_held; i++) {
		if (this_fiber->held[i]->rank > 4)
			fail("pages are freed with %s held", this_fiber->held[i]->name);
	}
	if (!page->used)
		fail("a page is freed twice");
	if (page->order != order || (order && !page->compound))
		fail("a page of order %u is freed with order %u", page->order, order);
	if (page->live)
		fail("a page is freed with %u objects in use", page->live);
	if (page->flags || page->mapping || page->_mapcount.counter != -1 ||
	    page->_refcount.counter != 1)
		fail("a page is freed as it must not be: flags %lx mapping %p mapcount %d",
		     page->flags, (void *)page->mapping, page->_mapcount.counter);
	poison(machine_page_address(page), PAGE_SIZE << order);
	nodes[page->node].used -= 1u << order;
	for (unsigned int i = 0; i < 1u << order; i++)
		clean(&page[i]);
	machine_breathe();
}

void mod_node_page_state(struct pglist_data *pgdat, enum node_stat_item item,
			 long delta)
{
	nodes[pgdat->node_id].stat[item] += delta;
}

int register_oom_notifier(struct notifier_block *nb)
{
	oom = nb;
	return 0;
}

bool node_has_pages_in_use(int node)
{
	return nodes[node].used;
}

unsigned long pages_used(void)
{
	unsigned long used = 0;

	for (int node = 0; node < machine.nr_nodes; node++)
		used += nodes[node].used;
	return used;
}

void node_isolate(int node, bool isolated)
{
	nodes[node].isolated = isolated;
}

/* What the counters say is what there is, on every node */
void pages_check(void)
{
	for (int node = 0; node < machine.nr_nodes; node++) {
		unsigned int used = 0, slabs = 0;

		for (size_t i = 0; i < NODE_PAGES; i++) {
			struct page *page = &pages[(size_t)node * NODE_PAGES + i];

			used += page->used;
			slabs += page->used && (page->head->flags & PG_slab);
		}
		if (used != nodes[node].used)
			fail("shim: pages of node %d: %u, counted %u", node, used,
			     nodes[node].used);
		if (nodes[node].stat[NR_SLAB_RECLAIMABLE_B] +
		    nodes[node].stat[NR_SLAB_UNRECLAIMABLE_B] !=
		    (long)slabs << PAGE_SHIFT)
			fail("node %d has %u pages of slabs, and %ld + %ld bytes in its counters",
			     node, slabs, nodes[node].stat[NR_SLAB_RECLAIMABLE_B],
			     nodes[node].stat[NR_SLAB_UNRECLAIMABLE_B]);
		if (used != slabs)
			fail("node %d has %u pages that nobody has", node, used - slabs);
	}
}
