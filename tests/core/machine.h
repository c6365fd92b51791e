/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine of simulated CPUs, in one thread.
 *
 * Everything that runs is a fiber: tasks, workers, the interrupts of each CPU, RCU. A fiber runs
 * until it breathes, which it does wherever the code under test gives others a chance: then another
 * one may go on, on this CPU if interrupts and preemption allow it, on any other CPU always. Which
 * one it is comes out of one seeded generator, so that a history repeats to the instruction.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef NR_CPUS
#define NR_CPUS		8
#endif
#ifndef MAX_NUMNODES
#define MAX_NUMNODES	4
#endif
#ifndef NODE_PAGES
#define NODE_PAGES	512
#endif
#ifndef PAGE_SHIFT
#define PAGE_SHIFT	12
#endif

struct lock {
	const char *name;
	int rank;
	struct fiber *holder;
};

#define MOST_HELD	12
#define MOST_TASKS	4

/* What runs. `struct task_struct` of the kernel, where the code asks for it */
struct fiber {
	void *stack_pointer;
	char *stack;
	void *fake_stack;
	const char *name;
	void (*run)(void *argument);
	void *argument;
	bool (*ready)(void *what);	/* what it waits for; NULL is nothing */
	void *what;
	const char *why;
	int number;
	int cpu;
	bool done;
	bool pinned;			/* stays on its CPU */
	bool is_interrupt;
	bool irqs_off;
	int preempt_off;
	int reading;			/* depth of RCU sections */
	int nr_held;
	struct lock *held[MOST_HELD];
	bool hotplug_read;
	int forbidden;			/* 1 + a node that its cpuset does not have */
	struct mempolicy *mempolicy;	/* NULL: its memory comes from where it runs */
	struct reclaim_state *reclaim_state;
};

struct cpu {
	bool online;
	bool isolated;
	int node;
	struct irq_work *irqs;
	bool device;			/* a device's interrupt is due */
	struct fiber *blocker;		/* who keeps others off the CPU, at that choice */
	unsigned long choice;
};

#define MOST_FIBERS	64

/* All of it starts as zero at every boot. */
struct machine {
	uint64_t seed;
	uint64_t random;
	unsigned int nr_cpus;
	int nr_nodes;
	unsigned long now;
	unsigned int chaos;		/* 1 in so many breaths switches; 0 is never */
	bool settling;			/* somebody waits for all to be done: no time passes by itself */
	unsigned int page_failures;	/* 1 in so many requests fails; 0 is none */
	bool early;			/* before interrupts are enabled for the first time */
	bool init_on_alloc;
	bool init_on_free;
	unsigned long steps;		/* breaths since the boot */
	unsigned long switches;
	unsigned long limit;		/* steps until the history has gone wrong */
	unsigned long page_misses[MAX_NUMNODES];
	unsigned long home_moves;
	unsigned int irqs_pending;
	unsigned long choices;
	struct cpu cpu[NR_CPUS];
	int nr_fibers;
	struct fiber *fibers[MOST_FIBERS];
	struct fiber main;
	void (*device_interrupt)(void);
	struct fiber *hotplugger;	/* holds cpu_hotplug_lock for writing */
	int hotplug_readers;
};

extern struct machine machine;
extern struct fiber *this_fiber;

/* report.c: what goes wrong ends the process, with the way to repeat it */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void machine_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void machine_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void machine_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void repeat_with(const char *words);
unsigned long complaints(void);

/* fiber.c */
uint64_t chance(void);
unsigned int one_of(unsigned int many);
struct fiber *fiber_start(const char *name, int cpu, void (*run)(void *), void *argument);
void fibers_reset(void);
void fibers_describe(void);
bool all_preemptible(void *nothing);
unsigned int any_online_cpu(void);
void machine_breathe(void);
void machine_resched(void);
void wait_until(bool (*ready)(void *), void *what, const char *why);
void migrate_to(unsigned int cpu);
unsigned int firm_cpu(const char *who);

