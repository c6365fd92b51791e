/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_TRACE_EVENTS_KMEM_H
#define SHIM_TRACE_EVENTS_KMEM_H

#define trace_kmem_cache_alloc(...)	((void)0)
#define trace_kmem_cache_free(...)	((void)0)

#endif
