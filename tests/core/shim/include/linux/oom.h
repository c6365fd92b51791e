/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_OOM_H
#define SHIM_OOM_H

#include <linux/notifier.h>

int register_oom_notifier(struct notifier_block *nb);

#endif
