/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What allocators share, as far as SLQB needs it. The places where templates add to
 * the kernel's file look here as they do there.
 */
#ifndef SHIM_MM_SLAB_H
#define SHIM_MM_SLAB_H

#include <linux/mm.h>
#include <linux/slab.h>

struct slab {
	unsigned long __page_flags;

#if defined(CONFIG_SLUB)
	struct list_head slab_list;
	struct kmem_cache *slab_cache;
	void *freelist;
	unsigned long counters;
	unsigned int __unused;
#else
#error "no allocator"
#endif

	atomic_t __page_refcount;
};

#define SLAB_MATCH(page_word, slab_word)				\
	static_assert(offsetof(struct page, page_word) ==		\
		      offsetof(struct slab, slab_word), #slab_word)
SLAB_MATCH(flags, __page_flags);
SLAB_MATCH(compound_head, slab_list);
SLAB_MATCH(rcu_head, rcu_head);
SLAB_MATCH(_refcount, __page_refcount);
#undef SLAB_MATCH
static_assert(sizeof(struct slab) <= sizeof(struct page), "a slab fits a page");

#define folio_slab(folio)	((struct slab *)(folio))
#define slab_folio(slab)	((struct folio *)(slab))
#define page_slab(page)		((struct slab *)(page))
#define slab_page(slab)		((struct page *)(slab))
#define slab_address(slab)	page_address(slab_page(slab))
#define slab_nid(slab)		page_to_nid((const struct page *)(slab))
#define slab_order(slab)	folio_order(slab_folio(slab))
#define slab_size(slab)		(PAGE_SIZE << slab_order(slab))
#define slab_pgdat(slab)	NODE_DATA(slab_nid(slab))
#define slab_test_pfmemalloc(slab) folio_test_active(slab_folio(slab))
#define slab_set_pfmemalloc(slab) folio_set_active(slab_folio(slab))
#define slab_clear_pfmemalloc(slab) __folio_clear_active(slab_folio(slab))
#define __slab_clear_pfmemalloc(slab) __folio_clear_active(slab_folio(slab))

static inline struct slab *virt_to_slab(const void *address)
{
	struct folio *folio = virt_to_folio(address);

	return folio_test_slab(folio) ? folio_slab(folio) : NULL;
}

#ifdef CONFIG_SLUB
#include <linux/slub_def.h>
#endif

enum slab_state { DOWN, PARTIAL, PARTIAL_NODE, UP, FULL };

extern enum slab_state slab_state;
extern struct mutex slab_mutex;
extern struct list_head slab_caches;
extern struct kmem_cache *kmem_cache;

void setup_kmalloc_cache_index_table(void);
void create_kmalloc_caches(slab_flags_t flags);
struct kmem_cache *kmalloc_slab(size_t size, gfp_t gfp);
void *__kmem_cache_alloc_node(struct kmem_cache *s, gfp_t gfp, int node,
			      size_t orig_size, unsigned long caller);
void __kmem_cache_free(struct kmem_cache *s, void *x, unsigned long caller);
void ___cache_free(struct kmem_cache *s, void *x, unsigned long caller);
gfp_t kmalloc_fix_flags(gfp_t flags);
int __kmem_cache_create(struct kmem_cache *s, slab_flags_t flags);
void create_boot_cache(struct kmem_cache *s, const char *name,
		       unsigned int size, slab_flags_t flags,
		       unsigned int useroffset, unsigned int usersize);
int slab_unmergeable(struct kmem_cache *s);
struct kmem_cache *find_mergeable(unsigned int size, unsigned int align,
				  slab_flags_t flags, const char *name,
				  void (*ctor)(void *));
struct kmem_cache *__kmem_cache_alias(const char *name, unsigned int size,
				      unsigned int align, slab_flags_t flags,
				      void (*ctor)(void *));
slab_flags_t kmem_cache_flags(unsigned int object_size, slab_flags_t flags,
			      const char *name);

#define SLAB_DEBUG_FLAGS	(SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | \
				 SLAB_TRACE | SLAB_CONSISTENCY_CHECKS)
#if defined(CONFIG_SLUB)
#define SLAB_CACHE_FLAGS	SLAB_ACCOUNT
#else
#define SLAB_CACHE_FLAGS	0
#endif

bool __kmem_cache_empty(struct kmem_cache *s);
int __kmem_cache_shutdown(struct kmem_cache *s);
void __kmem_cache_release(struct kmem_cache *s);
int __kmem_cache_shrink(struct kmem_cache *s);
void slab_kmem_cache_release(struct kmem_cache *s);
void kmem_cache_init(void);
void kmem_cache_init_late(void);

struct seq_file;
struct file;

struct slabinfo {
	unsigned long active_objs;
	unsigned long num_objs;
	unsigned long active_slabs;
	unsigned long num_slabs;
	unsigned long shared_avail;
	unsigned int limit;
	unsigned int batchcount;
	unsigned int shared;
	unsigned int objects_per_slab;
	unsigned int cache_order;
};

