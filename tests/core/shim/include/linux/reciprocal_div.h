/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_RECIPROCAL_DIV_H
#define SHIM_RECIPROCAL_DIV_H

#include <linux/kernel.h>

/* Division is as quick as anything else here */
struct reciprocal_value {
	u32 divisor;
};

#define reciprocal_value(d)	((struct reciprocal_value) { d })
#define reciprocal_divide(n, r)	((u32)(n) / (r).divisor)

#endif
