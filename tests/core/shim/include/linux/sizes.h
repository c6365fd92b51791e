/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_SIZES_H
#define SHIM_SIZES_H

#define SZ_4K		(4 << 10)
#define SZ_64K		(64 << 10)
#define SZ_1M		(1 << 20)

#endif