void get_slabinfo(struct kmem_cache *s, struct slabinfo *sinfo);
void slabinfo_show_stats(struct seq_file *m, struct kmem_cache *s);
ssize_t slabinfo_write(struct file *file, const char *buffer, size_t count,
		       off_t *ppos);
#define loff_t off_t

struct kmem_obj_info {
	void *kp_ptr;
	struct slab *kp_slab;
	void *kp_objp;
	struct kmem_cache *kp_slab_cache;
};

void __kmem_obj_info(struct kmem_obj_info *kpp, void *object,
		     struct slab *slab);
void __check_heap_object(const void *ptr, unsigned long n,
			 const struct slab *slab, bool to_user);
void usercopy_abort(const char *name, const char *detail, bool to_user,
		    unsigned long offset, unsigned long len);

#if defined(CONFIG_SLAB) || defined(CONFIG_SLUB_DEBUG)
void dump_unreclaimable_slab(void);
#else
static inline void dump_unreclaimable_slab(void)
{
}
#endif

static inline int kmem_cache_debug_flags(struct kmem_cache *s,
					 slab_flags_t flags)
{
	return s->flags & flags & SLAB_DEBUG_FLAGS;
}

void account_slab(struct slab *slab, int order, struct kmem_cache *s,
		  gfp_t gfp);
void unaccount_slab(struct slab *slab, int order, struct kmem_cache *s);
void free_large_kmalloc(struct folio *folio, void *object);
int cache_random_seq_create(struct kmem_cache *s, unsigned int count,
			    gfp_t gfp);
void cache_random_seq_destroy(struct kmem_cache *s);

static inline struct kmem_cache *cache_from_obj(struct kmem_cache *s, void *x)
{
	WARN(virt_to_slab(x)->slab_cache != s, "an object is freed to %s, which is not its cache",
	     s->name);
	return s;
}

/* The hooks of others: KASAN is the sanitizer that all this is built with. */
struct obj_cgroup;

struct kmem_cache *slab_pre_alloc_hook(struct kmem_cache *s,
				       struct list_lru *lru,
				       struct obj_cgroup **objcgp,
				       size_t size, gfp_t flags);
void slab_post_alloc_hook(struct kmem_cache *s, struct obj_cgroup *objcg,
			  gfp_t flags, size_t size, void **p, bool init);

#define memcg_slab_free_hook(s, slab, p, objects) \
	((void)(s), (void)(slab), (void)(p))
#define debug_check_no_locks_freed(object, size)	((void)0)
#define debug_check_no_obj_freed(object, size)		((void)0)
#define KCSAN_ACCESS_WRITE	1
#define KCSAN_ACCESS_ASSERT	2
#define __kcsan_check_access(object, size, how)		((void)0)
#define slab_want_init_on_alloc(gfp, s)					\
	(machine.init_on_alloc ?					\
		 !(s)->ctor && !((s)->flags & SLAB_TYPESAFE_BY_RCU) :	\
		 !!((gfp) & __GFP_ZERO))
#define slab_want_init_on_free(s)					\
	(machine.init_on_free && !(s)->ctor &&				\
	 !((s)->flags & SLAB_TYPESAFE_BY_RCU))
#define get_random_u32_below(n)		((u32)(chance() % (n)))
#define get_random_long()		((unsigned long)chance())

#define kasan_has_integrated_init()	false
#define kasan_cache_create(s, size, flags) ((void)(size), (void)(flags))
void kasan_poison_slab(struct slab *slab);
void *kasan_init_slab_obj(struct kmem_cache *s, void *object);
void kasan_unpoison_object_data(struct kmem_cache *s, void *object);
void kasan_poison_object_data(struct kmem_cache *s, void *object);
bool kasan_slab_free(struct kmem_cache *s, void *object, bool init);
void *kasan_slab_alloc(struct kmem_cache *s, void *object, gfp_t gfp,
		       bool init);

struct kmem_cache_node {
	spinlock_t list_lock;

#ifdef CONFIG_SLUB
	unsigned long nr_partial;
#endif
};

static inline struct kmem_cache_node *get_node(struct kmem_cache *s, int node)
{
	return s->node[node];
}

#define for_each_kmem_cache_node(s, i, n)				\
	for ((i) = 0; (i) < nr_node_ids; (i)++)				\
		if (((n) = get_node(s, i)))

#if defined(CONFIG_DEBUG_SLAB)
#error "an allocator of another age"
#elif defined(CONFIG_SLUB_DEBUG)
#error "no machine of this folder watches objects"
#endif

#if defined(CONFIG_DEBUG_FS) && defined(CONFIG_SLUB_DEBUG)
void debugfs_slab_release(struct kmem_cache *s);
#endif

#endif
