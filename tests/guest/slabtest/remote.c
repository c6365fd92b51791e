// SPDX-License-Identifier: GPL-2.0
/*
 * Allocated on one CPU, freed on another: the ways objects travel, and that the memory follows.
 */
#define pr_fmt(fmt) fmt

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/topology.h>

#include "slabtest.h"

struct parcel {
	struct kmem_cache *cache;	/* NULL: kmalloc of size */
	size_t size;
	unsigned int count;
	void **objects;
};

static bool pack(struct st *t, struct parcel *parcel, unsigned int i)
{
	void *object = parcel->cache ? kmem_cache_alloc(parcel->cache, GFP_KERNEL) :
		kmalloc(parcel->size, GFP_KERNEL);

	if (!st_check(t, object, "no object of %zu", parcel->size))
		return false;
	st_fill(t, object, parcel->size);
	parcel->objects[i] = object;
	return true;
}

static void unpack(struct st *t, struct parcel *parcel, unsigned int i)
{
	st_spend(t, parcel->objects[i], parcel->size);
	if (parcel->cache)
		kmem_cache_free(parcel->cache, parcel->objects[i]);
	else
		kfree(parcel->objects[i]);
}

static void pack_all(struct st_worker *worker)
{
	struct parcel *parcel = worker->data;
	unsigned int i;

	for (i = 0; i < parcel->count && pack(worker->t, parcel, i); i++)
		;
	parcel->count = i;
}

static void unpack_all(struct st_worker *worker)
{
	struct parcel *parcel = worker->data;
	unsigned int i;

	for (i = 0; i < parcel->count; i++)
		unpack(worker->t, parcel, i);
}

static bool parcel_open(struct st *t, struct parcel *parcel)
{
	parcel->objects = kvcalloc(parcel->count, sizeof(*parcel->objects), GFP_KERNEL);
	return st_check(t, parcel->objects, "no memory for %u pointers", parcel->count);
}

static void send(struct st *t, struct parcel *parcel, unsigned int from, unsigned int to)
{
	const unsigned int count = parcel->count;

	if (st_run_on(t, from, pack_all, parcel)) {
		st_shuffle(&t->rnd, parcel->objects, parcel->count);
		st_run_on(t, to, unpack_all, parcel);
	}
	parcel->count = count;
}

/* A brief run on many CPUs takes a pair in so many, drawn, and else all of them. */
static bool passed_over(struct st *t)
{
	const u32 pairs = num_online_cpus() * num_online_cpus(), few = 32;

	return t->brief && prandom_u32_state(&t->rnd) % pairs >= few;
}

/* Guards: an object may be freed on any CPU, for every pair of CPUs, and comes back whole. */
static void remote_pairs(struct st *t)
{
	static const size_t sizes[] = { 8, 64, 192, 1000 };
	struct parcel parcel = { .count = st_scale(t, 1500) };
	unsigned int from, to, turn = 0;

	if (!parcel_open(t, &parcel))
		return;
	for_each_online_cpu(from) {
		for_each_online_cpu(to) {
			if (passed_over(t))
				continue;
			parcel.size = sizes[turn++ % ARRAY_SIZE(sizes)];
			send(t, &parcel, from, to);
			st_alive(t);
		}
	}
	kvfree(parcel.objects);
}

static unsigned int farthest_cpu(unsigned int from)
{
	unsigned int cpu, best = from;
	int distance = -1;

	for_each_online_cpu(cpu) {
		int d = node_distance(cpu_to_node(from), cpu_to_node(cpu));

		if (cpu != from && d > distance) {
			distance = d;
			best = cpu;
		}
	}
	return best;
}

/*
 * Guards: what flows in one direction only comes back to its owner. Far more is sent than is ever
 * in flight, and slabs must not grow with what was sent; in the end all of it is given back.
 */
static void remote_flood(struct st *t)
{
	struct parcel parcel = { .size = 1024, .count = 1000 };
	unsigned int round, rounds = st_scale(t, 40), from = cpumask_first(cpu_online_mask);
	unsigned int to = farthest_cpu(from);
	long base = st_slab_pages(), most = 0;
	long parcel_pages = parcel.count * parcel.size / PAGE_SIZE;

	if (!parcel_open(t, &parcel))
		return;
	parcel.cache = kmem_cache_create("slabtest_flood", parcel.size, 0, ST_OWN,
					 NULL);
	if (!st_check(t, parcel.cache, "no cache"))
		goto out;
	for (round = 0; round < rounds; round++) {
		send(t, &parcel, from, to);
		most = max(most, st_slab_pages() - base);
		st_alive(t);
	}
	/* 10000 pages went through; an allocator may keep some in queues. */
	st_check(t, most <= 10 * parcel_pages + st_slack_pages(),
		 "%u parcels of %ld pages: slabs grew by %ld pages", rounds, parcel_pages, most);
	st_note(t, "CPU %u to %u: %u parcels of %ld pages, %ld pages at most", from, to, rounds,
		parcel_pages, most);
	st_settled(t, parcel.cache, base, st_slack_pages());
out:
	kmem_cache_destroy(parcel.cache);
	kvfree(parcel.objects);
}

