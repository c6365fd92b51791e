/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_JIFFIES_H
#define SHIM_JIFFIES_H

#define HZ			100
#define INITIAL_JIFFIES		((unsigned long)(-300 * HZ))
#define jiffies			(machine.now)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define time_before(a, b)	(!time_after_eq(a, b))
#define time_in_range(a, b, c)	(time_after_eq(a, b) && time_after_eq(c, a))
#define msecs_to_jiffies(ms)	(((unsigned long)(ms) * HZ + 999) / 1000)
#define round_jiffies_up_relative(j)	(j)

#endif
