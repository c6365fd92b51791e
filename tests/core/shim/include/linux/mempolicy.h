/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_MEMPOLICY_H
#define SHIM_MEMPOLICY_H

#define mempolicy_slab_node()	numa_node_id()

#endif
