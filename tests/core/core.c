// SPDX-License-Identifier: GPL-2.0
/*
 * The code under test, as it is rendered for the kernel, and what looks at it from inside.
 * All variables of this file are put back at every boot: see snapshot.c.
 */
#include <mm/slqb.c>

#include <stdio.h>

/* Each object of a slab has a bit in the rows of the slab's pages. */
#define ROW	(PAGE_SIZE / 8 / 64)

static uint64_t free_bits[(size_t)MAX_NUMNODES * NODE_PAGES][ROW];

void core_boot(void)
{
	variables_reset();
	machine.early = true;
	this_fiber->irqs_off = true;
	kmem_cache_init();
	this_fiber->irqs_off = false;
	machine.early = false;
	kmem_cache_init_late();
	run_initcalls();
}

void core_trim_period(unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	if (set_trim_ms(text, &param_trim_ms))
		fail("a period of %s ms is refused", text);
}

int core_home_of_node(int node)
{
	return node_home(node);
}

int core_home_of_cpu(unsigned int cpu)
{
#ifdef CONFIG_NUMA
	return per_cpu(slqb_home, cpu);
#else
	return cpu * 0;
#endif
}

unsigned int core_index(struct kmem_cache *s, const void *object)
{
	struct slab *slab = virt_to_slab(object);
	unsigned int index;

	if (!slab || slab->slab_cache != s)
		fail("%p is no object of %s", object, s->name);
	index = obj_to_index(s, slab, (void *)object);
	if (index >= s->objects ||
	    slqb_first_object(s, slab) + index * s->size != object)
		fail("%p is not where an object of %s begins", object, s->name);
	if (nearest_obj(s, slab, (void *)object + s->object_size - 1) != object)
		fail("the object nearest to %p is another", object);
	return index;
}

static uint64_t *bits_of(struct slab *slab)
{
	return free_bits[machine_page_number(slab_page(slab))];
}

static void enter_free(struct kmem_cache *s, void *object, const char *where)
{
	unsigned int index = core_index(s, object);
	uint64_t *bits = bits_of(virt_to_slab(object));

	if (bits[index / 64] & BIT(index % 64))
		fail("%p of %s is free twice, the second time in %s", object,
		     s->name, where);
	bits[index / 64] |= BIT(index % 64);
}

bool core_object_is_free(struct kmem_cache *s, const void *object)
{
	unsigned int index = core_index(s, object);

	return bits_of(virt_to_slab(object))[index / 64] & BIT(index % 64);
}

static unsigned long check_queue(struct kmem_cache *s,
				 const struct kmlist *queue, const char *what)
{
	void *object = queue->head, *last = NULL;
	unsigned long nr = 0;

	while (object) {
		enter_free(s, object, what);
		if (nr++ > queue->nr)
			break;
		last = object;
		object = get_link(s, object);
	}
	if (nr != queue->nr)
		fail("%s of %s has %lu objects and says %lu", what, s->name, nr,
		     queue->nr);
	if (last && last != queue->tail)
		fail("%s of %s has another tail", what, s->name);
	return nr;
}

static unsigned int check_slab(struct kmem_cache *s, struct kmem_cache_list *l,
			       struct slab *slab)
{
	void *object = slab->freelist;
	unsigned int free = slab_free_objects(s, slab);
	unsigned int nr = 0;

	if (slab->slab_owner != l || slab->slab_cache != s)
		fail("a slab of %s is in a list that does not own it", s->name);
	if (!slab->inuse || slab->inuse > s->objects)
		fail("a slab of %s has %u objects away", s->name, slab->inuse);
	memset(bits_of(slab), 0, sizeof(free_bits[0]) << s->order);
	for (; object && nr <= free; nr++) {
		enter_free(s, object, "its slab");
		object = get_link(s, object);
	}
	if (nr != free)
		fail("a slab of %s has %u objects at home and says %u", s->name,
		     nr, free);
	return free;
}

struct books {
	unsigned long slabs, partial, free;
};

static void check_ring(struct kmem_cache *s, struct kmem_cache_list *l,
		       struct list_head *ring, bool full, int node,
		       struct books *books)
{
	struct slab *slab;

	list_for_each_entry(slab, ring, slab_list) {
		unsigned int free = check_slab(s, l, slab);

		if (full == !!free)
			fail("a slab of %s is in the ring of %s slabs", s->name,
			     full ? "full" : "partial");
		if (node >= 0 && slab_nid(slab) != node)
			fail("a slab of %s is on node %d, its list on node %d",
			     s->name, slab_nid(slab), node);
		books->slabs++;
		books->partial += !!free;
		books->free += free;
	}
}

