// SPDX-License-Identifier: GPL-2.0
/*
 * The table of cases, run once while the module is loaded; KTAP on the console.
 *
 * Lines have no prefix: they are nested four spaces deep in the stream that PID 1 prints, which
 * also adds the result line of the whole group.
 */
#define pr_fmt(fmt) fmt

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/stringhash.h>

#include "slabtest.h"

static unsigned long long seed = 1;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "start of every random sequence");

static char *scale = "quick";
module_param(scale, charp, 0444);
MODULE_PARM_DESC(scale, "brief, quick or soak");

static unsigned int share;
module_param(share, uint, 0444);
MODULE_PARM_DESC(share, "which of the shares this boot has, from 0");

static unsigned int shares;
module_param(shares, uint, 0444);
MODULE_PARM_DESC(shares, "how many boots share the cases that do not depend on the machine's shape");

static char *glob = "*";
module_param_named(case, glob, charp, 0444);
MODULE_PARM_DESC(case, "cases to run: slabtest.NAME matched with * and ?");

static char *plant = "none";
module_param(plant, charp, 0444);
MODULE_PARM_DESC(plant, "fault to show instead of the cases");

static bool run = true;
module_param(run, bool, 0444);
MODULE_PARM_DESC(run, "run the cases; if not, only take orders");

const char *const st_allocator =
	IS_ENABLED(CONFIG_SLQB) ? "SLQB" :
	IS_ENABLED(CONFIG_SLUB) ? "SLUB" :
	IS_ENABLED(CONFIG_SLAB) ? "SLAB" :
	IS_ENABLED(CONFIG_SLOB) ? "SLOB" : "unknown";

static const struct st_case * const nouns[] = {
	kmalloc_cases,
	cache_cases,
	node_cases,
	remote_cases,
	bulk_cases,
	ctor_cases,
	life_cases,
	order_cases,
	context_cases,
	storm_cases,
	harden_cases,
	reserve_cases,
	pair_cases,
	account_cases,
	plant_cases,
};

static unsigned int planned;
static unsigned int failed;

unsigned int st_planned(void)
{
	return planned;
}

unsigned int st_failed(void)
{
	return failed;
}

static void remark(struct st *t, const char *format, va_list *args)
{
	struct va_format text = { .fmt = format, .va = args };

	t->spoken = jiffies;
	pr_info("    # %s: %pV\n", t->name, &text);
}

void st_note(struct st *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remark(t, format, &args);
	va_end(args);
}

/* Any context, any CPU. Ten reasons say enough. */
void st_fail(struct st *t, const char *format, ...)
{
	va_list args;

	if (atomic_inc_return(&t->failures) > 10)
		return;
	va_start(args, format);
	remark(t, format, &args);
	va_end(args);
}

DEFINE_PER_CPU(unsigned long, st_done);

static unsigned long done_on(unsigned int cpu)
{
	return READ_ONCE(*per_cpu_ptr(&st_done, cpu));
}

static unsigned long done_by_all(void)
{
	unsigned long done = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		done += done_on(cpu);
	return done;
}

static bool is_time_to_speak(const struct st *t)
{
	return time_after(jiffies, t->spoken + 10 * HZ);
}

/*
 * Called once a round in long loops that may sleep: the harness takes silence for a hang, and so it
 * does with lines whose number does not grow.
 */
void st_alive(struct st *t)
{
	st_did();
	if (is_time_to_speak(t))
		st_note(t, "still at it, %lu done", done_by_all());
	cond_resched();
}

/* The same while there is nothing to do but to wait for a thread on that CPU. */
void st_awaits(struct st *t, unsigned int cpu)
{
	if (is_time_to_speak(t))
		st_note(t, "still at it, %lu done on CPU %u", done_on(cpu), cpu);
}

static bool matches(const char *pattern, const char *name)
{
	for (; *pattern; pattern++, name++) {
		if (*pattern == '*')
			return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
		if (!*name || (*pattern != '?' && *pattern != *name))
			return false;
	}
	return !*name;
}

/* A planted fault takes the place of everything else. */
static bool selected(const struct st_case *c)
{
	char path[64];

	if (strcmp(plant, "none"))
		return strstarts(c->name, "plant_");
	if (strstarts(c->name, "plant_"))
		return false;
	snprintf(path, sizeof(path), "slabtest.%s", c->name);
	return matches(glob, path);
}

/* A case draws the same numbers whatever ran before it. */
void st_begin(struct st *t, const char *name)
{
	*t = (struct st){
		.name = name,
		.seed = seed ^ ((u64)full_name_hash(NULL, name, strlen(name)) << 16),
		.soak = !strcmp(scale, "soak"),
		.brief = !strcmp(scale, "brief"),
		.spoken = jiffies,
	};
	prandom_seed_state(&t->rnd, t->seed);
}

/* Whether another boot of the same kernel runs it, and the shape of the machine does not matter. */
static bool is_anothers(const struct st_case *c, unsigned int number)
{
	return shares && !c->shaped && number % shares != share;
}

static void run_case(const struct st_case *c, unsigned int number)
{
	ktime_t start = ktime_get();
	struct st t;

	st_begin(&t, c->name);
	pr_info("    # start: %s\n", c->name);
	if (is_anothers(c, number))
		t.skip = "another topology's";
	else
		c->run(&t);
	pr_info("    # %s: %lld ms\n", c->name, ktime_ms_delta(ktime_get(), start));
	if (atomic_read(&t.failures)) {
		failed++;
		pr_info("    not ok %u %s\n", number, c->name);
	} else if (t.skip) {
		pr_info("    ok %u %s # SKIP %s\n", number, c->name, t.skip);
	} else {
		pr_info("    ok %u %s\n", number, c->name);
	}
}

static void run_all(void)
{
	const struct st_case *c;
	unsigned int number = 0;
	size_t i;

	pr_info("    KTAP version 1\n");
	pr_info("    # Subtest: slabtest\n");
	pr_info("    # slabtest: %s, %u CPUs, %u nodes, seed %llu, %s\n", st_allocator,
		num_online_cpus(), num_online_nodes(), seed, scale);
	pr_info("    1..%u\n", planned + st_plant_extra());
	for (i = 0; i < ARRAY_SIZE(nouns); i++)
		for (c = nouns[i]; c->name; c++)
			if (selected(c))
				run_case(c, ++number);
}

static int __init slabtest_init(void)
{
	const struct st_case *c;
	size_t i;

	if (!st_plant_known(plant)) {
		pr_err("# slabtest: unknown plant %s\n", plant);
		return -EINVAL;
	}
	if (st_plant_refuses(plant))
		return -ENODEV;
	st_plant_use(plant);
	for (i = 0; run && i < ARRAY_SIZE(nouns); i++)
		for (c = nouns[i]; c->name; c++)
			planned += selected(c);
	if (planned)
		run_all();
	return st_orders_open();
}

static void __exit slabtest_exit(void)
{
	st_orders_close();
}

module_init(slabtest_init);
module_exit(slabtest_exit);

MODULE_DESCRIPTION("Allocator-neutral tests of the slab allocator");
MODULE_LICENSE("GPL");
