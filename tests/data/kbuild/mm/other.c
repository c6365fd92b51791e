// SPDX-License-Identifier: GPL-2.0
#include <linux/slqb_def.h>

int other(int x)
{
	return twice(x) + 1;
}
