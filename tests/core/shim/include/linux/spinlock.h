/* SPDX-License-Identifier: GPL-2.0 */
/* Locks, interrupts, preemption, RCU: each knows its rank and its holder */
#ifndef SHIM_SPINLOCK_H
#define SHIM_SPINLOCK_H

#include <linux/kernel.h>
#include <linux/list.h>

typedef struct lock spinlock_t;
struct mutex {
	struct lock lock;
};

#define spin_lock_init(l)	lock_init(l, #l)
#define spin_lock(l)		lock_spin(l)
#define spin_unlock(l)		lock_release(l)
#define spin_lock_irqsave(l, flags)					\
	do {								\
		local_irq_save(flags);					\
		spin_lock(l);						\
	} while (0)
#define spin_unlock_irqrestore(l, flags)				\
	do {								\
		spin_unlock(l);						\
		local_irq_restore(flags);				\
	} while (0)
#define mutex_init(m)		lock_init(&(m)->lock, #m)
#define DEFINE_MUTEX(m)		struct mutex m = { .lock = { .name = #m } }
#define mutex_lock(m)		lock_sleep(&(m)->lock)
#define mutex_trylock(m)	lock_try(&(m)->lock)
#define mutex_unlock(m)		lock_release(&(m)->lock)

#define local_irq_save(flags)	((flags) = irqs_off())
#define local_irq_restore(flags) irqs_restore(flags)
#define local_irq_disable()	((void)irqs_off())
#define local_irq_enable()	irqs_restore(0)
#define irqs_disabled()		(this_fiber->irqs_off)
#define preempt_disable()	preempt_off()
#define preempt_enable()	preempt_on()
#define might_sleep()		assert_may_sleep(__func__)
#define cond_resched()		machine_resched()

#define lockdep_assert_held(l)						\
	WARN(!lock_is_mine((const struct lock *)(l)), "%s is not held in %s", #l, __func__)
#define lockdep_assert_cpus_held()					\
	WARN(!cpus_are_held(), "cpu_hotplug_lock is not held in %s", __func__)
#define lockdep_assert_irqs_disabled()					\
	WARN(!irqs_disabled(), "interrupts are enabled in %s", __func__)

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

#define rcu_read_lock()		reader_enter()
#define rcu_read_unlock()	reader_leave()
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void synchronize_rcu(void);
void rcu_barrier(void);
#define rcu_dereference(p)	READ_ONCE(p)
#define rcu_assign_pointer(p, v) WRITE_ONCE(p, v)

#endif
