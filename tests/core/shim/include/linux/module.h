/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_MODULE_H
#define SHIM_MODULE_H

#include <linux/kernel.h>

struct kernel_param;

struct kernel_param_ops {
	int (*set)(const char *text, const struct kernel_param *param);
	int (*get)(char *buffer, const struct kernel_param *param);
};

struct kernel_param {
	const struct kernel_param_ops *ops;
	void *arg;
};

#define module_param_cb(name, operations, variable, mode)		\
	static const struct kernel_param param_##name = {		\
		.ops = (operations),					\
		.arg = (variable),					\
	}

int param_set_uint(const char *text, const struct kernel_param *param);
int param_get_uint(char *buffer, const struct kernel_param *param);

#endif
