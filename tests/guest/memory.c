// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is put online and taken offline again. It goes online for the kernel: a block that
 * may only hold what can be moved holds no slab, and would test nothing.
 *
 * A node without CPUs is used by nobody who does not name it, so it can be had empty again. One
 * with CPUs is where the kernel itself then allocates, and may have to stay.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

/* What the module's "place" gets */
#define PLACED 5000
#define PLACED_SIZE 256

/* A node all of whose memory is offline. */
struct plugged {
	unsigned int node;
	unsigned int cpu;		/* one of its own, if it has any */
	bool has_cpu;
	unsigned int count;
	unsigned int blocks[64];
};

static bool block_is(unsigned int block, const char *state)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%u/state", block);
	return text_read(path, text, sizeof(text)) > 0 && !strncmp(text, state, strlen(state));
}

static int block_set(unsigned int block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%u/state", block);
	return text_write(path, state);
}

static void find_blocks(struct plugged *plugged)
{
	struct dirent *entry;
	unsigned int block;
	char path[96];
	DIR *folder;

	plugged->count = 0;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", plugged->node);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "memory%u", &block) != 1 ||
		    plugged->count == ARRAY_SIZE(plugged->blocks))
			continue;
		if (!block_is(block, "offline")) {
			plugged->count = 0;
			break;
		}
		plugged->blocks[plugged->count++] = block;
	}
	if (folder)
		closedir(folder);
}

static void find_cpu(struct plugged *plugged)
{
	bool member[MAX_CPUS];
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", plugged->node);
	plugged->has_cpu = list_read(path, member, MAX_CPUS);
	for (plugged->cpu = 0; plugged->has_cpu && !member[plugged->cpu]; plugged->cpu++)
		;
}

/* A node to be put online, with CPUs or without. */
static bool find_plugged(struct check *check, struct plugged *plugged, bool with_cpu)
{
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return false;
	}
	for (plugged->node = 0; plugged->node < MAX_NODES; plugged->node++) {
		find_cpu(plugged);
		if (plugged->has_cpu != with_cpu)
			continue;
		find_blocks(plugged);
		if (plugged->count)
			return true;
	}
	check_skip(check, "no node %s CPUs has memory to put online", with_cpu ? "with" : "without");
	return false;
}

static bool go_online(struct check *check, const struct plugged *plugged)
{
	for (unsigned int i = 0; i < plugged->count; i++) {
		int error = block_set(plugged->blocks[i], "online_kernel");

		if (!error)
			continue;
		check_fail(check, "memory %u of node %u does not go online: %s",
			   plugged->blocks[i], plugged->node, strerror(-error));
		return false;
	}
	return true;
}

/* 0, or why the first block that cannot go does not. */
static int go_offline(const struct plugged *plugged)
{
	int error = 0;

	for (unsigned int i = 0; i < plugged->count && !error; i++)
		if (!block_is(plugged->blocks[i], "offline"))
			error = block_set(plugged->blocks[i], "offline");
	return error;
}

/* Free objects wait in queues until somebody shrinks the cache, or SLQB's trim has seen them. */
static int go_offline_soon(const struct plugged *plugged, unsigned int limit, bool shrink)
{
	unsigned int waited = 0;
	int error;

	for (;;) {
		if (shrink)
			module_order("settle");
		else
			cpus_visit();
		error = go_offline(plugged);
		if (!error || waited >= limit)
			return error;
		sleep_ms(50);
		waited += 50;
	}
}

static void place(struct check *check, const char *how, unsigned int where, unsigned int node)
{
	int error = module_order("%s %u", how, where);

	if (error)
		check_fail(check, "%s %u: %s", how, where, strerror(-error));
	else if (module_state("placed_node") != (long)node)
		check_fail(check, "%s %u: objects on node %ld, not on %u", how, where,
			   module_state("placed_node"), node);
}

/* Lists that SLQB has for nodes, in all caches. */
static unsigned long node_lists(void)
{
	struct slab_line line = { .active = 0 };

	slabinfo_find("kmem_cache_node", &line);
	return line.active;
}

