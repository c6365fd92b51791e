/* SPDX-License-Identifier: GPL-2.0 */
/* A pointer to per-CPU data is an address in the first copy of it */
#ifndef SHIM_PERCPU_H
#define SHIM_PERCPU_H

#include <linux/cpumask.h>

#define PERCPU_DYNAMIC_EARLY_SIZE	(256 << 10)
#define PERCPU_DYNAMIC_EARLY_SLOTS	512

#define DEFINE_PER_CPU(type, name)					\
	__attribute__((section("percpu"))) __typeof__(type) name
#define per_cpu_ptr(ptr, cpu)						\
	((__typeof__(ptr))percpu_address((void *)(ptr), cpu))
#define per_cpu(name, cpu)	(*per_cpu_ptr(&(name), cpu))
#define this_cpu_ptr(ptr)	per_cpu_ptr(ptr, smp_processor_id())
#define raw_cpu_ptr(ptr)	per_cpu_ptr(ptr, raw_smp_processor_id())
#define raw_cpu_read(name)	READ_ONCE(per_cpu(name, raw_smp_processor_id()))
/* One instruction in the kernel: nothing comes between the CPU and its word */
#define this_cpu_inc_return(name)					\
	(++*per_cpu_ptr(&(name), raw_smp_processor_id()))
#define this_cpu_inc(name)	((void)this_cpu_inc_return(name))
#define this_cpu_read(name)	raw_cpu_read(name)
#define alloc_percpu(type)						\
	((type *)percpu_alloc(sizeof(type), __alignof__(type)))
#define free_percpu(ptr)	percpu_free((void *)(ptr))

#endif
