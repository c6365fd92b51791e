/* SPDX-License-Identifier: GPL-2.0 */
/* Nobody is watched in this machine; the templates ask what there would be. */
#ifndef SHIM_LINUX_STACKDEPOT_H
#define SHIM_LINUX_STACKDEPOT_H

unsigned int stack_depot_save(unsigned long *entries, unsigned int nr, unsigned int gfp);
void stack_depot_want_early_init(void);

#endif
