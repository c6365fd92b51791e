/* SPDX-License-Identifier: GPL-2.0 */
/* Not in this machine: <linux/list_sort.h> */
