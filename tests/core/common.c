// SPDX-License-Identifier: GPL-2.0
/* What allocators share: caches by name, the hooks of others */
#include <linux/percpu.h>
#include <linux/cpu.h>
#include <linux/slab.h>

#include "internal.h"
#include "poison.h"
#include "slab.h"

#define VECTOR_BYTES	96

enum slab_state slab_state;
struct mutex slab_mutex;
struct list_head slab_caches;
struct kmem_cache *kmem_cache;

static struct kmem_cache *vectors;	/* kmalloc's cache for what memcg allocates */
static unsigned long nr_vectors;

/* What hands out random orders: forgotten at the next boot */
static unsigned int orders[1 << 16] __maybe_unused;
static size_t orders_used;

void common_reset(void)
{
	slab_state = DOWN;
	slab_mutex = (struct mutex) { .lock = { .name = "slab_mutex" } };
	INIT_LIST_HEAD(&slab_caches);
	kmem_cache = NULL;
	vectors = NULL;
	nr_vectors = 0;
	orders_used = 0;
}

unsigned long vectors_in_use(void)
{
	return nr_vectors;
}

static unsigned int alignment(slab_flags_t flags, unsigned int align,
			      unsigned int size)
{
	unsigned int line = L1_CACHE_BYTES;

	if (flags & SLAB_HWCACHE_ALIGN) {
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max_t(unsigned int, ALIGN(align, (unsigned int)sizeof(void *)),
		     ARCH_KMALLOC_MINALIGN);
}

void create_boot_cache(struct kmem_cache *s, const char *name,
		       unsigned int size, slab_flags_t flags,
		       unsigned int useroffset, unsigned int usersize)
{
	unsigned int align = is_power_of_2(size) ? size : 1;

	s->name = name;
	s->size = s->object_size = size;
	s->align = alignment(flags, align, size);
	s->useroffset = useroffset;
	s->usersize = usersize;
	if (__kmem_cache_create(s, flags))
		fail("the first caches cannot be made");
	s->refcount = -1;
}

void setup_kmalloc_cache_index_table(void)
{
}

/* One will do: kmalloc() itself is not under test. */
void create_kmalloc_caches(slab_flags_t flags)
{
	vectors = kmem_cache_zalloc(kmem_cache, GFP_NOWAIT);
	if (!vectors)
		fail("no memory for kmalloc");
	create_boot_cache(vectors, "kmalloc-96", VECTOR_BYTES, flags, 0,
			  VECTOR_BYTES);
	vectors->refcount = 1;
	list_add(&vectors->list, &slab_caches);
	slab_state = UP;
}

struct kmem_cache *kmalloc_slab(size_t size, gfp_t gfp)
{
	(void)gfp;
	return size <= VECTOR_BYTES ? vectors : NULL;
}

/* Larger ones are whole pages, whose counters are left out. */
void *kmalloc(size_t size, gfp_t gfp)
{
	return __kmem_cache_alloc_node(kmalloc_slab(size, gfp), gfp,
				       NUMA_NO_NODE, size, 0);
}

void kfree(void *object)
{
	__kmem_cache_free(vectors, object, 0);
}

gfp_t kmalloc_fix_flags(gfp_t flags)
{
	fail("flags %x are not for a slab allocator", flags);
}

void free_large_kmalloc(struct folio *folio, void *object)
{
	(void)folio;
	fail("%p is no object", object);
}

int slab_unmergeable(struct kmem_cache *s)
{
	return s->ctor || s->refcount < 0 || (s->flags & SLAB_TYPESAFE_BY_RCU);
}

struct kmem_cache *find_mergeable(unsigned int size, unsigned int align,
				  slab_flags_t flags, const char *name,
				  void (*ctor)(void *))
{
	struct kmem_cache *s;

	if (ctor || (flags & SLAB_TYPESAFE_BY_RCU) || strncmp(name, "twin", 4))
		return NULL;
	/* The sanitizer knows to the word how large an object is. */
	unsigned int object_size = size;

	align = alignment(flags, align, size);
	size = ALIGN(size, align);
	list_for_each_entry(s, &slab_caches, list) {
		if (!slab_unmergeable(s) && s->size == size && s->align == align &&
		    s->flags == flags &&
		    ALIGN(s->object_size, 8u) == ALIGN(object_size, 8u))
			return s;
	}
	return NULL;
}

static struct kmem_cache *new_cache(const char *name, unsigned int size,
				    unsigned int align, slab_flags_t flags,
				    void (*ctor)(void *))
{
	struct kmem_cache *s = kmem_cache_zalloc(kmem_cache, GFP_KERNEL);

	if (!s)
		return NULL;
	s->name = name;
	s->size = s->object_size = size;
	s->align = alignment(flags, align, size);
	s->ctor = ctor;
	s->usersize = size;
	if (__kmem_cache_create(s, flags)) {
		kmem_cache_free(kmem_cache, s);
		return NULL;
	}
	s->refcount = 1;
	list_add(&s->list, &slab_caches);
	return s;
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, slab_flags_t flags,
				     void (*ctor)(void *))
{
	struct kmem_cache *s;

	mutex_lock(&slab_mutex);
	s = __kmem_cache_alias(name, size, align, flags, ctor);
	if (!s)
		s = new_cache(name, size, align, flags, ctor);
	mutex_unlock(&slab_mutex);
	return s;
}

void slab_kmem_cache_release(struct kmem_cache *s)
{
	__kmem_cache_release(s);
	kmem_cache_free(kmem_cache, s);
}

void kmem_cache_destroy(struct kmem_cache *s)
{
	bool by_rcu = s->flags & SLAB_TYPESAFE_BY_RCU;
	bool gone = false;

	cpus_read_lock();
	mutex_lock(&slab_mutex);
	if (!--s->refcount) {
		if (__kmem_cache_shutdown(s))
			fail("%s is destroyed with objects in it", s->name);
		list_del(&s->list);
		gone = true;
	}
	mutex_unlock(&slab_mutex);
	cpus_read_unlock();
	if (!gone)
		return;
	if (by_rcu)
		rcu_barrier();
	slab_kmem_cache_release(s);
}

int kmem_cache_shrink(struct kmem_cache *s)
{
	return __kmem_cache_shrink(s);
}

/*
 * Hooks. A slab of SLAB_ACCOUNT has a vector that comes out of the allocator, as memcg's
 * does: to make a slab and to free one is to allocate and to free an object.
 */
static enum node_stat_item stat_of(const struct kmem_cache *s)
{
	return s->flags & SLAB_RECLAIM_ACCOUNT ? NR_SLAB_RECLAIMABLE_B :
						 NR_SLAB_UNRECLAIMABLE_B;
}

void account_slab(struct slab *slab, int order, struct kmem_cache *s, gfp_t gfp)
{
	if (s->flags & SLAB_ACCOUNT)
		slab_page(slab)->vector = kmalloc(VECTOR_BYTES, gfp & GFP_RECLAIM_MASK);
	nr_vectors += !!slab_page(slab)->vector;
	mod_node_page_state(slab_pgdat(slab), stat_of(s), PAGE_SIZE << order);
}

void unaccount_slab(struct slab *slab, int order, struct kmem_cache *s)
{
	void *vector = slab_page(slab)->vector;

	slab_page(slab)->vector = NULL;
	if (vector) {
		nr_vectors--;
		kfree(vector);
	}
	mod_node_page_state(slab_pgdat(slab), stat_of(s), -(long)(PAGE_SIZE << order));
}

struct kmem_cache *slab_pre_alloc_hook(struct kmem_cache *s,
				       struct list_lru *lru,
				       struct obj_cgroup **objcgp,
				       size_t size, gfp_t flags)
{
	(void)lru;
	(void)objcgp;
	(void)size;
	if (flags & __GFP_DIRECT_RECLAIM)
		assert_may_sleep("an allocation");
	return s;
}

void slab_post_alloc_hook(struct kmem_cache *s, struct obj_cgroup *objcg,
			  gfp_t flags, size_t size, void **p, bool init)
{
	(void)objcg;
	for (size_t i = 0; i < size; i++) {
		p[i] = kasan_slab_alloc(s, p[i], flags, init);
		if (p[i] && init)
			memset(p[i], 0, s->object_size);
	}
}

static bool keeps_contents(const struct kmem_cache *s)
{
	return s->ctor || (s->flags & SLAB_TYPESAFE_BY_RCU);
}

void kasan_poison_slab(struct slab *slab)
{
	poison(slab_address(slab), slab_size(slab));
}

void kasan_poison_object_data(struct kmem_cache *s, void *object)
{
	poison(object, ALIGN(s->object_size, 8u));
	unpoison((char *)object + s->offset, sizeof(void *));
}

void kasan_unpoison_object_data(struct kmem_cache *s, void *object)
{
	unpoison(object, ALIGN(s->object_size, 8u));
}

void *kasan_init_slab_obj(struct kmem_cache *s, void *object)
{
	kasan_poison_object_data(s, object);
	return object;
}

bool kasan_slab_free(struct kmem_cache *s, void *object, bool init)
{
	(void)init;
	if (!keeps_contents(s))
		kasan_poison_object_data(s, object);
	return false;
}

void *kasan_slab_alloc(struct kmem_cache *s, void *object, gfp_t gfp, bool init)
{
	(void)gfp;
	(void)init;
	if (object)
		kasan_unpoison_object_data(s, object);
	return object;
}

int cache_random_seq_create(struct kmem_cache *s, unsigned int count, gfp_t gfp)
{
	(void)gfp;
#ifdef CONFIG_SLAB_FREELIST_RANDOM
	if (count < 2 || s->random_seq)
		return 0;
	if (orders_used + count > ARRAY_SIZE(orders))
		return -ENOMEM;
	s->random_seq = orders + orders_used;
	orders_used += count;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int other = one_of(i + 1);

		s->random_seq[i] = s->random_seq[other];
		s->random_seq[other] = i;
	}
#else
	(void)s;
	(void)count;
#endif
	return 0;
}

void cache_random_seq_destroy(struct kmem_cache *s)
{
#ifdef CONFIG_SLAB_FREELIST_RANDOM
	s->random_seq = NULL;
#else
	(void)s;
#endif
}

void usercopy_abort(const char *name, const char *detail, bool to_user,
		    unsigned long offset, unsigned long len)
{
	(void)to_user;
	fail("a user copy of %lu bytes at %lu of %s %s", len, offset, name, detail);
}
