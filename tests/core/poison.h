/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that nobody may touch: the sanitizer sees to it */
#ifndef POISON_H
#define POISON_H

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define poison(address, size)	__asan_poison_memory_region(address, size)
#define unpoison(address, size)	__asan_unpoison_memory_region(address, size)
#else
#define poison(address, size)	((void)(address), (void)(size))
#define unpoison(address, size)	((void)(address), (void)(size))
#endif

#endif
