// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts, softirqs and RCU callbacks that allocate and free while a task does, on one CPU.
 */
#define pr_fmt(fmt) fmt

#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/timer.h>

#include "slabtest.h"

#define SLOTS 32
#define BURST 8

/* Objects change hands through slots; whoever takes one out frees it. */
struct desk {
	struct st *t;
	struct kmem_cache *cache;
	void *slots[SLOTS];
	unsigned int turn;
	atomic_t interrupts;
	struct hrtimer hard;
	struct timer_list soft;
	struct irq_work work;
	bool closing;
};

#define SIZE 176

static void take_turn(struct desk *desk, unsigned int slot, gfp_t flags)
{
	void *object = kmem_cache_alloc(desk->cache, flags), *old;

	if (object)
		st_fill(desk->t, object, SIZE);
	old = xchg(&desk->slots[slot % SLOTS], object);
	if (!old)
		return;
	st_spend(desk->t, old, SIZE);
	kmem_cache_free(desk->cache, old);
}

static void interrupt_turn(struct desk *desk)
{
	unsigned int i, turn = atomic_inc_return(&desk->interrupts);

	for (i = 0; i < BURST; i++)
		take_turn(desk, turn * 5 + i, GFP_ATOMIC | __GFP_NOWARN);
}

static enum hrtimer_restart hard_turn(struct hrtimer *timer)
{
	struct desk *desk = container_of(timer, struct desk, hard);