/* The slabs of a list; @node is where they must be, if that is promised */
static void check_slabs(struct kmem_cache *s, struct kmem_cache_list *l,
			struct list_head *reserved, int node,
			struct census *census)
{
	struct books books = { };

	check_ring(s, l, &l->partial, false, node, &books);
	check_ring(s, l, &l->full, true, node, &books);
	if (reserved)
		check_ring(s, l, reserved, false, node, &books);
	if (books.slabs != l->nr_slabs || books.partial != l->nr_partial ||
	    books.free != l->nr_free)
		fail("a list of %s has %lu slabs, %lu partial, %lu objects at home and says %lu, %lu, %lu",
		     s->name, books.slabs, books.partial, books.free,
		     l->nr_slabs, l->nr_partial, l->nr_free);
	census->slabs += books.slabs;
	census->in_use -= books.free;
}

static void check_queues(struct kmem_cache *s, struct kmem_cache_list *l,
			 struct census *census)
{
	census->queued += check_queue(s, &l->freelist, "a free list");
	census->queued += check_queue(s, &l->remote_free.list, "an incoming queue");
	if (l->remote_free.list.nr >= s->freebatch && !l->remote_free_check)
		fail("an incoming queue of %s has a batch, and nobody will look",
		     s->name);
	/* A node's queue is looked at a little later where somebody had slab_mutex. */
	if (l->remote_free.kicked && l->remote_free.list.nr > s->hiwater &&
	    !(l->cpu == SLQB_NO_CPU && slqb_nodes_again.timed))
		fail("an incoming queue of %s has %lu objects, its watermark is %u, and nobody came",
		     s->name, l->remote_free.list.nr, s->hiwater);
	/* Each task that lengthened a queue may move to another CPU before it has flushed it. */
	if (l->freelist.nr > s->hiwater + MOST_TASKS * SLQB_PIECE)
		fail("a free list of %s has %lu objects, its watermark is %u",
		     s->name, l->freelist.nr, s->hiwater);
	if (l->remote_free.closed && (l->nr_slabs || l->remote_free.list.nr))
		fail("a closed list of %s has slabs or objects", s->name);
}

static void census_cpu(struct kmem_cache *s, unsigned int cpu,
		      struct census *census)
{
	struct kmem_cache_cpu *c = per_cpu_ptr(s->cpu_slab, cpu);
	bool has = c->list.nr_slabs || c->list.freelist.nr || c->rlist.nr ||
		   !c->list.remote_free.closed;

	check_queues(s, &c->list, census);
	census->queued += check_queue(s, &c->rlist, "an outgoing queue");
	if (c->rlist.nr > s->freebatch)
		fail("an outgoing queue of %s has %lu objects, its batch is %u",
		     s->name, c->rlist.nr, s->freebatch);
	if (has && list_empty(&c->trim_entry))
		fail("CPU %u has some of %s and does not know", cpu, s->name);
	if (has && !cpu_online(cpu))
		fail("CPU %u is offline and has some of %s", cpu, s->name);
}

static bool is_known(const struct kmem_cache *wanted)
{
	struct kmem_cache *s;

	list_for_each_entry(s, &slab_caches, list) {
		if (s == wanted)
			return true;
	}
	return false;
}

/*
 * No CPU has noted a cache that is gone, and the pass that each waits for will be its own. For any
 * moment when slab_mutex is free
 */
void core_check_noted(void)
{
	struct kmem_cache_cpu *c;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct delayed_work *trim = &per_cpu(slqb_trim, cpu).work;

		if ((trim->timed || trim->work.pending) && trim->work.cpu != (int)cpu)
			fail("the trim of CPU %u is to run on CPU %d", cpu, trim->work.cpu);
		list_for_each_entry(c, &per_cpu(slqb_trim, cpu).caches, trim_entry) {
			if (!is_known(c->list.cache))
				fail("CPU %u has noted a cache that is gone", cpu);
		}
	}
}

/* As a user of sysfs would */
void core_tune(struct kmem_cache *s, unsigned int hiwater, unsigned int batch)
{
	s->freebatch = min(batch, max(hiwater, 1u));
	s->hiwater = hiwater;
}

