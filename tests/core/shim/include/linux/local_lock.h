/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LOCAL_LOCK_H
#define SHIM_LOCAL_LOCK_H

#include <linux/percpu.h>
#include <linux/spinlock.h>

typedef struct lock local_lock_t;

#define local_lock_init(l)	lock_init(l, #l)
#define local_lock(l)		lock_local(this_cpu_ptr(l))
#define local_unlock(l)		lock_release(this_cpu_ptr(l))
#define local_lock_irqsave(l, flags)					\
	do {								\
		local_irq_save(flags);					\
		local_lock(l);						\
	} while (0)
#define local_unlock_irqrestore(l, flags)				\
	do {								\
		local_unlock(l);					\
		local_irq_restore(flags);				\
	} while (0)

#endif
