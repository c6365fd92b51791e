// SPDX-License-Identifier: GPL-2.0
/*
 * What SLQB costs in this machine, in numbers for the harness:
 *
 *   cpu node            the structures of one cache for each CPU, and for each node
 *   caches cpus nodes   how many there are
 *   fixed               those structures of all caches, and the descriptors of the caches
 *   list                the most that the free list of a CPU may hold of one cache
 *   queue               the same with the outgoing and the incoming queue
 *   all_queues          the most in all queues of all caches: CPUs plus nodes of them
 *   waiting             what waits in queues and slabs now
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "guest.h"

static unsigned long cpu_bytes, node_bytes;

/* The kernel says it when it boots; later the line may have left its buffer. */
void bounds_read(void)
{
	enum { READ_ALL = 3, BUFFER_SIZE = 10 };
	int size = klogctl(BUFFER_SIZE, NULL, 0);
	char *log = size > 0 ? malloc(size + 1) : NULL;
	const char *line;

	if (!log)
		return;
	size = klogctl(READ_ALL, log, size);
	log[size > 0 ? size : 0] = '\0';
	line = strstr(log, "SLQB: HWalign=");
	line = line ? strstr(line, "Bytes=") : NULL;
	if (line)
		sscanf(line, "Bytes=%lu/CPU+%lu/node", &cpu_bytes, &node_bytes);
	free(log);
}

static unsigned int count_list(const char *path)
{
	bool member[MAX_CPUS];

	return list_read(path, member, MAX_CPUS);
}

/* The most bytes in the free list of one CPU or node. */
static unsigned long list_bytes(const struct slab_line *line)
{
	return line->limit * line->size;
}

/* An incoming queue may be as long, until its owner has seen to it; a batch is on its way out. */
static unsigned long queue_bytes(const struct slab_line *line)
{
	return (2 * line->limit + line->batch + 1) * line->size;
}

static void tell(const char *name, unsigned long value, const char *unit)
{
	say("# measure: bounds.%s %lu %s", name, value, unit);
}

void bounds_tell(void)
{
	unsigned long most_list = 0, most_queue = 0, all = 0, waiting = 0, descriptor = 0;
	unsigned int cpus = count_list("/sys/devices/system/cpu/possible");
	unsigned int nodes = count_list("/sys/devices/system/node/has_memory");
	struct slab_line *lines;
	long count = slabinfo_read(&lines);

	nodes += !nodes;	/* a kernel that knows of none */
	if (!cpu_bytes || count <= 0)
		return;
	for (long i = 0; i < count; i++) {
		const struct slab_line *line = &lines[i];

		if (!strcmp(line->name, "kmem_cache"))
			descriptor = line->size;
		if (list_bytes(line) > most_list)
			most_list = list_bytes(line);
		if (queue_bytes(line) > most_queue)
			most_queue = queue_bytes(line);
		all += queue_bytes(line) * (cpus + nodes);
		waiting += (line->objects - line->active) * line->size;
	}
	tell("cpu", cpu_bytes, "bytes");
	tell("node", node_bytes, "bytes");
	tell("caches", count, "caches");
	tell("cpus", cpus, "CPUs");
	tell("nodes", nodes, "nodes");
	tell("fixed", count * (cpus * cpu_bytes + nodes * node_bytes + descriptor), "bytes");
	tell("list", most_list, "bytes");
	tell("queue", most_queue, "bytes");
	tell("all_queues", all, "bytes");
	tell("waiting", waiting, "bytes");
	free(lines);
}

/*
 * Guards: no CPU may keep more of a cache than the stated bound, whatever the page size: a
 * mebibyte in its free list, or four objects where they are larger.
 */
void check_slabinfo_bytes(struct check *check)
{
	const unsigned long bound = 1 << 20;
	struct slab_line *lines;
	long count;

	if (!allocator_is("SLQB")) {
		check_skip(check, "a promise of SLQB's");
		return;
	}
	count = slabinfo_read(&lines);
	for (long i = 0; i < count; i++) {
		if (list_bytes(&lines[i]) > bound && lines[i].limit > 4)
			check_fail(check, "%s: %lu objects of %lu in a list", lines[i].name,
				   lines[i].limit, lines[i].size);
		if (!lines[i].limit || lines[i].batch > lines[i].limit)
			check_fail(check, "%s: marks %lu and %lu", lines[i].name, lines[i].limit,
				   lines[i].batch);
	}
	if (count <= 0)
		check_fail(check, "no slabinfo");
	if (!cpu_bytes || !node_bytes)
		check_fail(check, "the kernel did not say what a cache costs");
	check_note(check, "%lu bytes for each CPU of a cache, %lu for each node", cpu_bytes,
		   node_bytes);
	free(lines);
}
