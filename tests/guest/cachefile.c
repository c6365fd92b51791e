// SPDX-License-Identifier: GPL-2.0
/*
 * A file of /sys/kernel/slab/CACHE: "TOTAL C0=.. N0=..", what belongs to each CPU and node.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

const char held_cache[] = "slabtest_held";

void cache_path(char *path, size_t size, const char *cache, const char *file)
{
	snprintf(path, size, "/sys/kernel/slab/%s/%s", cache, file);
}

/* False where the text is none of that form. */
bool cache_number_parse(const char *text, struct cache_number *number)
{
	char *rest;

	memset(number, 0, sizeof(*number));
	number->total = strtoul(text, &rest, 10);
	if (rest == text)
		return false;
	while (*rest == ' ') {
		unsigned long value;
		unsigned int id;
		char kind;
		int length;

		if (sscanf(rest, " %c%u=%lu%n", &kind, &id, &value, &length) != 3)
			return false;
		if (kind == 'N' && id < MAX_NODES)
			number->node[id] = value;
		else if (kind == 'C' && id < MAX_CPUS)
			number->cpu[id] = value;
		else
			return false;
		number->sum += value;
		number->entries++;
		rest += length;
	}
	return !strcmp(rest, "\n");
}

/* 0, or -errno; -EBADMSG where the file says something else. */
int cache_number_read(const char *cache, const char *file, struct cache_number *number)
{
	char path[256], text[8192];
	long got;

	cache_path(path, sizeof(path), cache, file);
	got = text_read(path, text, sizeof(text));
	if (got < 0)
		return got;
	return cache_number_parse(text, number) ? 0 : -EBADMSG;
}

/* The total, or -errno. */
long cache_value(const char *cache, const char *file)
{
	struct cache_number number;
	int error = cache_number_read(cache, file, &number);

	return error ?: (long)number.total;
}

/* Whether objects of a cache are watched. Then each is taken out of its slab, and nothing waits. */
bool cache_is_watched(const char *cache)
{
	static const char * const ways[] = {
		"sanity_checks", "red_zone", "poison", "store_user", "trace",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (cache_value(cache, ways[i]) > 0)
			return true;
	return false;
}

/* The kernel's answer: 0 or -errno. */
int cache_set(const char *cache, const char *file, const char *value)
{
	char path[256];

	cache_path(path, sizeof(path), cache, file);
	return text_write(path, value);
}

/* False, and a skip noted, where caches are not shown, or by another allocator. */
bool cache_files_promised(struct check *check)
{
	if (!allocator_is("SLQB"))
		check_skip(check, "files of SLQB's");
	else if (access("/sys/kernel/slab", F_OK))
		check_skip(check, "this kernel has no /sys/kernel/slab: SLQB_SYSFS");
	else
		return true;
	return false;
}

/* The same where nothing is counted. */
bool counters_promised(struct check *check)
{
	if (!cache_files_promised(check))
		return false;
	if (access("/sys/kernel/slab/kmem_cache/alloc", F_OK)) {
		check_skip(check, "this kernel counts nothing: SLQB_STATS");
		return false;
	}
	return true;
}

/* Run on one CPU from now on; on any, where that is negative. */
bool move_to(int cpu)
{
	bool online[MAX_CPUS];
	cpu_set_t set;

	CPU_ZERO(&set);
	cpus_online(online);
	for (int i = 0; i < MAX_CPUS && i < CPU_SETSIZE; i++)
		if (cpu < 0 ? online[i] : i == cpu)
			CPU_SET(i, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* An empty cache first, then that many objects from each CPU. */
bool hold_from_all(struct check *check, unsigned int each)
{
	bool online[MAX_CPUS];
	int error = module_order("hold 1") ?: module_order("release") ?: module_order("shrink");

	cpus_online(online);
	for (int cpu = 0; cpu < MAX_CPUS && !error; cpu++) {
		if (!online[cpu])
			continue;
		move_to(cpu);
		error = module_order("more %u", each);
	}
	move_to(-1);
	if (error)
		check_fail(check, "objects are not to be had: %s", strerror(-error));
	return !error;
}

/* How many of the held objects lie on each node. */
void held_nodes(struct cache_number *number)
{
	char text[1024], line[1100];

	memset(number, 0, sizeof(*number));
	if (!module_word("held_nodes", text, sizeof(text)))
		return;
	snprintf(line, sizeof(line), "0 %s\n", text);
	cache_number_parse(line, number);
}

/* A kernel without NUMA tells of no nodes, though it has the one. */
bool nodes_are_told(void)
{
	return !access("/sys/devices/system/node", F_OK);
}
