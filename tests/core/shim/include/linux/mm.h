/* SPDX-License-Identifier: GPL-2.0 */
/* Pages, their nodes and zones, and the page allocator */
#ifndef SHIM_MM_H
#define SHIM_MM_H

#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/spinlock.h>

#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define MAX_ORDER		11

#define __GFP_DMA		BIT(0)
#define __GFP_HIGHMEM		BIT(1)
#define __GFP_DMA32		BIT(2)
#define __GFP_RECLAIMABLE	BIT(4)
#define __GFP_HIGH		BIT(5)
#define __GFP_IO		BIT(6)
#define __GFP_FS		BIT(7)
#define __GFP_ZERO		BIT(8)
#define __GFP_ATOMIC		BIT(9)
#define __GFP_DIRECT_RECLAIM	BIT(10)
#define __GFP_KSWAPD_RECLAIM	BIT(11)
#define __GFP_NOWARN		BIT(13)
#define __GFP_RETRY_MAYFAIL	BIT(14)
#define __GFP_NOFAIL		BIT(15)
#define __GFP_NORETRY		BIT(16)
#define __GFP_MEMALLOC		BIT(17)
#define __GFP_COMP		BIT(18)
#define __GFP_NOMEMALLOC	BIT(19)
#define __GFP_HARDWALL		BIT(20)
#define __GFP_THISNODE		BIT(21)
#define __GFP_ACCOUNT		BIT(22)
#define __GFP_NOLOCKDEP		BIT(23)
#define __GFP_BITS_MASK		(BIT(27) - 1)
#define __GFP_RECLAIM		(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL		(__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_ATOMIC		(__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM)
#define GFP_NOWAIT		__GFP_KSWAPD_RECLAIM
#define GFP_DMA			__GFP_DMA
#define GFP_DMA32		__GFP_DMA32

enum zone_type { ZONE_NORMAL };

struct zone {
	int node;
};

struct zoneref {
	struct zone *zone;
};

struct zonelist {
	struct zoneref zones[MAX_NUMNODES + 1];
};

struct pglist_data {
	int node_id;
	struct zone zone;
	struct zonelist zonelist;
};

enum node_stat_item { NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B, NR_STATS };

#define gfp_zone(gfp)		((void)(gfp), ZONE_NORMAL)
#define zone_to_nid(z)		((z)->node)
#define NODE_DATA(node)		machine_node_data(node)
#define node_zonelist(node, gfp) machine_zonelist(node)
#define for_each_zone_zonelist(z, ref, list, highest)			\
	for ((void)(highest), (ref) = (list)->zones, (z) = (ref)->zone; (z); \
	     (ref)++, (z) = (ref)->zone)

/* As the kernel lays it out, as far as a slab covers it */
#define PAGE_WORDS							\
	unsigned long flags;						\
	union {								\
		struct list_head lru;					\
		unsigned long compound_head;				\
		struct rcu_head rcu_head;				\
	};								\
	struct address_space *mapping;					\
	unsigned long index;						\
	unsigned long private;						\
	atomic_t _mapcount;						\
	atomic_t _refcount

struct page {
	PAGE_WORDS;
	struct page *head;		/* of a compound page */
	void *vector;			/* what memcg allocates for a slab */
	unsigned int order;
	unsigned int live;		/* objects in use, as the driver knows */
	short node;
	bool used;
	bool compound;
	bool pfmemalloc;
};

struct folio {
	union {
		struct {
			PAGE_WORDS;
		};
		struct page page;
	};
};

#define PG_slab			BIT(9)
#define PG_active		BIT(5)

#define folio_page(folio, n)	(&(folio)->page + (n))
#define page_folio(p)		((struct folio *)(p)->head)
#define folio_order(folio)	((folio)->page.order)
#define folio_test_slab(folio)	(!!((folio)->flags & PG_slab))
#define __folio_set_slab(folio)	((void)((folio)->flags |= PG_slab))
#define __folio_clear_slab(folio) ((void)((folio)->flags &= ~PG_slab))
#define folio_test_active(folio) (!!((folio)->flags & PG_active))
#define folio_set_active(folio)	((void)((folio)->flags |= PG_active))
#define __folio_clear_active(folio) ((void)((folio)->flags &= ~PG_active))
#define page_to_nid(p)		((int)(p)->node)
#define folio_nid(folio)	page_to_nid(&(folio)->page)
#define page_is_pfmemalloc(p)	((p)->pfmemalloc)
#define page_mapcount_reset(p)	((void)((p)->_mapcount.counter = -1))
#define virt_to_page(address)	machine_page(address)
#define virt_to_folio(address)	page_folio(virt_to_page(address))
#define page_address(p)		machine_page_address(p)

struct page *alloc_pages(gfp_t gfp, unsigned int order);
struct page *__alloc_pages_node(int node, gfp_t gfp, unsigned int order);
void __free_pages(struct page *page, unsigned int order);
struct page *machine_page(const void *address);
size_t machine_page_number(const struct page *page);
void *machine_page_address(const struct page *page);
struct pglist_data *machine_node_data(int node);
struct zonelist *machine_zonelist(int node);
void mod_node_page_state(struct pglist_data *pgdat, enum node_stat_item item,
			 long delta);

struct reclaim_state {
	unsigned long reclaimed_slab;
};

#define current			this_fiber

static inline unsigned int get_order(unsigned long size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

#endif
