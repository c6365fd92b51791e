// SPDX-License-Identifier: GPL-2.0
/*
 * What /sys/kernel/slab/CACHE shows of a cache whose objects the module holds, and what the
 * counters of SLQB_STATS must add up to when nobody is at work on it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static const struct {
	const char *name;
	unsigned int mode;
} files[] = {
	{ "slab_size", 0400 }, { "object_size", 0400 }, { "objs_per_slab", 0400 },
	{ "order", 0400 }, { "objects", 0400 }, { "total_objects", 0400 }, { "slabs", 0400 },
	{ "ctor", 0400 }, { "align", 0400 }, { "hwcache_align", 0400 },
	{ "reclaim_account", 0400 }, { "destroy_by_rcu", 0400 }, { "red_zone", 0400 },
	{ "poison", 0400 }, { "store_user", 0400 }, { "cache_dma", 0400 }, { "aliases", 0400 },
	{ "usersize", 0400 }, { "trace", 0400 }, { "sanity_checks", 0400 }, { "partial", 0400 },
	{ "objects_partial", 0400 }, { "hiwater", 0600 }, { "freebatch", 0600 },
	{ "shrink", 0200 }, { "validate", 0200 },
};

static const char * const counters[] = {
	"alloc", "alloc_slab_fill", "alloc_slab_new", "free", "free_remote", "flush_free_list",
	"flush_free_list_objects", "flush_free_list_remote", "flush_slab_partial",
	"flush_slab_free", "flush_rfree_list", "flush_rfree_list_objects", "claim_remote_list",
	"claim_remote_list_objects",
};

static void expect(struct check *check, const char *what, long got, long wanted)
{
	if (got != wanted)
		check_fail(check, "%s: %ld, not %ld", what, got, wanted);
}

static void check_modes(struct check *check)
{
	char path[256];
	struct stat status;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cache_path(path, sizeof(path), held_cache, files[i].name);
		if (stat(path, &status))
			check_fail(check, "%s: %s", path, strerror(errno));
		else if ((status.st_mode & 07777) != files[i].mode)
			check_fail(check, "%s has mode %o", path, status.st_mode & 07777);
	}
}

/* On big-endian Power the code of a function has a dot before its name. */
static void check_ctor(struct check *check)
{
	char path[256], text[256] = "";

	cache_path(path, sizeof(path), held_cache, "ctor");
	if (text_read(path, text, sizeof(text)) <= 0 ||
	    strncmp(text + (*text == '.'), "nothing", 7))
		check_fail(check, "%s: not the module's: %s", path, text);
}

/* The parts are those of nodes, they make the whole, and none belongs to a node without memory. */
static void check_parts(struct check *check, const char *file, struct cache_number *number)
{
	bool memory[MAX_NODES];

	if (cache_number_read(held_cache, file, number)) {
		check_fail(check, "%s cannot be read", file);
		return;
	}
	list_read("/sys/devices/system/node/has_memory", memory, MAX_NODES);
	if (nodes_are_told())
		expect(check, file, number->sum, number->total);
	for (int node = 0; node < MAX_NODES; node++)
		if (number->node[node] && !memory[node])
			check_fail(check, "%s: %lu on node %d, which has no memory", file,
				   number->node[node], node);
}

/*
 * Reads of one moment: a trim may give slabs back between two of them. It only takes them away, so
 * what has as many slabs before as behind stood still.
 */
static bool moved(long *slabs)
{
	long before = *slabs;

	*slabs = cache_value(held_cache, "slabs");
	return *slabs != before;
}

static bool same_nodes(const struct cache_number *one, const struct cache_number *other)
{
	for (int node = 0; node < MAX_NODES && nodes_are_told(); node++)
		if (one->node[node] != other->node[node])
			return false;
	return true;
}

/*
 * The objects in use, once they are those that the module holds: the counts are exact when nobody
 * is at work, and the trim may be.
 */
static void read_objects(struct cache_number *objects, struct cache_number *held)
{
	for (int left = 20; left; left--) {
		held_nodes(held);
		if (!cache_number_read(held_cache, "objects", objects) &&
		    objects->total == held->sum && same_nodes(objects, held))
			return;
		sleep_ms(50);
	}
}