static void add_stats(const struct kmem_cache_list *l, unsigned long *sums)
{
	unsigned int item;

	for (item = 0; item < NR_SLQB_STAT_ITEMS; item++)
		sums[item] += l->stats[item];
}

/* What was counted since the cache was made agrees with what there is. */
static void check_stats(struct kmem_cache *s, const struct census *census)
{
	unsigned long sums[NR_SLQB_STAT_ITEMS] = { };
	unsigned long under_way = 0;
	struct kmem_cache_node *n;
	unsigned int cpu;
	int node;

	for_each_possible_cpu(cpu) {
		add_stats(&per_cpu_ptr(s->cpu_slab, cpu)->list, sums);
		under_way += per_cpu_ptr(s->cpu_slab, cpu)->list.remote_free.list.nr;
	}
	for_each_kmem_cache_node(s, node, n) {
		add_stats(&n->list, sums);
		under_way += n->list.remote_free.list.nr;
	}
	if (sums[ALLOC] - sums[FREE] != census->in_use)
		fail("%s has counted %lu objects in use, not %lu", s->name,
		     sums[ALLOC] - sums[FREE], census->in_use);
	if (sums[ALLOC_SLAB_NEW] - sums[FLUSH_SLAB_FREE] != census->slabs)
		fail("%s has counted %lu slabs, not %lu", s->name,
		     sums[ALLOC_SLAB_NEW] - sums[FLUSH_SLAB_FREE], census->slabs);
	if (sums[FLUSH_RFREE_LIST_OBJECTS] - sums[CLAIM_REMOTE_LIST_OBJECTS] != under_way)
		fail("%s has counted %lu objects under way, not %lu", s->name,
		     sums[FLUSH_RFREE_LIST_OBJECTS] - sums[CLAIM_REMOTE_LIST_OBJECTS],
		     under_way);
}

/*
 * Every object of a cache is in its slab, in one queue, or in use: nobody is at work. Returns
 * how many there are of each.
 */
struct census core_check(struct kmem_cache *s)
{
	struct census census = { };
	bool early = s == node_cache || s == kmem_cache;
	struct kmem_cache_node *n;
	unsigned int cpu;
	int node;

	for_each_possible_cpu(cpu) {
		struct kmem_cache_cpu *c = per_cpu_ptr(s->cpu_slab, cpu);

		check_slabs(s, &c->list, NULL, early ? -1 : core_home_of_cpu(cpu),
			    &census);
	}
	for_each_kmem_cache_node(s, node, n)
		check_slabs(s, &n->list, &n->pfmemalloc, early ? -1 : node,
			    &census);
	census.objects = census.slabs * s->objects;
	census.in_use += census.objects;
	for_each_possible_cpu(cpu)
		census_cpu(s, cpu, &census);
	for_each_kmem_cache_node(s, node, n)
		check_queues(s, &n->list, &census);
	census.in_use -= census.queued;
	check_stats(s, &census);
	return census;
}

/* The caches that others are made of hold what the others are made of, and no more. */
struct census core_check_boot_caches(void)
{
	struct census sum = { }, census;
	unsigned long caches = 0, lists = 0;
	struct kmem_cache_node *n;
	struct kmem_cache *s;
	int node;

	list_for_each_entry(s, &slab_caches, list) {
		caches++;
		for_each_kmem_cache_node(s, node, n)
			lists += n != &boot_node;
	}
	list_for_each_entry(s, &slab_caches, list) {
		unsigned long expected;

		if (s == kmem_cache)
			expected = caches - 2;
		else if (s == node_cache)
			expected = lists;
		else if (!strcmp(s->name, "kmalloc-96"))
			expected = vectors_in_use();
		else
			continue;
		census = core_check(s);
		if (census.in_use != expected)
			fail("%s has %lu objects in use, not %lu", s->name,
			     census.in_use, expected);
		sum.slabs += census.slabs << s->order;
		sum.queued += census.queued;
	}
	return sum;
}

/*
 * Arithmetic: what a cache costs, and how much can wait in its queues.
 */
#define MOST_BYTES(batches) ((batches) * (unsigned long)SLQB_QUEUE_BYTES / 4)

/* The largest size that a cache of its own makes sense for */
#define LARGEST	(PAGE_SIZE << 4)

static void layout_of(struct kmem_cache *s, unsigned int size)
{
	*s = (struct kmem_cache) {
		.name = "arithmetic", .object_size = size, .align = 8,
	};
	if (calculate_layout(s))
		fail("an object of %u bytes has no layout", size);
}

