/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_KMEMLEAK_H
#define SHIM_KMEMLEAK_H

#define kmemleak_no_scan(object)		((void)(object))
#define kmemleak_free_recursive(object, flags)	((void)0)
#define kmemleak_alloc_recursive(object, size, count, flags, gfp) ((void)0)

#endif
