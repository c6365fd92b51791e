/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_IRQ_WORK_H
#define SHIM_IRQ_WORK_H

#include <linux/kernel.h>

struct irq_work {
	void (*func)(struct irq_work *work);
	bool pending;
	bool busy;
	struct irq_work *next;
};

void init_irq_work(struct irq_work *work, void (*func)(struct irq_work *work));
bool irq_work_queue_on(struct irq_work *work, int cpu);
void irq_work_sync(struct irq_work *work);

#endif
