/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_CACHE_H
#define SHIM_CACHE_H

#define L1_CACHE_BYTES		64
#define SMP_CACHE_BYTES		L1_CACHE_BYTES
#define cache_line_size()	L1_CACHE_BYTES
#define ____cacheline_aligned_in_smp __attribute__((aligned(L1_CACHE_BYTES)))

#endif