static void check_held(struct check *check)
{
	struct cache_number objects = { .total = 0 }, total, slabs, partial, held;
	long steady = -1;

	read_objects(&objects, &held);
	expect(check, "objects", objects.total, held.sum);
	for (int node = 0; node < MAX_NODES && nodes_are_told(); node++)
		if (objects.node[node] != held.node[node])
			check_fail(check, "node %d: %lu objects in use, not %lu", node,
				   objects.node[node], held.node[node]);
	check_parts(check, "objects", &objects);
	do {
		check_parts(check, "total_objects", &total);
		check_parts(check, "slabs", &slabs);
		check_parts(check, "partial", &partial);
	} while (moved(&steady));
	expect(check, "total_objects", total.total,
	       slabs.total * cache_value(held_cache, "objs_per_slab"));
	if (partial.total > slabs.total)
		check_fail(check, "%lu of %lu slabs partial", partial.total, slabs.total);
}

/*
 * Free all but so many. The allocator has them back, where KASAN does not keep them for a while;
 * it lets go of those of a cache that is shrunk.
 */
static void free_held(unsigned int kept)
{
	module_order("keep %u", kept);
	if (module_state("quarantine") == 1)
		module_order("shrink");
}

/*
 * Guards: every file that is promised is there, with its mode, and says of a cache what the module
 * knows: how many objects are in use and in how many slabs, as a whole and on each node.
 */
void check_sysfs_attributes(struct check *check)
{
	long pages;

	if (!cache_files_promised(check) || !hold_from_all(check, 2003))
		return;
	check_modes(check);
	check_ctor(check);
	expect(check, "object_size", cache_value(held_cache, "object_size"), 256);
	expect(check, "aliases", cache_value(held_cache, "aliases"), 0);
	expect(check, "destroy_by_rcu", cache_value(held_cache, "destroy_by_rcu"), 0);
	check_held(check);
	pages = cache_value(held_cache, "slabs") << cache_value(held_cache, "order");
	expect(check, "pages", pages, module_state("held_pages"));
	free_held(1234);
	check_held(check);
	free_held(0);
	check_held(check);
}

static void reset_counters(struct check *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		if (cache_set(held_cache, counters[i], "0\n"))
			check_fail(check, "%s cannot be reset", counters[i]);
		expect(check, counters[i], cache_value(held_cache, counters[i]), 0);
	}
}

/* What holds whenever nobody is at work, whatever happened since the reset of an empty cache. */
static void check_sums(struct check *check, const char *when)
{
	long alloc = cache_value(held_cache, "alloc"), free = cache_value(held_cache, "free");
	long made, gone, slabs = -1;

	do {
		made = cache_value(held_cache, "alloc_slab_new");
		gone = cache_value(held_cache, "flush_slab_free");
	} while (moved(&slabs));
	check_note(check, "%s: alloc %ld free %ld, slabs +%ld -%ld", when, alloc, free, made, gone);
	expect(check, "alloc - free", alloc - free, module_state("held"));
	expect(check, "alloc_slab_new - flush_slab_free", made - gone, slabs);
}

/* What holds besides when all queues are empty. */
static void check_drained(struct check *check)
{
	long sent = cache_value(held_cache, "flush_rfree_list_objects");
	long claimed = cache_value(held_cache, "claim_remote_list_objects");
	long foreign = cache_value(held_cache, "free_remote") +
		       cache_value(held_cache, "flush_free_list_remote");

	check_note(check, "sent %ld, claimed %ld, foreign %ld", sent, claimed, foreign);
	expect(check, "claimed - sent", claimed, sent);
	expect(check, "sent - foreign", sent, foreign);
}

/*
 * Free all on one CPU; those of all nodes but its home are counted as remote, but for a cache
 * that is watched, where every object goes straight home.
 */
