/* SPDX-License-Identifier: GPL-2.0 */
/* What every kernel file takes for granted: words, warnings, arithmetic */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "machine.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;
typedef unsigned int gfp_t;
typedef unsigned int slab_flags_t;
typedef struct {
	int counter;
} atomic_t;

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define noinline		__attribute__((noinline))
#define fallthrough		__attribute__((fallthrough))
#define __maybe_unused		__attribute__((unused))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define __cold			__attribute__((cold))
#define __read_mostly
#define __ro_after_init
#define __init
#define __percpu
#define __user
#define __rcu

#define __CONFIG_SECOND(_, value, ...) value
#define __CONFIG_IF_1 0,
#define __CONFIG_VALUE(junk_or_zero) __CONFIG_SECOND(junk_or_zero 1, 0)
#define __CONFIG_PASTE(value) __CONFIG_VALUE(__CONFIG_IF_##value)
#define IS_ENABLED(option)	__CONFIG_PASTE(option)

/* Other CPUs get a chance wherever the code admits that they exist. */
#define READ_ONCE(x)							\
	({								\
		machine_breathe();					\
		*(const volatile __typeof__(x) *)&(x);			\
	})
#define WRITE_ONCE(x, value)						\
	({								\
		machine_breathe();					\
		*(volatile __typeof__(x) *)&(x) = (value);		\
	})
#define smp_store_release(p, value)	WRITE_ONCE(*(p), value)
#define smp_load_acquire(p)		READ_ONCE(*(p))
#define smp_wmb()			machine_breathe()
#define smp_rmb()			machine_breathe()
#define smp_mb()			machine_breathe()
#define xchg(p, value)							\
	({								\
		__typeof__(*(p)) __old;					\
		machine_breathe();					\
		__old = *(p);						\
		*(p) = (value);						\
		__old;							\
	})

#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define min_t(type, a, b)						\
	({ type __a = (a), __b = (b); __a < __b ? __a : __b; })
#define max_t(type, a, b)						\
	({ type __a = (a), __b = (b); __a > __b ? __a : __b; })
#define min(a, b)							\
	({ __auto_type __x = (a); __auto_type __y = (b);		\
	   __typeof__(__x + __y) __p = __x, __q = __y; __p < __q ? __p : __q; })
#define max(a, b)							\
	({ __auto_type __x = (a); __auto_type __y = (b);		\
	   __typeof__(__x + __y) __p = __x, __q = __y; __p > __q ? __p : __q; })
#define clamp(value, low, high)	min(max(value, low), high)
#define ALIGN_DOWN(x, a)	((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN(x, a)		ALIGN_DOWN((x) + (__typeof__(x))(a) - 1, a)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define BIT(n)			(1UL << (n))
#define swab(x)			__builtin_bswap64(x)
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define static_assert		_Static_assert
#define BUILD_BUG_ON(x)		static_assert(!(x), #x)
#define _RET_IP_		((unsigned long)__builtin_return_address(0))
#define __stringify(x)		#x
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)

/* No warning is expected: the first one ends the history. */
#define WARN(condition, ...)						\
	({								\
		bool __bad = !!(condition);				\
		if (unlikely(__bad))					\
			fail("WARN: " __VA_ARGS__);			\
		__bad;							\
	})
#define WARN_ON(condition)						\
	WARN(condition, "%s at %s:%d", #condition, __FILE__, __LINE__)
#define WARN_ONCE		WARN
#define WARN_ON_ONCE		WARN_ON
#define VM_WARN_ON_ONCE		WARN_ON
#define VM_WARN_ON		WARN_ON
#define pr_err(...)		machine_print(__VA_ARGS__)
#define pr_warn(...)		machine_print(__VA_ARGS__)
#define pr_info(...)		machine_log(__VA_ARGS__)
#define panic(...)		fail("panic: " __VA_ARGS__)

#define __initcall(level, fn)						\
	static void __attribute__((constructor)) enter_##fn(void)	\
	{								\
		machine_initcall(level, fn);				\
	}
#define early_initcall(fn)	__initcall(0, fn)
#define subsys_initcall(fn)	__initcall(1, fn)
#define device_initcall(fn)	__initcall(2, fn)
#define late_initcall(fn)	__initcall(3, fn)
#define __setup(word, fn)						\
	static void __attribute__((constructor)) enter_##fn(void)	\
	{								\
		machine_setup(word, fn);				\
	}

int kstrtouint(const char *text, unsigned int base, unsigned int *result);

struct list_head {
	struct list_head *next, *prev;
};

#endif
