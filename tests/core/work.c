// SPDX-License-Identifier: GPL-2.0
/* What is put off: work items, timers, interrupts, and what waits for RCU */
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define MOST_WORKERS	5
#define INTERRUPTED	2	/* CPUs in an interrupt at a time, at most */

static LIST_HEAD(queue);
static LIST_HEAD(timers);
static int working;
static int interrupted;

struct batch {
	struct rcu_head *head;
	struct rcu_head **tail;
};

static struct batch waiting, graced, done;
static uint64_t readers_to_go;
static unsigned long callbacks;

static void batch_init(struct batch *batch)
{
	batch->head = NULL;
	batch->tail = &batch->head;
}

static void batch_move(struct batch *to, struct batch *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	batch_init(from);
}

void work_reset(void)
{
	INIT_LIST_HEAD(&queue);
	INIT_LIST_HEAD(&timers);
	working = 0;
	interrupted = 0;
	batch_init(&waiting);
	batch_init(&graced);
	batch_init(&done);
	readers_to_go = 0;
	callbacks = 0;
}

void work_init(struct work_struct *work, void (*func)(struct work_struct *work))
{
	*work = (struct work_struct) { .func = func };
}

void delayed_work_init(struct delayed_work *work,
		       void (*func)(struct work_struct *work))
{
	*work = (struct delayed_work) { .work.func = func };
}

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags,
					 int most)
{
	(void)flags;
	(void)most;
	return (struct workqueue_struct *)name;
}

bool queue_work_on(int cpu, struct workqueue_struct *wq,
		   struct work_struct *work)
{
	if (!wq || !work->func)
		fail("work is queued too early");
	if (work->pending || work->cancelled)
		return false;
	work->pending = true;
	work->cpu = cpu;
	list_add_tail(&work->entry, &queue);
	machine_breathe();
	return true;
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq,
			   struct delayed_work *work, unsigned long delay)
{
	if (!delay)
		return queue_work_on(cpu, wq, &work->work);
	if (!wq || !work->work.func)
		fail("work is queued too early");
	if (work->work.pending || work->timed || work->work.cancelled)
		return false;
	work->timed = true;
	work->work.cpu = cpu;
	work->expires = jiffies + delay;
	list_add_tail(&work->timer, &timers);
	machine_breathe();
	return true;
}

/* Who names no CPU gets any */
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			unsigned long delay)
{
	return queue_delayed_work_on(any_online_cpu(), wq, work, delay);
}

static void stop_timer(struct delayed_work *work)
{
	if (work->timed)
		list_del(&work->timer);
	work->timed = false;
}

static void unqueue(struct work_struct *work)
{
	if (work->pending)
		list_del(&work->entry);
	work->pending = false;
}

bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq,
			 struct delayed_work *work, unsigned long delay)
{
	if (work->work.cancelled)
		return false;
	stop_timer(work);
	unqueue(&work->work);
	return queue_delayed_work_on(cpu, wq, work, delay);
}

static bool work_at_rest(void *work)
{
	struct work_struct *w = work;

	return !w->pending && !w->worker;
}

static bool work_not_running(void *work)
{
	return !((struct work_struct *)work)->worker;
}

bool flush_work(struct work_struct *work)
{
	assert_may_sleep("flush_work");
	wait_until(work_at_rest, work, "work to be done");
	return true;
}

bool cancel_delayed_work_sync(struct delayed_work *work)
{
	assert_may_sleep("cancel_delayed_work_sync");
	work->work.cancelled = true;
	stop_timer(work);
	unqueue(&work->work);
	wait_until(work_not_running, &work->work, "work to end");
	work->work.cancelled = false;
	return true;
}

bool next_timer(unsigned long *when)
{
	struct delayed_work *work;
	bool found = false;

	list_for_each_entry(work, &timers, timer) {
		if (!found || time_before(work->expires, *when))
			*when = work->expires;
		found = true;
	}
	return found;
}

void time_passes(unsigned long ticks)
{
	struct delayed_work *work, *next;

	machine.now += ticks;
	list_for_each_entry_safe(work, next, &timers, timer) {
		if (!time_after_eq(machine.now, work->expires))
			continue;
		stop_timer(work);
		work->work.pending = true;
		list_add_tail(&work->work.entry, &queue);
	}
}

static struct work_struct *work_to_do(void)
{
	struct work_struct *work;

	list_for_each_entry(work, &queue, entry) {
		if (!work->worker)
			return work;
	}
	return NULL;
}

static bool is_work_to_do(void *nothing)
{
	(void)nothing;
	return work_to_do() != NULL;
}

/* A worker does the work of any CPU, on that CPU if it is there */
static void work_for_ever(void *nothing)
{
	struct fiber *me = this_fiber;
	struct work_struct *work;

	(void)nothing;
	for (;;) {
		me->cpu = -1;
		wait_until(is_work_to_do, NULL, "work");
		work = work_to_do();
		unqueue(work);
		work->worker = me;
		working++;
		me->pinned = machine.cpu[work->cpu].online;
		me->cpu = me->pinned ? work->cpu : any_online_cpu();
		wait_until(NULL, NULL, "its turn");
		work->func(work);
		if (me->nr_held || me->irqs_off || me->preempt_off || me->reading)
			fail("work ends with a lock held, or in a section");
		me->pinned = false;
		work->worker = NULL;
		working--;
	}
}

/*
 * Interrupts: of those who ask for one by irq_work, and of a device.
 */
void init_irq_work(struct irq_work *work, void (*func)(struct irq_work *work))
{
	*work = (struct irq_work) { .func = func };
}

