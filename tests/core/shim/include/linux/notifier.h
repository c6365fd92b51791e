/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_NOTIFIER_H
#define SHIM_NOTIFIER_H

#include <linux/kernel.h>

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action,
			     void *data);
	int priority;
};

#define NOTIFY_OK		1
#define NOTIFY_BAD		2
#define notifier_from_errno(err) ((err) ? NOTIFY_BAD : NOTIFY_OK)

#endif
