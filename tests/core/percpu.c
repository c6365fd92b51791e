// SPDX-License-Identifier: GPL-2.0
/* Per-CPU memory: the static part is copied from the section, the rest is handed out */
#include <linux/cache.h>
#include <linux/percpu.h>

#include <sys/mman.h>

#include "poison.h"

#define UNIT		(64UL << 10)
#define CHUNK		64
#define CHUNKS		(UNIT / CHUNK)

/* Filled by DEFINE_PER_CPU; weak, for there may be none */
extern char __start_percpu[] __attribute__((weak));
extern char __stop_percpu[] __attribute__((weak));

static char *units;
static uint16_t length_at[CHUNKS];	/* chunks of what begins there */
static bool chunk_used[CHUNKS];
static size_t used;

static size_t static_size(void)
{
	return ALIGN((size_t)(__stop_percpu - __start_percpu), (size_t)CHUNK);
}

void percpu_reset(void)
{
	if (!units) {
		units = mmap(NULL, UNIT * NR_CPUS, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (units == MAP_FAILED)
			fail("no memory for per-CPU memory");
	}
	memset(length_at, 0, sizeof(length_at));
	memset(chunk_used, 0, sizeof(chunk_used));
	used = 0;
	for (unsigned int cpu = 0; cpu < machine.nr_cpus; cpu++) {
		char *unit = units + cpu * UNIT;

		unpoison(unit, static_size());
		memcpy(unit, __start_percpu, __stop_percpu - __start_percpu);
		poison(unit + static_size(), UNIT - static_size());
	}
}

void *percpu_address(void *first, unsigned int cpu)
{
	char *address = first;
	char *unit = units + cpu * UNIT;

	if (cpu >= machine.nr_cpus)
		fail("per-CPU memory of CPU %u, which cannot be", cpu);
	if (address >= __start_percpu && address < __stop_percpu)
		return unit + (address - __start_percpu);
	if (address < units || address >= units + UNIT)
		fail("%p is no per-CPU memory", first);
	return unit + (address - units);
}

static size_t find_chunks(size_t nr)
{
	size_t run = 0, i;

	for (i = static_size() / CHUNK; i < CHUNKS; i++) {
		run = chunk_used[i] ? 0 : run + 1;
		if (run == nr)
			return i + 1 - nr;
	}
	return 0;
}

void *percpu_alloc(size_t size, size_t align)
{
	size_t nr = DIV_ROUND_UP(size, CHUNK);
	size_t first = find_chunks(nr);

	if (align > CHUNK)
		fail("shim: per-CPU memory aligned to %zu", align);
	if (!first)
		return NULL;
	length_at[first] = nr;
	memset(&chunk_used[first], 1, nr);
	used += nr;
	for (unsigned int cpu = 0; cpu < machine.nr_cpus; cpu++) {
		char *unit = units + cpu * UNIT;

		unpoison(unit + first * CHUNK, nr * CHUNK);
		memset(unit + first * CHUNK, 0, nr * CHUNK);
	}
	return units + first * CHUNK;
}

void percpu_free(void *first)
{
	size_t chunk = ((char *)first - units) / CHUNK;
	size_t nr;

	if (!first)
		return;
	nr = length_at[chunk];
	if (chunk >= CHUNKS || !nr)
		fail("per-CPU memory is freed that was not allocated");
	for (unsigned int cpu = 0; cpu < machine.nr_cpus; cpu++)
		poison(units + cpu * UNIT + chunk * CHUNK, nr * CHUNK);
	memset(&chunk_used[chunk], 0, nr);
	length_at[chunk] = 0;
	used -= nr;
}

size_t percpu_used(void)
{
	return used * CHUNK;
}
