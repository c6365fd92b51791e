// SPDX-License-Identifier: GPL-2.0
/*
 * Faults shown on request, for the tests of the harness: a kernel need not be rebuilt to see
 * whether a WARN between two passing cases, a hang or a panic is noticed.
 */
#define pr_fmt(fmt) fmt

#include <linux/bug.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "slabtest.h"

static const char *planted = "none";

static void fault_warn(struct st *t)
{
	WARN(1, "slabtest: a planted warning\n");
}

/*
 * A grace period is under way that this CPU keeps from ending: no stall is told of otherwise. It has
 * begun when interrupts stop, or its thread might wait here for ever.
 */
static void fault_hang(struct st *t)
{
	rcu_read_lock();
	start_poll_synchronize_rcu();
	mdelay(200);
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void spin(struct st_worker *worker)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

/*
 * One CPU hangs, while another waits for it and says every ten seconds that it does. Before that,
 * let the work end that loading a module leaves behind: it waits for all CPUs, and keeps its own.
 */
static void fault_spin(struct st *t)
{
	unsigned int other;

	msleep(2000);
	migrate_disable();
	other = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (st_check(t, other < nr_cpu_ids, "needs two CPUs"))
		st_run_on(t, other, spin, NULL);
	migrate_enable();
}

static void fault_panic(struct st *t)
{
	panic("slabtest: a planted panic");
}

static void fault_oops(struct st *t)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
}

static void fault_missing(struct st *t)
{
	pr_info("    # expect: 1 WARNING\n");
}

static void fault_expected(struct st *t)
{
	pr_info("    # expect: 1 WARNING\n");
	WARN(1, "slabtest: an announced warning\n");
}

static void fault_fail(struct st *t)
{
	st_fail(t, "planted to fail");
}

/* For kernels that watch their objects: a byte beyond one, in front of one, and after its end */
static void fault_overrun(struct st *t)
{
	u8 *p = kmalloc(128, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	p[128] = 'x';
	kfree(p);
}

static void fault_underrun(struct st *t)
{
	u8 *p = kmalloc(128, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	p[-1] = 'x';
	kfree(p);
}

/*
 * The first of two on one slab: its slab stays when it is freed, for the other is held. Reports
 * name who allocated: the fault itself.
 */
static __always_inline u8 *take_with_neighbour(u8 **held, unsigned int nr)
{
	u8 *found = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++)
		held[i] = kmalloc(128, GFP_KERNEL);
	for (i = 0; i + 1 < nr && !found; i++) {
		if (virt_to_head_page(held[i]) == virt_to_head_page(held[i + 1]))
			swap(found, held[i]);
	}
	OPTIMIZER_HIDE_VAR(found);
	return found;
}

static void put_all(u8 **held, unsigned int nr)
{
	while (nr--)
		kfree(held[nr]);
}

/* On one CPU, whose queue gives what was freed last. */
static void fault_afterfree(struct st *t)
{
	u8 *held[32], *p, *again;

	migrate_disable();
	p = take_with_neighbour(held, ARRAY_SIZE(held));
	again = p;
	OPTIMIZER_HIDE_VAR(again);
	kfree(p);
	again[5] = 'x';
	kfree(kmalloc(128, GFP_KERNEL));
	put_all(held, ARRAY_SIZE(held));
	migrate_enable();
}

static void fault_twice(struct st *t)
{
	u8 *held[32], *p, *again;

	migrate_disable();
	p = take_with_neighbour(held, ARRAY_SIZE(held));
	again = p;
	OPTIMIZER_HIDE_VAR(again);
	kfree(p);
	kfree(again);
	put_all(held, ARRAY_SIZE(held));
	migrate_enable();
}

static void fault_leak(struct st *t)
{
	struct kmem_cache *cache;
	void *p;

	/* Not ST_OWN, with which nobody remembers who allocated it. */
	cache = kmem_cache_create("slabtest_leak", 128, 0, 0, NULL);
	p = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;
	OPTIMIZER_HIDE_VAR(p);
	kmem_cache_destroy(cache);
}

static void fault_none(struct st *t)
{
}

static const struct {
	const char *name;
	void (*show)(struct st *t);
} faults[] = {
	{ "none", fault_none },
	{ "warn", fault_warn },
	{ "hang", fault_hang },
	{ "spin", fault_spin },
	{ "panic", fault_panic },
	{ "oops", fault_oops },
	{ "expectmissing", fault_missing },
	{ "expected", fault_expected },
	{ "fail", fault_fail },
	{ "overrun", fault_overrun },
	{ "underrun", fault_underrun },
	{ "afterfree", fault_afterfree },
	{ "twice", fault_twice },
	{ "leak", fault_leak },
	{ "astray", st_lead_astray },
	{ "bulktwice", st_free_twice },
	{ "noload", fault_none },
	{ "plan", fault_none },
};

bool st_plant_known(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(name, faults[i].name))
			return true;
	return false;
}

bool st_plant_refuses(const char *name)
{
	return !strcmp(name, "noload");
}

/* Cases that are announced and never run. */
unsigned int st_plant_extra(void)
{
	return !strcmp(planted, "plan");
}

void st_plant_use(const char *name)
{
	planted = name;
}

static void plant_before(struct st *t)
{
	kfree(kmalloc(100, GFP_KERNEL));
}

static void plant_fault(struct st *t)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(planted, faults[i].name))
			faults[i].show(t);
}

static void plant_after(struct st *t)
{
	kfree(kmalloc(200, GFP_KERNEL));
}

const struct st_case plant_cases[] = {
	{ "plant_before", plant_before },
	{ "plant_fault", plant_fault },
	{ "plant_after", plant_after },
	{ }
};
