/* SPDX-License-Identifier: GPL-2.0 */
/* Work items, timed ones, and what interrupts are asked to do */
#ifndef SHIM_WORKQUEUE_H
#define SHIM_WORKQUEUE_H

#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/jiffies.h>

struct work_struct {
	struct list_head entry;
	void (*func)(struct work_struct *work);
	bool pending;
	bool cancelled;
	unsigned int cpu;
	struct fiber *worker;
};

struct delayed_work {
	struct work_struct work;
	struct list_head timer;
	unsigned long expires;
	bool timed;
};

struct workqueue_struct;

#define WQ_MEM_RECLAIM		1
#define WQ_UNBOUND		2
#define INIT_WORK(w, fn)	work_init(w, fn)
#define INIT_DELAYED_WORK(w, fn) delayed_work_init(w, fn)
#define INIT_DEFERRABLE_WORK(w, fn) delayed_work_init(w, fn)

#define DECLARE_DELAYED_WORK(name, fn) struct delayed_work name = { .work.func = fn }

void work_init(struct work_struct *work, void (*func)(struct work_struct *work));
void delayed_work_init(struct delayed_work *work,
		       void (*func)(struct work_struct *work));
struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags,
					 int most);
bool queue_work_on(int cpu, struct workqueue_struct *wq,
		   struct work_struct *work);
bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq,
			   struct delayed_work *work, unsigned long delay);
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			unsigned long delay);
bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq,
			 struct delayed_work *work, unsigned long delay);
bool flush_work(struct work_struct *work);
bool cancel_delayed_work_sync(struct delayed_work *work);

#endif