static unsigned int right_order(unsigned int size)
{
	if (PAGE_SIZE >= size && PAGE_SIZE % size * 4 <= PAGE_SIZE)
		return 0;
	if (2 * PAGE_SIZE >= size && 2 * PAGE_SIZE % size * 4 <= 2 * PAGE_SIZE)
		return 1;
	return get_order(size);
}

static void check_layout(const struct kmem_cache *s)
{
	unsigned long bytes = PAGE_SIZE << s->order;
	unsigned long pages4 = 4 * PAGE_SIZE / s->size, pages64 = 64 * PAGE_SIZE / s->size;
	unsigned long batch = max(pages4, min(256UL, pages64));
	unsigned long most = MOST_BYTES(1) / s->size;

	batch = max(1UL, min(batch, most));
	if (s->order != right_order(s->size) || s->order >= MAX_ORDER)
		fail("size %u: order %u, not %u", s->size, s->order, right_order(s->size));
	if (!s->objects || s->objects * (unsigned long)s->size > bytes ||
	    s->objects > SLQB_SLAB_FIELD_MAX)
		fail("size %u: %u objects in %lu bytes", s->size, s->objects, bytes);
	if (bytes - s->objects * (unsigned long)s->size >= s->size &&
	    s->objects < SLQB_SLAB_FIELD_MAX)
		fail("size %u: room for more than %u objects", s->size, s->objects);
	if (s->freebatch != batch || s->hiwater != 4 * batch)
		fail("size %u: batch %u, watermark %u, not %lu", s->size, s->freebatch,
		     s->hiwater, batch);
	if (s->hiwater > 4 && (unsigned long)s->hiwater * s->size > SLQB_QUEUE_BYTES)
		fail("size %u: %u objects in a queue", s->size, s->hiwater);
	if (s->colour_range * (unsigned long)s->colour_off +
	    s->objects * (unsigned long)s->size > bytes)
		fail("size %u: a colour beyond the slab", s->size);
	if (s->offset + sizeof(void *) > s->size)
		fail("size %u: a link at %u", s->size, s->offset);
}

/* What fits the largest order is served, one byte more is not, and no word at boot moves that. */
static void check_largest(void)
{
	const unsigned int largest = PAGE_SIZE << (MAX_ORDER - 1);
	struct kmem_cache s = { .name = "too large", .object_size = largest + 1, .align = 8 };
	unsigned int order = 0;

	if (calculate_layout(&s) != -E2BIG)
		fail("an object of %u bytes has order %u", s.object_size, s.order);
	layout_of(&s, largest);
	if (s.order != MAX_ORDER - 1 || s.objects != 1)
		fail("the largest object has order %u", s.order);
	if (!setup_order("99", &order) || order != MAX_ORDER - 1)
		fail("order 99 is taken for %u", order);
}

/*
 * Most bytes that a cache has waiting for a CPU: the free list, the incoming queue until its
 * owner has seen to it, and an outgoing batch. A node has the first two.
 */
static unsigned long most_for_cpu(const struct kmem_cache *s)
{
	return (2UL * s->hiwater + s->freebatch + SLQB_PIECE) * s->size;
}

static unsigned long most_for_node(const struct kmem_cache *s)
{
	return (2UL * s->hiwater + SLQB_PIECE) * s->size;
}

void core_arithmetic(void)
{
	unsigned long cpu_bytes = 0, node_bytes = 0;
	struct kmem_cache s;
	unsigned int size;

	check_largest();
	for (size = 1; size <= LARGEST; size += 1 + size / 64) {
		layout_of(&s, size);
		check_layout(&s);
		/* Large objects: a batch is one of them, whatever it is in bytes. */
		if (size > PAGE_SIZE)
			continue;
		cpu_bytes = max(cpu_bytes, most_for_cpu(&s));
		node_bytes = max(node_bytes, most_for_node(&s));
	}
	machine_tell("page %lu cpus %u nodes %u cache %zu cpu %zu node %zu queued_cpu %lu queued_node %lu queued_all %lu",
		     PAGE_SIZE, (unsigned int)NR_CPUS, (unsigned int)MAX_NUMNODES,
		     sizeof(struct kmem_cache), sizeof(struct kmem_cache_cpu),
		     sizeof(struct kmem_cache_node), cpu_bytes, node_bytes,
		     cpu_bytes * NR_CPUS + node_bytes * MAX_NUMNODES);
}