bool irq_work_queue_on(struct irq_work *work, int cpu)
{
	if (!machine.cpu[cpu].online)
		fail("CPU %d is offline and is sent an interrupt", cpu);
	if (!work->func)
		fail("an interrupt is asked for too early");
	if (work->pending)
		return false;
	work->pending = true;
	work->next = machine.cpu[cpu].irqs;
	machine.cpu[cpu].irqs = work;
	machine.irqs_pending++;
	machine_breathe();
	return true;
}

static bool irq_work_over(void *work)
{
	struct irq_work *w = work;

	return !w->pending && !w->busy;
}

void irq_work_sync(struct irq_work *work)
{
	assert_may_sleep("irq_work_sync");
	wait_until(irq_work_over, work, "an interrupt to end");
}

void raise_device_interrupt(unsigned int cpu)
{
	if (machine.cpu[cpu].device || !machine.cpu[cpu].online)
		return;
	machine.cpu[cpu].device = true;
	machine.irqs_pending++;
}

static int interruptible_cpu(void)
{
	unsigned int cpu;

	if (!machine.irqs_pending)
		return -1;
	for_each_online_cpu(cpu) {
		if ((machine.cpu[cpu].irqs || machine.cpu[cpu].device) &&
		    cpu_takes_interrupts(cpu))
			return cpu;
	}
	return -1;
}

static bool is_interruptible(void *nothing)
{
	(void)nothing;
	return interruptible_cpu() >= 0;
}

static void handle_interrupts(struct cpu *cpu)
{
	while (cpu->irqs) {
		struct irq_work *work = cpu->irqs;

		cpu->irqs = work->next;
		machine.irqs_pending--;
		work->pending = false;
		work->busy = true;
		work->func(work);
		work->busy = false;
	}
	if (cpu->device) {
		cpu->device = false;
		machine.irqs_pending--;
		if (machine.device_interrupt)
			machine.device_interrupt();
	}
}

static void interrupt_for_ever(void *nothing)
{
	struct fiber *me = this_fiber;

	(void)nothing;
	me->is_interrupt = true;
	for (;;) {
		me->cpu = -1;
		wait_until(is_interruptible, NULL, "an interrupt");
		me->cpu = interruptible_cpu();
		me->irqs_off = true;
		interrupted++;
		handle_interrupts(&machine.cpu[me->cpu]);
		if (me->nr_held || me->preempt_off || me->reading)
			fail("an interrupt ends with a lock held, or in a section");
		interrupted--;
		me->irqs_off = false;
		reader_gone();
	}
}

/* The last thing a CPU does; everybody else stands still */
void interrupts_of_dying_cpu(unsigned int cpu)
{
	unsigned int chaos = machine.chaos;

	machine.chaos = 0;
	this_fiber->irqs_off = true;
	handle_interrupts(&machine.cpu[cpu]);
	this_fiber->irqs_off = false;
	machine.chaos = chaos;
}

/*
 * RCU. A batch of callbacks waits for all who were in a section when it began.
 */
static uint64_t readers(void)
{
	uint64_t mask = 0;

	for (int i = 0; i < machine.nr_fibers; i++) {
		struct fiber *f = machine.fibers[i];

		if (!f->done && (f->reading || f->preempt_off || f->irqs_off))
			mask |= BIT(i);
	}
	return mask;
}

static void grace(void)
{
	if (readers_to_go)
		return;
	batch_move(&done, &graced);
	if (!waiting.head)
		return;
	batch_move(&graced, &waiting);
	readers_to_go = readers();
	if (!readers_to_go)
		batch_move(&done, &graced);
}

void reader_gone(void)
{
	if (!(readers_to_go & BIT(this_fiber->number)))
		return;
	readers_to_go &= ~BIT(this_fiber->number);
	grace();
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->next = NULL;
	head->func = func;
	*waiting.tail = head;
	waiting.tail = &head->next;
	callbacks++;
	if (!graced.head)
		grace();
	machine_breathe();
}

static bool is_graced(void *nothing)
{
	(void)nothing;
	return done.head != NULL;
}

static void callbacks_for_ever(void *nothing)
{
	struct fiber *me = this_fiber;

	(void)nothing;
	for (;;) {
		struct rcu_head *head;

		me->cpu = -1;
		wait_until(is_graced, NULL, "a grace period");
		me->cpu = any_online_cpu();
		wait_until(NULL, NULL, "its turn");
		head = done.head;
		if (!head)
			continue;
		done.head = head->next;
		if (!done.head)
			batch_init(&done);
		me->preempt_off++;
		head->func(head);
		callbacks--;
		me->preempt_off--;
		reader_gone();
	}
}

struct waiter {
	struct rcu_head head;
	bool over;
};

static void wake(struct rcu_head *head)
{
	container_of(head, struct waiter, head)->over = true;
}

static bool is_over(void *waiter)
{
	return ((struct waiter *)waiter)->over;
}

void synchronize_rcu(void)
{
	struct waiter waiter = { .over = false };

	assert_may_sleep("synchronize_rcu");
	call_rcu(&waiter.head, wake);
	wait_until(is_over, &waiter, "readers");
}

void rcu_barrier(void)
{
	synchronize_rcu();
}

bool machine_idle(void *nothing)
{
	(void)nothing;
	return queue.next == &queue && !working && !interrupted &&
	       !machine.irqs_pending && !callbacks;
}

void work_start(void)
{
	unsigned int workers = min_t(unsigned int, machine.nr_cpus + 1, MOST_WORKERS);
	unsigned int i;

	for (i = 0; i < workers; i++)
		fiber_start("worker", -1, work_for_ever, NULL);
	for (i = 0; i < INTERRUPTED; i++)
		fiber_start("interrupt", -1, interrupt_for_ever, NULL);
	fiber_start("rcu", -1, callbacks_for_ever, NULL);
}
