// SPDX-License-Identifier: GPL-2.0
/*
 * The machine asked for against the machine found. A test on the wrong machine proves nothing, so
 * this comes first and everything hangs on it.
 *
 *   spec: node ('+' node)* ['@' row ('/' row)*]
 *   node: cpus ':' mib        row: distance (',' distance)*
 *
 * Guests number nodes as they like: some permutation must fit CPUs, memory and distances at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

struct shape {
	unsigned int nodes;
	unsigned int cpus[MAX_NODES];
	unsigned long mib[MAX_NODES];
	unsigned int distance[MAX_NODES][MAX_NODES];
};

/* What firmware may keep of a node's memory. */
static const unsigned long slack_mib = 4;

static const char node_root[] = "/sys/devices/system/node";

static bool parse_rows(const char *text, struct shape *shape)
{
	for (unsigned int i = 0; i < shape->nodes; i++) {
		for (unsigned int j = 0; j < shape->nodes; j++) {
			char *end;

			shape->distance[i][j] = strtoul(text, &end, 10);
			if (end == text)
				return false;
			text = end + (*end != '\0');
		}
	}
	return true;
}

static bool parse_shape(const char *text, struct shape *shape)
{
	char *end;

	*shape = (struct shape){ .distance[0][0] = 10 };
	for (;;) {
		if (shape->nodes == MAX_NODES)
			return false;
		shape->cpus[shape->nodes] = strtoul(text, &end, 10);
		if (*end != ':')
			return false;
		shape->mib[shape->nodes++] = strtoul(end + 1, &end, 10);
		if (*end == '@')
			return parse_rows(end + 1, shape);
		if (*end != '+')
			return *end == '\0' && shape->nodes == 1;
		text = end + 1;
	}
}

/* Pages present in the zones of each node. */
static void find_memory(unsigned long *pages)
{
	char *text = text_read_all("/proc/zoneinfo"), *rest = text, *line;
	unsigned long present;
	unsigned int node = 0;

	memset(pages, 0, MAX_NODES * sizeof(*pages));
	while (rest && (line = strsep(&rest, "\n"))) {
		if (!strncmp(line, "Node ", 5))
			node = strtoul(line + 5, NULL, 10);
		else if (sscanf(line, " present %lu", &present) == 1 && node < MAX_NODES)
			pages[node] += present;
	}
	free(text);
}

unsigned int cpus_online(bool *member)
{
	return list_read("/sys/devices/system/cpu/online", member, MAX_CPUS);
}

static void find_node(struct shape *found, unsigned int node, const bool *online)
{
	char path[96], text[1024], *next = text, *end;
	bool member[MAX_CPUS];
	unsigned int column = 0;

	snprintf(path, sizeof(path), "%s/node%u/cpulist", node_root, node);
	found->cpus[found->nodes] = list_read(path, member, MAX_CPUS);
	snprintf(path, sizeof(path), "%s/node%u/distance", node_root, node);
	if (text_read(path, text, sizeof(text)) < 0)
		return;
	for (unsigned int other = 0; other < MAX_NODES; other++) {
		if (!online[other])
			continue;
		found->distance[found->nodes][column++] = strtoul(next, &end, 10);
		next = end;
	}
}

static void find_shape(struct shape *found)
{
	unsigned long pages[MAX_NODES], megabyte = (1 << 20) / sysconf(_SC_PAGESIZE);
	bool online[MAX_NODES], cpus[MAX_CPUS];
	char path[96];

	*found = (struct shape){ .distance[0][0] = 10 };
	find_memory(pages);
	snprintf(path, sizeof(path), "%s/online", node_root);
	if (!list_read(path, online, MAX_NODES)) {
		found->nodes = 1;
		found->cpus[0] = cpus_online(cpus);
		found->mib[0] = (pages[0] + megabyte - 1) / megabyte;
		return;
	}
	for (unsigned int node = 0; node < MAX_NODES; node++) {
		if (!online[node])
			continue;
		found->mib[found->nodes] = (pages[node] + megabyte - 1) / megabyte;
		find_node(found, node, online);
		found->nodes++;
	}
}

static bool fits(const struct shape *asked, const struct shape *found,
		 const unsigned int *as, unsigned int node)
{
	unsigned int here = as[node];

	if (asked->cpus[node] != found->cpus[here] || asked->mib[node] < found->mib[here] ||
	    asked->mib[node] - found->mib[here] > slack_mib ||
	    !asked->mib[node] != !found->mib[here])
		return false;
	for (unsigned int other = 0; other <= node; other++)
		if (asked->distance[node][other] != found->distance[here][as[other]] ||
		    asked->distance[other][node] != found->distance[as[other]][here])
			return false;
	return true;
}

/* Give asked nodes 0 .. node-1 their numbers in the guest; try them all for the next. */
static bool renumber(const struct shape *asked, const struct shape *found,
		     unsigned int *as, bool *taken, unsigned int node)
{
	if (node == asked->nodes)
		return true;
	for (unsigned int here = 0; here < found->nodes; here++) {
		if (taken[here])
			continue;
		as[node] = here;
		taken[here] = true;
		if (fits(asked, found, as, node) && renumber(asked, found, as, taken, node + 1))
			return true;
		taken[here] = false;
	}
	return false;
}

static void spell(const struct shape *shape, char *text, size_t size)
{
	size_t used = 0;

#define ADD(...) (used += snprintf(text + used, used < size ? size - used : 0, __VA_ARGS__))
	for (unsigned int i = 0; i < shape->nodes; i++)
		ADD("%s%u:%lu", i ? "+" : "", shape->cpus[i], shape->mib[i]);
	for (unsigned int i = 0; shape->nodes > 1 && i < shape->nodes; i++)
		for (unsigned int j = 0; j < shape->nodes; j++)
			ADD("%s%u", j ? "," : i ? "/" : "@", shape->distance[i][j]);
#undef ADD
}

static void check_shape(struct check *check)
{
	static struct shape asked, found;
	unsigned int as[MAX_NODES];
	bool taken[MAX_NODES] = { false };
	char text[512];

	find_shape(&found);
	spell(&found, text, sizeof(text));
	check_note(check, "found %s", text);
	if (!check->words->topology[0]) {
		check_skip(check, "no shape was given");
		return;
	}
	if (!parse_shape(check->words->topology, &asked))
		check_fail(check, "cannot read the shape %s", check->words->topology);
	else if (asked.nodes != found.nodes || !renumber(&asked, &found, as, taken, 0))
		check_fail(check, "expected %s, found %s", check->words->topology, text);
}

/* The only group that no filter leaves out. */
bool topology_run(const struct words *words)
{
	static const struct check_case cases[] = { { "shape", check_shape, SHAPED } };
	struct words all = *words;

	strcpy(all.glob, "*");
	return cases_run(&all, "topology", cases, ARRAY_SIZE(cases));
}
