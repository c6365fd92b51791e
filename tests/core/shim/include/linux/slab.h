/* SPDX-License-Identifier: GPL-2.0 */
/* The interface of the allocator. Templates add to it what they add to the kernel's */
#ifndef SHIM_SLAB_H
#define SHIM_SLAB_H

#include <linux/mm.h>

#define SLAB_CONSISTENCY_CHECKS	0x100u
#define SLAB_RED_ZONE		0x400u
#define SLAB_POISON		0x800u
#define SLAB_HWCACHE_ALIGN	0x2000u
#define SLAB_CACHE_DMA		0x4000u
#define SLAB_CACHE_DMA32	0x8000u
#define SLAB_STORE_USER		0x10000u
#define SLAB_RECLAIM_ACCOUNT	0x20000u
#define SLAB_TYPESAFE_BY_RCU	0x80000u
#define SLAB_TRACE		0x200000u
#define SLAB_DEBUG_OBJECTS	0
#define SLAB_NOLEAKTRACE	0x800000u
#define SLAB_ACCOUNT		0x4000000u

#define ARCH_KMALLOC_MINALIGN	8
#define NR_KMALLOC_TYPES	4

#ifdef CONFIG_SLUB
#define KMALLOC_SHIFT_HIGH	(PAGE_SHIFT + 1)
#endif

/* Above that there is no kmalloc() */
#define KMALLOC_MAX_SIZE	(1UL << KMALLOC_SHIFT_MAX)

struct list_lru;
struct kmem_cache;

#if defined(CONFIG_SMP) && defined(CONFIG_SLAB)
int slab_prepare_cpu(unsigned int cpu);
int slab_dead_cpu(unsigned int cpu);
#endif

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *));
void kmem_cache_destroy(struct kmem_cache *s);
int kmem_cache_shrink(struct kmem_cache *s);
void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp);
void *kmem_cache_alloc_lru(struct kmem_cache *s, struct list_lru *lru,
			   gfp_t gfp);
void *kmem_cache_alloc_node(struct kmem_cache *s, gfp_t gfp, int node);
void kmem_cache_free(struct kmem_cache *s, void *object);
int kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t size,
			  void **p);
void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **p);
void *kmalloc(size_t size, gfp_t gfp);
void kfree(void *object);

static inline void *kmem_cache_zalloc(struct kmem_cache *s, gfp_t gfp)
{
	return kmem_cache_alloc(s, gfp | __GFP_ZERO);
}

#endif
