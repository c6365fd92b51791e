// SPDX-License-Identifier: GPL-2.0
/* Locks and sections: who holds what, in which order, and what may be done meanwhile */
#include <linux/kernel.h>

#define SLEEPS		4	/* the last rank of locks that are slept for */

/* The order of overview.c, outermost first; a lock that is not here has no place in it */
static const struct {
	const char *name;
	int rank;
} ranks[] = {
	{ "slab_mutex", 2 },
	{ "slqb_drain_mutex", 3 },
	{ "&t->busy", 4 },
	{ "&c->lock", 5 },
	{ "&n->list_lock", 6 },
	{ "&l->remote_free.lock", 7 },
};

static int rank_of(struct lock *lock)
{
	if (lock->rank)
		return lock->rank;
	if (!lock->name)
		fail("a lock is used that was never initialised");
	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++) {
		if (!strcmp(lock->name, ranks[i].name))
			lock->rank = ranks[i].rank;
	}
	if (!lock->rank)
		fail("%s has no place in the lock order: see ranks[] in lock.c",
		     lock->name);
	return lock->rank;
}

void lock_init(struct lock *lock, const char *name)
{
	*lock = (struct lock) { .name = name };
}

bool lock_is_mine(const struct lock *lock)
{
	return lock->holder == this_fiber;
}

static bool is_free(void *lock)
{
	return !((struct lock *)lock)->holder;
}

static void check_order(struct lock *lock)
{
	int rank = rank_of(lock);

	for (int i = 0; i < this_fiber->nr_held; i++) {
		if (rank_of(this_fiber->held[i]) >= rank)
			fail("lock order: %s is taken with %s held", lock->name,
			     this_fiber->held[i]->name);
	}
}

static void hold(struct lock *lock)
{
	struct fiber *me = this_fiber;

	if (me->nr_held == MOST_HELD)
		fail("shim: too many locks held");
	lock->holder = me;
	me->held[me->nr_held++] = lock;
}

static void check_irqs(const struct lock *lock)
{
	if (!this_fiber->irqs_off)
		fail("%s is taken with interrupts enabled", lock->name);
}

void lock_spin(struct lock *lock)
{
	check_order(lock);
	check_irqs(lock);
	this_fiber->preempt_off++;
	machine_breathe();
	if (lock->holder)
		wait_until(is_free, lock, lock->name);
	hold(lock);
}

void lock_local(struct lock *lock)
{
	check_order(lock);
	check_irqs(lock);
	if (lock->holder)
		fail("%s of CPU %d is taken twice", lock->name, this_fiber->cpu);
	hold(lock);
}

void lock_sleep(struct lock *lock)
{
	check_order(lock);
	assert_may_sleep(lock->name);
	machine_breathe();
	if (lock->holder)
		wait_until(is_free, lock, lock->name);
	hold(lock);
}

int lock_try(struct lock *lock)
{
	rank_of(lock);
	machine_breathe();
	if (lock->holder)
		return 0;
	hold(lock);
	return 1;
}

void lock_release(struct lock *lock)
{
	struct fiber *me = this_fiber;
	int i = me->nr_held;

	if (!lock_is_mine(lock))
		fail("%s is released by who does not hold it", lock->name);
	while (me->held[--i] != lock)
		;
	me->nr_held--;
	for (; i < me->nr_held; i++)
		me->held[i] = me->held[i + 1];
	lock->holder = NULL;
	if (lock->rank > SLEEPS + 1)
		preempt_on();
	else if (lock->rank <= SLEEPS)
		machine_breathe();
}

unsigned long irqs_off(void)
{
	unsigned long flags = this_fiber->irqs_off;

	/* Somebody may come just before, and move us. */
	if (!flags)
		machine_breathe();
	this_fiber->irqs_off = true;
	return flags;
}

static void section_ends(void)
{
	struct fiber *me = this_fiber;

	if (me->irqs_off || me->preempt_off)
		return;
	if (!me->reading)
		reader_gone();
	machine_breathe();
}

void irqs_restore(unsigned long flags)
{
	if (!this_fiber->irqs_off)
		fail("interrupts are restored that were not disabled");
	if (this_fiber->is_interrupt && !flags)
		fail("interrupts are enabled in an interrupt");
	for (int i = 0; !flags && i < this_fiber->nr_held; i++) {
		if (this_fiber->held[i]->rank > SLEEPS)
			fail("interrupts are enabled with %s held",
			     this_fiber->held[i]->name);
	}
	this_fiber->irqs_off = flags;
	section_ends();
}

void preempt_off(void)
{
	this_fiber->preempt_off++;
}

void preempt_on(void)
{
	if (!this_fiber->preempt_off)
		fail("preemption is enabled that was not disabled");
	this_fiber->preempt_off--;
	machine_breathe();
	section_ends();
}

void reader_enter(void)
{
	this_fiber->reading++;
	machine_breathe();
}

void reader_leave(void)
{
	if (!this_fiber->reading)
		fail("an RCU section ends that was not begun");
	this_fiber->reading--;
	if (!this_fiber->reading)
		section_ends();
}

void assert_may_sleep(const char *who)
{
	const struct fiber *me = this_fiber;

	if (machine.early)
		return;
	if (me->irqs_off || me->preempt_off || me->reading || me->is_interrupt)
		fail("%s may sleep: called with %s", who,
		     me->irqs_off ? "interrupts off" :
		     me->reading ? "an RCU section open" : "preemption off");
	for (int i = 0; i < me->nr_held; i++) {
		if (me->held[i]->rank > SLEEPS)
			fail("%s may sleep: called with %s held", who, me->held[i]->name);
	}
}

/* CPU hotplug: many who keep the CPUs as they are, or one who changes them */
static bool no_writer(void *nothing)
{
	(void)nothing;
	return !machine.hotplugger;
}

static bool no_readers(void *nothing)
{
	(void)nothing;
	return !machine.hotplug_readers && !machine.hotplugger;
}

void hotplug_read_lock(void)
{
	if (this_fiber->nr_held)
		fail("lock order: cpu_hotplug_lock is taken with %s held",
		     this_fiber->held[0]->name);
	if (this_fiber->hotplug_read || machine.hotplugger == this_fiber)
		fail("cpu_hotplug_lock is taken twice");
	assert_may_sleep("cpu_hotplug_lock");
	machine_breathe();
	if (machine.hotplugger)
		wait_until(no_writer, NULL, "cpu_hotplug_lock");
	machine.hotplug_readers++;
	this_fiber->hotplug_read = true;
}

bool hotplug_read_trylock(void)
{
	machine_breathe();
	if (machine.hotplugger || this_fiber->hotplug_read)
		return false;
	machine.hotplug_readers++;
	this_fiber->hotplug_read = true;
	return true;
}

void hotplug_read_unlock(void)
{
	if (!this_fiber->hotplug_read)
		fail("cpu_hotplug_lock is released by who does not hold it");
	this_fiber->hotplug_read = false;
	machine.hotplug_readers--;
	machine_breathe();
}

void hotplug_write_lock(void)
{
	assert_may_sleep("cpu_hotplug_lock for writing");
	if (!no_readers(NULL))
		wait_until(no_readers, NULL, "cpu_hotplug_lock for writing");
	machine.hotplugger = this_fiber;
}

void hotplug_write_unlock(void)
{
	machine.hotplugger = NULL;
	machine_breathe();
}

bool cpus_are_held(void)
{
	return this_fiber->hotplug_read || machine.hotplugger == this_fiber;
}