/* lock.c */
void lock_init(struct lock *lock, const char *name);
void lock_spin(struct lock *lock);
void lock_sleep(struct lock *lock);
void lock_local(struct lock *lock);
int lock_try(struct lock *lock);
void lock_release(struct lock *lock);
bool lock_is_mine(const struct lock *lock);
unsigned long irqs_off(void);
void irqs_restore(unsigned long flags);
void preempt_off(void);
void preempt_on(void);
void assert_may_sleep(const char *who);
void hotplug_read_lock(void);
bool hotplug_read_trylock(void);
void hotplug_read_unlock(void);
void hotplug_write_lock(void);
void hotplug_write_unlock(void);
bool cpus_are_held(void);

/* work.c: work items, timers, interrupts, RCU */
void work_reset(void);
void work_start(void);
bool machine_idle(void *nothing);
bool next_timer(unsigned long *when);
void reader_enter(void);
void reader_leave(void);
void reader_gone(void);
void raise_device_interrupt(unsigned int cpu);
void interrupts_of_dying_cpu(unsigned int cpu);
bool cpu_takes_interrupts(unsigned int cpu);
void time_passes(unsigned long ticks);

/* page.c, percpu.c */
void pages_reset(void);
void pages_check(void);
bool node_has_pages_in_use(int node);
unsigned long pages_used(void);
void node_isolate(int node, bool isolated);
void *percpu_alloc(size_t size, size_t align);
void percpu_free(void *first);
void *percpu_address(void *first, unsigned int cpu);
void percpu_reset(void);
size_t percpu_used(void);

/* topology.c: CPUs and nodes that come and go */
struct topology {
	unsigned int nr_cpus;
	int nr_nodes;
	bool memoryless[MAX_NUMNODES];
	bool isolated[NR_CPUS];
	int node_of_cpu[NR_CPUS];
};

void topology_reset(const struct topology *topology);
int machine_distance(int a, int b);
unsigned int machine_housekeeper(void);
void machine_initcall(int level, int (*call)(void));
void machine_setup(const char *word, int (*call)(char *));
void run_initcalls(void);
void boot_word(const char *word, const char *value);
bool cpu_down(unsigned int cpu);
void cpu_up(unsigned int cpu);
bool node_offline(int node);
bool node_come_online(int node);

/* common.c: what all allocators share */
void common_reset(void);
unsigned long vectors_in_use(void);

/* snapshot.c */
void variables_reset(void);

/* core.c: the code under test, and what looks at it from inside */
struct kmem_cache;

struct census {
	unsigned long slabs, objects, in_use, queued;
};

void core_boot(void);
struct census core_check(struct kmem_cache *s);
bool core_object_is_free(struct kmem_cache *s, const void *object);
struct census core_check_boot_caches(void);
unsigned int core_index(struct kmem_cache *s, const void *object);
int core_home_of_node(int node);
int core_home_of_cpu(unsigned int cpu);
void core_check_noted(void);
void core_tune(struct kmem_cache *s, unsigned int hiwater, unsigned int batch);
void core_trim_period(unsigned int ms);
void core_arithmetic(void);

/* world.c: caches and objects, and what is promised of them */
#define MOST_CACHES	8
#define MOST_OBJECTS	16384

struct held {
	void *object;
	int cache;
	uint32_t stamp;
};

struct slot {
	struct kmem_cache *s;
	unsigned int size;
	unsigned int flags;
	bool ctor;
	bool leaving;			/* nobody begins to use it */
	unsigned int users;		/* fibers at work with it */
	unsigned int live;
};

struct world {
	struct slot slots[MOST_CACHES];
	struct held held[MOST_OBJECTS];
	unsigned int nr_held;
	uint32_t stamps;
	size_t percpu_at_boot;
	bool homes_moved;		/* ever: nodes are promised no more */
};

extern struct world world;

void world_boot(uint64_t seed, const struct topology *topology);
bool world_create(int slot, unsigned int size, unsigned int align, unsigned int flags,
		  bool ctor);
bool world_destroy(int slot);
int world_alloc(int slot, unsigned int gfp, int node);
int world_alloc_bulk(int slot, unsigned int gfp, unsigned int nr);
void world_free(unsigned int index);
void world_free_bulk(int slot, const unsigned int *indexes, unsigned int nr);
void world_free_all(void);
void world_settle(void);
void world_trim(void);
void world_check(void);
void world_end(void);

/* history.c, talk.c */
void history(uint64_t seed);
int talk(void);

#endif