#define RING 256

/* One writer, one reader, both at once. */
struct ring {
	struct parcel parcel;
	unsigned int head;
	unsigned int tail;
};

static void ring_send(struct st_worker *worker, struct ring *ring)
{
	while (ring->head < ring->parcel.count) {
		/* Pairs with the release of tail: the reader is done with the place. */
		while (ring->head - smp_load_acquire(&ring->tail) == RING)
			cond_resched();
		ring->parcel.objects[ring->head % RING] = kmalloc(ring->parcel.size, GFP_KERNEL);
		if (ring->parcel.objects[ring->head % RING])
			st_fill(worker->t, ring->parcel.objects[ring->head % RING],
				ring->parcel.size);
		/* Pairs with the acquire of head: the object is filled. */
		smp_store_release(&ring->head, ring->head + 1);
	}
}

static void ring_receive(struct st_worker *worker, struct ring *ring)
{
	while (ring->tail < ring->parcel.count) {
		void *object;

		/* Pairs with the release of head. */
		while (ring->tail == smp_load_acquire(&ring->head))
			cond_resched();
		object = ring->parcel.objects[ring->tail % RING];
		if (st_check(worker->t, object, "no object of %zu", ring->parcel.size))
			st_spend(worker->t, object, ring->parcel.size);
		kfree(object);
		/* Pairs with the acquire of tail. */
		smp_store_release(&ring->tail, ring->tail + 1);
	}
}

static void ring_end(struct st_worker *worker)
{
	if (worker->index)
		ring_receive(worker, worker->data);
	else
		ring_send(worker, worker->data);
}

/* Guards: the same, with both CPUs at work at the same time, as network packets travel. */
static void remote_stream(struct st *t)
{
	static const size_t sizes[] = { 32, 256, 2048 };
	unsigned int from = cpumask_first(cpu_online_mask), to = farthest_cpu(from), i;
	struct ring ring = { .parcel.count = RING };
	struct st_team *team;
	cpumask_var_t cpus;

	if (from == to) {
		t->skip = "needs two CPUs";
		return;
	}
	if (!st_check(t, zalloc_cpumask_var(&cpus, GFP_KERNEL), "no memory"))
		return;
	if (!parcel_open(t, &ring.parcel))
		goto out;
	cpumask_set_cpu(from, cpus);
	cpumask_set_cpu(to, cpus);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ring.head = 0;
		ring.tail = 0;
		ring.parcel.size = sizes[i];
		ring.parcel.count = st_scale(t, 20000);
		team = st_team_start(t, cpus, true, ring_end, &ring);
		if (team)
			st_team_wait(team);
	}
	kvfree(ring.parcel.objects);
out:
	free_cpumask_var(cpus);
}

static void pack_by_name(struct st_worker *worker)
{
	struct parcel *parcel = worker->data;
	int node = first_memory_node;
	unsigned int i;

	for (i = 0; i < parcel->count; i++) {
		void *object = kmem_cache_alloc_node(parcel->cache, GFP_KERNEL, node);

		if (!st_check(worker->t, object, "no object for node %d", node))
			break;
		st_fill(worker->t, object, parcel->size);
		parcel->objects[i] = object;
		node = next_node_in(node, node_states[N_MEMORY]);
	}
	parcel->count = i;
}

/*
 * Guards: objects of many nodes in one stream of frees each find their way home, whichever CPU
 * frees them: afterwards nothing is left of their slabs.
 */
static void remote_nodes(struct st *t)
{
	const unsigned int count = st_scale(t, 4000);
	struct parcel parcel = { .size = 512, .count = count };
	long base = st_slab_pages();
	unsigned int cpu;

	if (!parcel_open(t, &parcel))
		return;
	parcel.cache = kmem_cache_create("slabtest_nodes", parcel.size, 0, ST_OWN,
					 NULL);
	if (!st_check(t, parcel.cache, "no cache"))
		goto out;
	for_each_online_cpu(cpu) {
		parcel.count = count;
		if (st_run_on(t, cpu, pack_by_name, &parcel))
			st_run_on(t, farthest_cpu(cpu), unpack_all, &parcel);
		st_alive(t);
	}
	st_settled(t, parcel.cache, base, st_slack_pages());
out:
	kmem_cache_destroy(parcel.cache);
	kvfree(parcel.objects);
}

const struct st_case remote_cases[] = {
	{ "remote_pairs", remote_pairs, SHAPED },
	{ "remote_flood", remote_flood, SHAPED },
	{ "remote_stream", remote_stream, SHAPED },
	{ "remote_nodes", remote_nodes, SHAPED },
	{ }
};