/* Once online, used, in the way, given back, and offline. */
static void come_and_go(struct check *check, const struct plugged *plugged, bool shrink)
{
	unsigned long before = node_lists();
	int error;

	if (!go_online(check, plugged))
		return;
	place(check, "place", plugged->node, plugged->node);
	error = go_offline(plugged);
	if (error != -EBUSY)
		check_fail(check, "node %u with objects in use: %s", plugged->node,
			   error ? strerror(-error) : "went offline");
	module_order("unplace");
	error = go_offline_soon(plugged, shrink ? 1000 : trim_patience_ms(check), shrink);
	if (error)
		check_fail(check, "node %u does not go offline%s: %s", plugged->node,
			   shrink ? "" : " after a trim", strerror(-error));
	module_order("displace");
	/* The others keep them for the next time. */
	if (allocator_is("SLQB") && node_lists() != before)
		check_fail(check, "%lu lists of nodes, %lu before", node_lists(), before);
}

/*
 * Guards: memory that was put online serves those who name its node, also caches that are made
 * then. It cannot go while an object of it is in use. Once they are free it can, after a shrink
 * or by itself, and no structure of the node is left.
 */
void check_memory_offline(struct check *check)
{
	unsigned int rounds = check->words->soak ? 100 : check->words->brief ? 1 : 4;
	struct plugged plugged;
	bool trims;

	if (!find_plugged(check, &plugged, false))
		return;
	trims = allocator_is("SLQB") && check->words->trim_ms;
	for (unsigned int round = 0; round < rounds && !check->failures; round++) {
		come_and_go(check, &plugged, !trims || round % 2 == 0);
		if (round % 10 == 9)
			check_note(check, "%u of %u rounds", round + 1, rounds);
	}
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}

/*
 * Guards: when memory comes to the node of a CPU that had none, the CPU is at home there from then
 * on, and what it held of another node is not lost.
 */
void check_memory_home(struct check *check)
{
	long away, full, after, pages;
	struct plugged plugged;

	if (!find_plugged(check, &plugged, true))
		return;
	if (module_order("place_on %u", plugged.cpu))
		check_fail(check, "objects are not to be had on CPU %u", plugged.cpu);
	away = module_state("placed_node");
	module_order("displace");
	if (module_order("hold_on %u", plugged.cpu))
		check_fail(check, "objects are not to be had");
	if (!go_online(check, &plugged))
		return;
	place(check, "place_on", plugged.cpu, plugged.node);
	module_order("displace");

	full = module_state("slab_pages");
	pages = module_state("held_pages");
	module_order("release_on %u", plugged.cpu);
	module_order("shrink");
	after = module_state("slab_pages");
	if (full - after < pages * 3 / 4)
		check_fail(check, "%ld of %ld pages came back after the CPU moved", full - after, pages);
	if (go_offline_soon(&plugged, 500, true)) {
		check_note(check, "node %u is in use by the kernel, and stays", plugged.node);
		return;
	}
	place(check, "place_on", plugged.cpu, away);
	module_order("displace");
}

/* Blocks that wait are given to the kernel, which may then have objects in them. */
void memory_all_online(struct check *check)
{
	DIR *folder = opendir("/sys/devices/system/memory");
	struct dirent *entry;
	unsigned int block;

	while (folder && (entry = readdir(folder))) {
		int error;

		if (sscanf(entry->d_name, "memory%u", &block) != 1 || !block_is(block, "offline"))
			continue;
		error = block_set(block, "online_kernel");
		/* On Power the kernel puts online what comes, and may have been quicker. */
		if (error && block_is(block, "offline"))
			check_fail(check, "memory %u does not go online: %s", block,
				   strerror(-error));
	}
	if (folder)
		closedir(folder);
}

/* A cache without a list for the node finds none of the slabs it has there, and takes new ones. */
static void expect_packed(struct check *check, unsigned int node)
{
	long pages = module_state("placed_pages"), bytes = pages * sysconf(_SC_PAGESIZE);

	if (bytes > 8 * PLACED * PLACED_SIZE)
		check_fail(check, "%ld pages for %d objects on node %u", pages, PLACED, node);
}

/* Objects asked for on a node come from there, for all nodes that have memory. */
void nodes_used(struct check *check)
{
	bool member[MAX_NODES];

	if (!list_read("/sys/devices/system/node/has_memory", member, MAX_NODES))
		return;
	for (unsigned int node = 0; node < MAX_NODES; node++) {
		if (!member[node])
			continue;
		place(check, "place", node, node);
		expect_packed(check, node);
		module_order("unplace");
	}
}