static void release_on(struct check *check, int cpu)
{
	struct cache_number before, after, nodes;
	unsigned long remote;

	held_nodes(&nodes);
	cache_number_read(held_cache, "free_remote", &before);
	module_order("release_on %d", cpu);
	cache_number_read(held_cache, "free_remote", &after);
	remote = after.cpu[cpu] - before.cpu[cpu];
	if (!remote && cache_is_watched(held_cache))
		return;
	/* Which node is its home is the kernel's choice. */
	for (int node = 0; node < MAX_NODES; node++)
		if (nodes.node[node] && nodes.sum - nodes.node[node] == remote)
			return;
	check_fail(check, "CPU %d freed %lu objects, %lu of them remote", cpu, nodes.sum, remote);
}

/*
 * Guards: the counters count. With nobody at work, allocations minus frees are the objects in use,
 * new slabs minus empty ones the slabs, and what was sent to other lists has been claimed.
 */
void check_stats_identities(struct check *check)
{
	bool online[MAX_CPUS];

	if (!counters_promised(check) || !hold_from_all(check, 1))
		return;
	module_order("release");
	module_order("shrink");
	reset_counters(check);
	if (!hold_from_all(check, 700))
		return;
	module_order("spread 100");
	check_sums(check, "held");
	module_order("keep 300");
	check_sums(check, "some freed");
	module_order("shrink");
	check_sums(check, "drained");
	check_drained(check);
	cpus_online(online);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!online[cpu] || !hold_from_all(check, 200))
			continue;
		release_on(check, cpu);
		check_sums(check, "freed on one CPU");
	}
	module_order("shrink");
	check_sums(check, "empty");
	check_drained(check);
	expect(check, "slabs", cache_value(held_cache, "slabs"), 0);
}

/* A line of debugfs: "C0 12 3 .."; adds up its columns. */
static bool add_line(char *line, unsigned long *sums, size_t count)
{
	char *word = strsep(&line, " ");
	size_t i = 0;

	if (!word || (word[0] != 'C' && word[0] != 'N'))
		return false;
	while (i < count && (word = strsep(&line, " ")))
		sums[i++] += strtoul(word, NULL, 10);
	return i == count && !line;
}

/* A trim may count while all this is read, so what debugfs says lies between two looks at sysfs. */
static void check_debugfs(struct check *check)
{
	unsigned long sums[ARRAY_SIZE(counters)] = { 0 }, before[ARRAY_SIZE(counters)], after;
	char *text, *rest, *line;

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		before[i] = cache_value(held_cache, counters[i]);
	rest = text = text_read_all("/sys/kernel/debug/slab/slabtest_held/stats");
	if (!text) {
		check_note(check, "this kernel has no debugfs");
		return;
	}
	line = strsep(&rest, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (!strstr(line, counters[i]))
			check_fail(check, "debugfs has no %s", counters[i]);
	while ((line = strsep(&rest, "\n")) && *line)
		if (!add_line(line, sums, ARRAY_SIZE(counters)))
			check_fail(check, "debugfs: a strange line");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		after = cache_value(held_cache, counters[i]);
		if (sums[i] < before[i] || sums[i] > after)
			check_fail(check, "debugfs: %s: %lu, but in sysfs %lu and then %lu",
				   counters[i], sums[i], before[i], after);
	}
	free(text);
}

/*
 * Guards: a counter's parts make its total, a reset leaves nothing, and nothing else can be
 * written; debugfs has the same numbers.
 */
void check_stats_format(struct check *check)
{
	struct cache_number number;

	if (!counters_promised(check) || !hold_from_all(check, 100))
		return;
	/* So that the lists of nodes count, too. */
	module_order("spread 100");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		if (cache_number_read(held_cache, counters[i], &number))
			check_fail(check, "%s cannot be read", counters[i]);
		expect(check, counters[i], number.sum, number.total);
		expect(check, counters[i], cache_set(held_cache, counters[i], "1\n"), -EINVAL);
	}
	if (!cache_value(held_cache, "alloc"))
		check_fail(check, "nothing was counted");
	check_debugfs(check);
	module_order("release");
	module_order("shrink");
	reset_counters(check);
}