	interrupt_turn(desk);
	irq_work_queue(&desk->work);
	hrtimer_forward_now(timer, ns_to_ktime(500 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void soft_turn(struct timer_list *timer)
{
	struct desk *desk = container_of(timer, struct desk, soft);

	interrupt_turn(desk);
	if (!READ_ONCE(desk->closing))
		mod_timer(timer, jiffies + 1);
}

static void work_turn(struct irq_work *work)
{
	interrupt_turn(container_of(work, struct desk, work));
}

static void desk_open(struct desk *desk)
{
	hrtimer_init(&desk->hard, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	desk->hard.function = hard_turn;
	timer_setup(&desk->soft, soft_turn, TIMER_PINNED);
	init_irq_work(&desk->work, work_turn);
	hrtimer_start(&desk->hard, ns_to_ktime(500 * NSEC_PER_USEC), HRTIMER_MODE_REL_PINNED_HARD);
	mod_timer(&desk->soft, jiffies + 1);
}

static void desk_close(struct desk *desk)
{
	unsigned int slot;

	WRITE_ONCE(desk->closing, true);
	hrtimer_cancel(&desk->hard);
	del_timer_sync(&desk->soft);
	irq_work_sync(&desk->work);
	for (slot = 0; slot < SLOTS; slot++) {
		if (!desk->slots[slot])
			continue;
		st_spend(desk->t, desk->slots[slot], SIZE);
		kmem_cache_free(desk->cache, desk->slots[slot]);
	}
}

static void at_desk(struct st_worker *worker)
{
	struct desk *desk = kzalloc(sizeof(*desk), GFP_KERNEL);
	unsigned long end = jiffies + msecs_to_jiffies(worker->t->soak ? 10000 : 250);

	if (!st_check(worker->t, desk, "no memory"))
		return;
	desk->t = worker->t;
	desk->cache = worker->data;
	desk_open(desk);
	while (time_before(jiffies, end)) {
		take_turn(desk, st_random(&worker->rnd, SLOTS), GFP_KERNEL);
		if (!(++desk->turn % 256))
			cond_resched();
	}
	desk_close(desk);
	st_check(worker->t, atomic_read(&desk->interrupts), "CPU %u saw no interrupt", worker->cpu);
	kfree(desk);
}

/* Guards: hard interrupts, softirqs and tasks of one CPU use a cache without harm to each other. */
static void context_irq(struct st *t)
{
	struct kmem_cache *cache = kmem_cache_create("slabtest_irq", SIZE, 0, ST_OWN, NULL);
	long base = st_slab_pages();

	if (!st_check(t, cache, "no cache"))
		return;
	st_run_on_all(t, at_desk, cache);
	st_settled(t, cache, base, st_slack_pages());
	kmem_cache_destroy(cache);
}

struct deferred {
	struct rcu_head rcu;
	struct st *t;
	size_t size;
	char rest[];
};

static struct deferred *deferred_new(struct st_worker *worker)
{
	size_t size = sizeof(struct deferred) + st_random(&worker->rnd, 700);
	struct deferred *deferred = kmalloc(size, GFP_KERNEL);

	if (!st_check(worker->t, deferred, "no object of %zu", size))
		return NULL;
	deferred->t = worker->t;
	deferred->size = size - sizeof(*deferred);
	st_fill(worker->t, deferred->rest, deferred->size);
	return deferred;
}

static void deferred_free(struct rcu_head *rcu)
{
	struct deferred *deferred = container_of(rcu, struct deferred, rcu);

	st_spend(deferred->t, deferred->rest, deferred->size);
	kfree(deferred);
}

/* Freed while somebody may still look at it: it is left alone for as long. */
static void free_in_sight(struct st_worker *worker, struct deferred *deferred)
{
	struct deferred *other;

	rcu_read_lock();
	kfree_rcu(deferred, rcu);
	other = kmalloc(sizeof(*deferred) + deferred->size, GFP_NOWAIT | __GFP_NOWARN);
	if (other)
		st_fill(worker->t, other, sizeof(*deferred) + deferred->size);
	st_verify(worker->t, deferred->rest, deferred->size);
	rcu_read_unlock();
	kfree(other);
}

static void defer(struct st_worker *worker)
{
	unsigned int i, rounds = st_scale(worker->t, 3000);

	for (i = 0; i < rounds; i++) {
		struct deferred *deferred = deferred_new(worker);

		if (deferred && i % 2)
			call_rcu(&deferred->rcu, deferred_free);
		else if (deferred)
			free_in_sight(worker, deferred);
		if (!(i % 256))
			cond_resched();
	}
}

/* Guards: an object is whole until the grace period ends, and RCU may free it, also in bulk. */
static void context_rcu(struct st *t)
{
	st_run_on_all(t, defer, NULL);
	rcu_barrier();
}

/* What a caller has switched off, and the objects it has. */
struct kept {
	struct kmem_cache *cache;
	bool off;			/* interrupts */
	gfp_t gfp;
	unsigned int count;
	void **objects;
};

typedef void kept_call_fn(struct kept *kept, unsigned int i);

static void call_alloc(struct kept *kept, unsigned int i)
{
	kept->objects[i] = kmem_cache_alloc(kept->cache, kept->gfp);
}

static void call_alloc_node(struct kept *kept, unsigned int i)
{
	int node = next_node_in(numa_node_id(), node_states[N_MEMORY]);

	kept->objects[i] = kmem_cache_alloc_node(kept->cache, kept->gfp, node);
}

static void call_free(struct kept *kept, unsigned int i)
{
	if (kept->objects[i])
		kmem_cache_free(kept->cache, kept->objects[i]);
	kept->objects[i] = NULL;
}

static void call_kmalloc(struct kept *kept, unsigned int i)
{
	kfree(kmalloc(8U << i % 10, kept->gfp));
}

static void call_bulk(struct kept *kept, unsigned int i)
{
	void *objects[48];
	int got = kmem_cache_alloc_bulk(kept->cache, kept->gfp, ARRAY_SIZE(objects), objects);

	if (got)
		kmem_cache_free_bulk(kept->cache, got, objects);
}

/* One call, and whether interrupts and preemption are as they were. They are for the next one. */
static void call_and_look(struct st_worker *worker, const char *name, kept_call_fn *call,
			  unsigned int i)
{
	struct kept *kept = worker->data;
	int before = preempt_count(), after;
	bool off;

	if (kept->off)
		local_irq_disable();
	call(kept, i);
	off = irqs_disabled();
	local_irq_enable();
	after = preempt_count();
	st_check(worker->t, off == kept->off, "%s: interrupts were %s and are %s", name,
		 kept->off ? "off" : "on", off ? "off" : "on");
	st_check(worker->t, before == after, "%s: preempt_count was %x and is %x", name, before,
		 after);
}

static void kept_take(struct st_worker *worker)
{
	struct kept *kept = worker->data;
	unsigned int i;

	for (i = 0; i < kept->count; i++) {
		call_and_look(worker, i % 2 ? "alloc" : "alloc_node",
			      i % 2 ? call_alloc : call_alloc_node, i);
		cond_resched();
	}
}

static void kept_give(struct st_worker *worker)
{
	struct kept *kept = worker->data;
	unsigned int i;

	for (i = 0; i < kept->count; i++) {
		call_and_look(worker, "free", call_free, i);
		cond_resched();
	}
	for (i = 0; i < 40; i++) {
		call_and_look(worker, "kmalloc", call_kmalloc, i);
		/* To allocate in bulk is for those who have interrupts on. */
		if (!kept->off)
			call_and_look(worker, "bulk", call_bulk, i);
	}
}

/*
 * Guards: interrupts and preemption are after each call what they were before it, whichever way
 * that goes: new slabs, full queues, objects of other CPUs and nodes.
 */
static void context_kept(struct st *t)
{
	unsigned int first = cpumask_first(cpu_online_mask), last = cpumask_last(cpu_online_mask);
	struct kept kept = { .count = max(st_scale(t, 2500), 2500U) };

	kept.cache = kmem_cache_create("slabtest_kept", 1024, 0, ST_OWN, NULL);
	kept.objects = kvcalloc(kept.count, sizeof(*kept.objects), GFP_KERNEL);
	if (!st_check(t, kept.cache && kept.objects, "no memory"))
		goto out;
	for (kept.off = false;; kept.off = true) {
		kept.gfp = kept.off ? GFP_ATOMIC : GFP_KERNEL;
		st_run_on(t, first, kept_take, &kept);
		st_run_on(t, last, kept_give, &kept);
		/* Now what came back is taken, and what is local given back. */
		st_run_on(t, first, kept_take, &kept);
		st_run_on(t, first, kept_give, &kept);
		if (kept.off)
			break;
	}
out:
	kvfree(kept.objects);
	kmem_cache_destroy(kept.cache);
}

const struct st_case context_cases[] = {
	{ "context_irq", context_irq },
	{ "context_kept", context_kept, SHAPED },
	{ "context_rcu", context_rcu },
	{ }
};
