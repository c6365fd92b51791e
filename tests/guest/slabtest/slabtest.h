/* SPDX-License-Identifier: GPL-2.0 */
/*
 * slabtest: what an allocator of this kernel must do, whichever it is.
 *
 * Only <linux/slab.h> is used of the allocator, so the same source is built for SLAB, SLUB, SLOB
 * and SLQB, and a case that fails on one of them is wrong about the contract or has found a bug.
 * Each file holds the cases of one noun; each case says which invariant it guards.
 */
#ifndef SLABTEST_H
#define SLABTEST_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/types.h>

struct task_struct;

/* For a cache that shares its slabs with no other: of all flags that prevent it, the mildest. */
#define ST_OWN	SLAB_NOLEAKTRACE

/* A running case. */
struct st {
	const char *name;
	u64 seed;
	struct rnd_state rnd;
	bool soak;
	bool brief;
	atomic_t failures;
	const char *skip;		/* why it did not run */
	unsigned long spoken;		/* jiffies of the last line */
};

struct st_case {
	const char *name;
	void (*run)(struct st *t);
	bool shaped;			/* what it sees depends on the nodes: it runs on each shape */
};

#define SHAPED true

/* The cases of each noun, ended by an empty one. */
extern const struct st_case kmalloc_cases[];
extern const struct st_case cache_cases[];
extern const struct st_case node_cases[];
extern const struct st_case remote_cases[];
extern const struct st_case bulk_cases[];
extern const struct st_case ctor_cases[];
extern const struct st_case life_cases[];
extern const struct st_case order_cases[];
extern const struct st_case context_cases[];
extern const struct st_case storm_cases[];
extern const struct st_case harden_cases[];
extern const struct st_case reserve_cases[];
extern const struct st_case pair_cases[];
extern const struct st_case account_cases[];
extern const struct st_case plant_cases[];

/* core.c */
extern const char *const st_allocator;
__printf(2, 3) void st_fail(struct st *t, const char *format, ...);
__printf(2, 3) void st_note(struct st *t, const char *format, ...);
void st_begin(struct st *t, const char *name);
bool st_case_is_planned(const char *name);
void st_alive(struct st *t);
void st_awaits(struct st *t, unsigned int cpu);
unsigned int st_planned(void);
unsigned int st_failed(void);

/* Evaluates to the condition; a false one fails the case with a line that says where and why. */
#define st_check(t, condition, format, ...)					\
({										\
	bool __good = (condition);						\
										\
	if (!__good)								\
		st_fail(t, "%s:%d: " format, kbasename(__FILE__), __LINE__,	\
			##__VA_ARGS__);						\
	__good;									\
})

/*
 * Objects and rounds that a CPU is done with. What a case says of itself in the meantime is believed
 * by the harness only while this grows.
 */
DECLARE_PER_CPU(unsigned long, st_done);

/* Any context. */
static inline void st_did(void)
{
	this_cpu_inc(st_done);
}

/* An object's address as a number: the whole of it is printed. */
static inline unsigned long st_at(const void *object)
{
	return (unsigned long)object;
}

/* A number below limit. */
static inline u32 st_random(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

/* Quick runs do count, soaks do many times that, brief ones as much as shows anything. */
static inline unsigned int st_scale(const struct st *t, unsigned int count)
{
	return t->soak ? 20 * count : t->brief ? DIV_ROUND_UP(count, 4) : count;
}

/* pattern.c: what an object holds while it is ours */
void st_fill(const struct st *t, void *object, size_t size);
bool st_verify(struct st *t, const void *object, size_t size);
bool st_spend(struct st *t, void *object, size_t size);
bool st_is_byte(struct st *t, const void *object, u8 byte, size_t size);
void st_shuffle(struct rnd_state *rnd, void **array, size_t count);
bool st_disjoint(struct st *t, void **array, const size_t *sizes, size_t count);

/* worker.c: the same function on several CPUs at once */
struct st_worker {
	struct st *t;
	unsigned int cpu;
	unsigned int index;		/* 0 .. count - 1 */
	unsigned int count;
	struct rnd_state rnd;
	void *data;
	struct st_team *team;
	struct task_struct *task;
	struct completion done;
};

struct st_team;

typedef void st_work_fn(struct st_worker *worker);

struct st_team *st_team_start(struct st *t, const struct cpumask *cpus, bool bound,
			      st_work_fn *work, void *data);
void st_team_wait(struct st_team *team);
void st_team_stop(struct st_team *team);
bool st_stopped(const struct st_worker *worker);
bool st_run_on_all(struct st *t, st_work_fn *work, void *data);
bool st_run_on(struct st *t, unsigned int cpu, st_work_fn *work, void *data);

/* meter.c: pages that hold slabs, in the whole machine */
long st_slab_pages(void);
long st_node_pages(int node, bool reclaimable);
long st_known_pages(void);
long st_slack_pages(void);
unsigned int st_slabs_of(void **objects, unsigned int count, unsigned int *pages,
			 unsigned int *most);
bool st_settled(struct st *t, struct kmem_cache *cache, long base, long slack);

/* hoard.c: memory that nobody has */
void st_hoard(struct list_head *pages, unsigned long leave);
void st_give_back(struct list_head *pages);

/* storm.c: also ordered from user space */
int st_storm_start(struct st *t, const struct cpumask *cpus, unsigned int pause);
unsigned long st_storm_stop(struct st *t);

/* harden.c: also planted */
void st_lead_astray(struct st *t);
void st_free_twice(struct st *t);

/* orders.c: /proc/slabtest */
int st_orders_open(void);
void st_orders_close(void);

/* plant.c: faults without a rebuild */
bool st_plant_known(const char *name);
bool st_plant_refuses(const char *name);
unsigned int st_plant_extra(void);
void st_plant_use(const char *name);

#endif
