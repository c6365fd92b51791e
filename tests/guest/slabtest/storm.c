// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: each CPU puts objects of any size and cache into boxes that all CPUs share,
 * and verifies and frees whatever it finds there.
 */
#define pr_fmt(fmt) fmt

#include <linux/delay.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "slabtest.h"

#define BOXES 1024
#define CACHES 4
#define KMALLOC CACHES

/* In front of the pattern: how the object is to be freed. */
struct label {
	u32 size;
	u16 kind;
	u16 cpu;
	u64 seal;
};

struct storm {
	struct kmem_cache *caches[CACHES];
	atomic_long_t objects;
	unsigned int pause;		/* microseconds, once in a while */
	struct label *boxes[BOXES];
};

static const struct {
	const char *name;
	unsigned int size;
	unsigned int align;
	slab_flags_t flags;
} kinds[CACHES] = {
	{ "slabtest_storm0", 48, 0, ST_OWN },
	{ "slabtest_storm1", 200, 0, SLAB_HWCACHE_ALIGN },
	{ "slabtest_storm2", 720, 0, SLAB_TYPESAFE_BY_RCU },
	{ "slabtest_storm3", 1500, 256, SLAB_RECLAIM_ACCOUNT },
};

static u64 seal(const struct label *label)
{
	return (unsigned long)label ^ ((u64)label->size << 32) ^ label->kind;
}

static struct label *storm_object(struct storm *storm, struct rnd_state *rnd)
{
	unsigned int kind = st_random(rnd, 2 * CACHES), size;
	int node = first_memory_node;
	struct label *label;

	if (kind < CACHES) {
		size = kinds[kind].size;
		label = kmem_cache_alloc(storm->caches[kind], GFP_KERNEL);
	} else {
		size = sizeof(*label) + st_random(rnd, 16U << st_random(rnd, 9));
		if (!st_random(rnd, 8))
			node = next_node_in(st_random(rnd, MAX_NUMNODES), node_states[N_MEMORY]);
		else
			node = NUMA_NO_NODE;
		kind = KMALLOC;
		label = kmalloc_node(size, st_random(rnd, 4) ? GFP_KERNEL :
				     GFP_ATOMIC | __GFP_NOWARN, node);
	}
	if (!label)
		return NULL;
	*label = (struct label){ .size = size, .kind = kind, .cpu = raw_smp_processor_id() };
	label->seal = seal(label);
	return label;
}

static bool storm_verify(struct st *t, struct label *label)
{
	if (!st_check(t, label->seal == seal(label), "object %lx has no seal: size %u, kind %u",
		      st_at(label), label->size, label->kind))
		return false;
	label->seal = 0;
	return st_spend(t, label + 1, label->size - sizeof(*label));
}

static void storm_free(struct st *t, struct storm *storm, struct label *label)
{
	/* What is broken stays where it is: there is no telling how to free it. */
	if (!storm_verify(t, label))
		return;
	if (label->kind == KMALLOC)
		kfree(label);
	else
		kmem_cache_free(storm->caches[label->kind], label);
}

/* The other way out: what kmalloc gave, many at a time. */
static void storm_free_bulk(struct st *t, struct storm *storm, struct rnd_state *rnd)
{
	unsigned int i, many = 0, from = st_random(rnd, BOXES);
	void *objects[16];

	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		struct label *label = xchg(&storm->boxes[(from + i) % BOXES], NULL);

		if (label && label->kind == KMALLOC && storm_verify(t, label))
			objects[many++] = label;
		else if (label)
			storm_free(t, storm, label);
	}
	if (many)
		kfree_bulk(many, objects);
}

static void storm_work(struct st_worker *worker)
{
	struct storm *storm = worker->data;
	unsigned long done = 0;

	while (!st_stopped(worker)) {
		struct label *label = storm_object(storm, &worker->rnd);

		if (label)
			st_fill(worker->t, label + 1, label->size - sizeof(*label));
		label = xchg(&storm->boxes[st_random(&worker->rnd, BOXES)], label);
		if (label)
			storm_free(worker->t, storm, label);
		if (!(++done % 64)) {
			storm_free_bulk(worker->t, storm, &worker->rnd);
			if (storm->pause)
				usleep_range(storm->pause, 2 * storm->pause);
			cond_resched();
		}
	}
	atomic_long_add(done, &storm->objects);
}

static struct storm *storm;
static struct st_team *team;

static void storm_clear(struct st *t)
{
	unsigned int i;

	for (i = 0; i < BOXES; i++)
		if (storm->boxes[i])
			storm_free(t, storm, storm->boxes[i]);
	for (i = 0; i < CACHES; i++)
		kmem_cache_destroy(storm->caches[i]);
	kvfree(storm);
	storm = NULL;
}

int st_storm_start(struct st *t, const struct cpumask *cpus, unsigned int pause)
{
	unsigned int i;

	if (storm)
		return -EBUSY;
	storm = kvzalloc(sizeof(*storm), GFP_KERNEL);
	if (!storm)
		return -ENOMEM;
	storm->pause = pause;
	for (i = 0; i < CACHES; i++) {
		storm->caches[i] = kmem_cache_create(kinds[i].name, kinds[i].size, kinds[i].align,
						     kinds[i].flags, NULL);
		if (!storm->caches[i])
			goto fail;
	}
	team = st_team_start(t, cpus, true, storm_work, storm);
	if (team)
		return 0;
fail:
	storm_clear(t);
	return -ENOMEM;
}

/* How many objects there were. */
unsigned long st_storm_stop(struct st *t)
{
	unsigned long objects;

	if (!storm)
		return 0;
	st_team_stop(team);
	objects = atomic_long_read(&storm->objects);
	storm_clear(t);
	return objects;
}

/* Guards: no object is lost, shared or damaged, whoever allocates and frees it, and where. */
static void storm_mixed(struct st *t)
{
	unsigned int ms, length = t->soak ? 60000 : t->brief ? 250 : 1000;
	long base = st_slab_pages();
	unsigned long objects;

	if (!st_check(t, !st_storm_start(t, cpu_online_mask, 0), "no storm"))
		return;
	for (ms = 0; ms < length && !atomic_read(&t->failures); ms += 100) {
		msleep(100);
		st_alive(t);
	}
	objects = st_storm_stop(t);
	st_check(t, objects > 100, "only %lu objects", objects);
	st_note(t, "%lu objects in %u ms", objects, ms);
	/* Most went through caches of kmalloc, which may keep some of it. */
	st_settled(t, NULL, base, st_slack_pages() + 64L * 12 * num_online_cpus());
}

const struct st_case storm_cases[] = {
	{ "storm_mixed", storm_mixed, SHAPED },
	{ }
};
