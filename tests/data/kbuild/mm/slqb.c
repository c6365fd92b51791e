// SPDX-License-Identifier: GPL-2.0
#include <linux/slqb_def.h>

int slqb(int x);

int slqb(int x)
{
	return twice(x);
}
