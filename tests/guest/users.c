// SPDX-License-Identifier: GPL-2.0
/*
 * Who has the objects of a cache, where the kernel remembers who allocated and who freed each: the
 * files alloc_traces and free_traces of debugfs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

/* Objects that have come, or gone, the same way. */
struct users {
	unsigned long count;
	char where[128];
	unsigned long youngest, mean, oldest;
	int pid;
	bool cpu[MAX_CPUS], node[MAX_NODES];
	unsigned int cpus, nodes, calls;
};

static void traces_path(char *path, size_t size, const char *cache, const char *file)
{
	snprintf(path, size, "/sys/kernel/debug/slab/%s/%s", cache, file);
}

/* Whether the kernel shows the users of a cache. */
bool users_shown(const char *cache)
{
	char path[256];

	traces_path(path, sizeof(path), cache, "alloc_traces");
	return !access(path, R_OK);
}

/* "  1000 FUNCTION age=1/2/3 pid=1 cpus=0 nodes=0"; false for a line of a stack. */
static bool users_parse(struct users *users, const char *line)
{
	const char *word;

	memset(users, 0, sizeof(*users));
	if (*line == '\t' || sscanf(line, "%lu %127s", &users->count, users->where) != 2)
		return false;
	if ((word = strstr(line, " age=")))
		sscanf(word, " age=%lu/%lu/%lu", &users->youngest, &users->mean, &users->oldest);
	if ((word = strstr(line, " pid=")))
		users->pid = atoi(word + 5);
	if ((word = strstr(line, " cpus=")))
		users->cpus = list_parse(word + 6, users->cpu, MAX_CPUS);
	if ((word = strstr(line, " nodes=")))
		users->nodes = list_parse(word + 7, users->node, MAX_NODES);
	return true;
}

/* What a file tells of the held objects; returns the lines, each with its stack below. */
static unsigned int users_read(struct check *check, const char *file, struct users *list,
			       unsigned int most)
{
	char path[256], *text, *rest, *line;
	unsigned int count = 0;

	traces_path(path, sizeof(path), held_cache, file);
	text = rest = text_read_all(path);
	while (rest && (line = strsep(&rest, "\n"))) {
		if (count < most && users_parse(&list[count], line))
			count++;
		else if (count && *line)
			list[count - 1].calls++;
	}
	if (!text)
		check_fail(check, "%s cannot be read", path);
	free(text);
	return count;
}

static void expect_nodes(struct check *check, const struct users *users)
{
	struct cache_number nodes;

	held_nodes(&nodes);
	for (int node = 0; node < MAX_NODES; node++)
		if (users->node[node] != (nodes.node[node] > 0))
			check_fail(check, "%lu objects on node %d", nodes.node[node], node);
}

/* All were allocated in one place, by this process, on one CPU. */
static void expect_allocated(struct check *check, int cpu)
{
	struct users list[8];
	unsigned int count = users_read(check, "alloc_traces", list, ARRAY_SIZE(list));
	const struct users *one = list;

	if (count != 1) {
		check_fail(check, "%u lines, for objects of one place", count);
		return;
	}
	check_note(check, "%lu by %s, %u calls deep", one->count, one->where, one->calls);
	if (one->count != (unsigned long)module_state("held"))
		check_fail(check, "%lu of %ld objects", one->count, module_state("held"));
	if (!strstr(one->where, "stock_more"))
		check_fail(check, "allocated by %s", one->where);
	if (one->pid != getpid() || one->cpus != 1 || !one->cpu[cpu])
		check_fail(check, "allocated by process %d on %u CPUs", one->pid, one->cpus);
	if (one->youngest > one->mean || one->mean > one->oldest)
		check_fail(check, "ages %lu %lu %lu", one->youngest, one->mean, one->oldest);
	if (one->calls < 3)
		check_fail(check, "a stack of %u", one->calls);
	expect_nodes(check, one);
}

/* Of so many objects that many were in use before, and freed by the module. */
static void expect_freed(struct check *check, unsigned long again)
{
	unsigned long seen = 0, sum = 0, last = ~0UL;
	struct users list[8];
	unsigned int count = users_read(check, "free_traces", list, ARRAY_SIZE(list));

	for (unsigned int i = 0; i < count; i++) {
		sum += list[i].count;
		if (strstr(list[i].where, "stock_keep"))
			seen += list[i].count;
		else if (strcmp(list[i].where, "<not-available>"))
			check_fail(check, "freed by %s", list[i].where);
		if (list[i].count > last)
			check_fail(check, "not in order");
		last = list[i].count;
	}
	if (sum != (unsigned long)module_state("held") || seen != again)
		check_fail(check, "%lu freed before, %lu of them by the module", sum, seen);
}

/*
 * Guards: where users are remembered, the objects in use are counted by who allocated them, and by
 * who freed them in the life before; where they are not, there is no such count.
 */
void check_alloc_traces(struct check *check)
{
	unsigned int fill;

	if (!module_there() || module_order("hold 1") || !users_shown(held_cache)) {
		check_skip(check, "this kernel does not show who uses objects");
		return;
	}
	/* Slabs of their own, the last of which has two, and no objects of KFENCE's. */
	cache_set(held_cache, "skip_kfence", "1\n");
	module_order("release");
	module_order("shrink");
	fill = cache_value(held_cache, "objs_per_slab") * 100;
	move_to(0);
	module_order("hold %u", fill + 2);
	expect_allocated(check, 0);
	expect_freed(check, 0);
	module_order("keep %u", fill + 1);
	module_order("more 1");
	expect_freed(check, 1);
	module_order("release");
	move_to(-1);
	cache_set(held_cache, "skip_kfence", "0\n");
	if (cache_value("kmalloc-64", "store_user") == 0 && users_shown("kmalloc-64"))
		check_fail(check, "who uses kmalloc-64 is not known, and shown");
}
