// SPDX-License-Identifier: GPL-2.0
/*
 * slqbinfo, the tool of the series: what it prints of a cache whose objects the module holds.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define ONE_CACHE "^slabtest_held$"
#define SOME_CACHES "^(kmalloc-(8|64|1k)|slabtest_held)$"

static const char tool[] = "/bin/slqbinfo";

/* What it prints and how it ends, with two options at most and a pattern. */
struct printed {
	char text[1 << 18];
	int status;
};

static struct printed printed;

static void run_tool(const char *one, const char *two, const char *pattern)
{
	size_t size = 0;
	int ends[2];
	ssize_t got;
	pid_t child;

	if (pipe(ends))
		return;
	child = fork();
	if (!child) {
		const char *argv[5] = { tool };
		int count = 1;

		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		if (one)
			argv[count++] = one;
		if (two)
			argv[count++] = two;
		if (pattern)
			argv[count++] = pattern;
		execv(tool, (char * const *)argv);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], printed.text + size, sizeof(printed.text) - 1 - size)) > 0)
		size += got;
	printed.text[size] = '\0';
	close(ends[0]);
	waitpid(child, &printed.status, 0);
	printed.status = WIFEXITED(printed.status) ? WEXITSTATUS(printed.status) : -1;
}

static bool tool_promised(struct check *check)
{
	if (!cache_files_promised(check))
		return false;
	if (access(tool, X_OK)) {
		check_skip(check, "no %s in this guest", tool);
		return false;
	}
	return true;
}

static void expect_status(struct check *check, const char *what, int status)
{
	if (printed.status != status)
		check_fail(check, "%s: ends with %d: %.200s", what, printed.status, printed.text);
}

/* What follows a label at the start of a line, or NULL. */
static const char *after(const char *label)
{
	size_t length = strlen(label);
	const char *line = printed.text;

	while (line && *line) {
		if (!strncmp(line, label, length) && line[length] == ' ')
			return line + length;
		line = strchr(line, '\n');
		line += !!line;
	}
	return NULL;
}

static void expect_number(struct check *check, const char *label, unsigned long wanted)
{
	const char *rest = after(label);

	if (!rest)
		check_fail(check, "no line %s in %.300s", label, printed.text);
	else if (strtoul(rest, NULL, 10) != wanted)
		check_fail(check, "%s: %.20s, not %lu", label, rest, wanted);
}

/* The number in a column of the line of a cache, counted from 1 behind the name. */
static long column(const char *cache, int number)
{
	const char *rest = after(cache);

	while (rest && number-- > 1) {
		rest += strspn(rest, " ");
		rest += strcspn(rest, " ");
	}
	return rest ? strtol(rest, NULL, 10) : -1;
}

static void expect_column(struct check *check, int number, long wanted)
{
	long got = column(held_cache, number);

	if (got != wanted)
		check_fail(check, "column %d: %ld, not %ld in %.300s", number, got, wanted,
			   printed.text);
}

/* Guards: the sums over caches are those of what the module holds. */
void check_slqbinfo_totals(struct check *check)
{
	long held, bytes, caches;

	if (!tool_promised(check) || !hold_from_all(check, 1001))
		return;
	held = module_state("held");
	bytes = module_state("held_pages") * sysconf(_SC_PAGESIZE);
	run_tool("-T", NULL, ONE_CACHE);
	expect_status(check, "-T", 0);
	expect_number(check, "Caches", 1);
	expect_number(check, "Objects in use", held);
	expect_number(check, "Slabs", cache_value(held_cache, "slabs"));
	expect_number(check, "Bytes", bytes);
	expect_number(check, "Bytes in use", 256 * held);
	expect_number(check, "Bytes not in use", bytes - 256 * held);
	run_tool("-T", NULL, NULL);
	caches = after("Caches") ? strtol(after("Caches"), NULL, 10) : 0;
	if (caches < 20 || !after("Bytes") || strtol(after("Bytes"), NULL, 10) <= bytes)
		check_fail(check, "-T of all: %.300s", printed.text);
	module_order("release");
}

/* Each line "  FILE NUMBER" of the report is what the file says. Returns how many there are. */
static unsigned int compare_report(struct check *check)
{
	char *rest = printed.text, *line;
	unsigned int compared = 0;

	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n"))) {
		unsigned long number;
		char file[64];

		if (sscanf(line, "  %63[a-z_] %lu", file, &number) != 2)
			continue;
		if (cache_value(held_cache, file) < 0)
			continue;
		compared++;
		if (cache_value(held_cache, file) != (long)number)
			check_fail(check, "%s: %lu, the file says %ld", file, number,
				   cache_value(held_cache, file));
	}
	return compared;
}

/* Guards: the report on a cache is what its files say, and those say what the module holds. */
void check_slqbinfo_report(struct check *check)
{
	struct cache_number nodes;
	unsigned int compared;
	char wanted[64];

	if (!tool_promised(check) || !hold_from_all(check, 501))
		return;
	/* With empty queues a trim changes nothing between two looks. */
	module_order("shrink");
	run_tool("-r", NULL, ONE_CACHE);
	expect_status(check, "-r", 0);
	expect_number(check, "  objects", module_state("held"));
	expect_number(check, "  object_size", 256);
	expect_number(check, "  bytes in use", 256 * module_state("held"));
	held_nodes(&nodes);
	for (int node = 0; node < MAX_NODES && nodes_are_told(); node++) {
		if (!nodes.node[node])
			continue;
		snprintf(wanted, sizeof(wanted), " N%d=%lu", node, nodes.node[node]);
		if (!strstr(printed.text, wanted))
			check_fail(check, "no%s in %.300s", wanted, printed.text);
	}
	compared = compare_report(check);
	check_note(check, "%u numbers compared", compared);
	if (compared < 20)
		check_fail(check, "%u numbers compared", compared);
	module_order("release");
}

/* Guards: the busiest cache comes first, with the counts of what the module did. */
void check_slqbinfo_activity(struct check *check)
{
	unsigned long last = ~0UL;
	char *rest = printed.text, *line;
	unsigned int lines = 0;
	long held;

	if (!tool_promised(check))
		return;
	if (access("/sys/kernel/slab/kmem_cache/alloc", F_OK)) {
		run_tool("-A", NULL, NULL);
		expect_status(check, "-A without counters", 1);
		return;
	}
	hold_from_all(check, 1);
	module_order("release");
	module_order("shrink");
	cache_set(held_cache, "alloc", "0\n");
	cache_set(held_cache, "free", "0\n");
	hold_from_all(check, 600);
	held = module_state("held");
	run_tool("-A", NULL, ONE_CACHE);
	expect_status(check, "-A", 0);
	expect_column(check, 1, held);
	expect_column(check, 2, cache_value(held_cache, "alloc"));
	expect_column(check, 3, cache_value(held_cache, "alloc") - held);
	run_tool("-A", NULL, NULL);
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned long objects, alloc, free;

		if (sscanf(line, "%*s %lu %lu %lu", &objects, &alloc, &free) != 3 ||
		    alloc + free > last)
			check_fail(check, "-A: %s", line);
		last = alloc + free;
		lines++;
	}
	if (lines < 20)
		check_fail(check, "-A has %u lines", lines);
	module_order("release");
}

static void check_orders(struct check *check)
{
	module_order("release");
	run_tool("-s", "-l", ONE_CACHE);
	expect_status(check, "-s", 0);
	expect_column(check, 3, 0);
	run_tool("-v", NULL, SOME_CACHES);
	expect_status(check, "-v", 0);
	run_tool("-e", NULL, SOME_CACHES);
	if (!after(held_cache))
		check_fail(check, "-e does not list an empty cache");
	run_tool("-z", NULL, SOME_CACHES);
	if (!after(held_cache))
		check_fail(check, "-z does not list an empty cache");
	run_tool("-l", NULL, NULL);
	if (after(held_cache))
		check_fail(check, "-l lists an empty cache");
}

/* Who has the objects is told where that is remembered, and the kernel shows it. */
static void check_tracking(struct check *check)
{
	bool tracked = cache_value(held_cache, "store_user") == 1;
	bool shown = users_shown(held_cache);
	const char *traces;

	run_tool("-t", NULL, ONE_CACHE);
	expect_status(check, "-t", tracked && shown ? 0 : 1);
	traces = strstr(printed.text, "slabtest_held: alloc_traces\n");
	if (!traces != !shown)
		check_fail(check, "-t: %.300s", printed.text);
	else if (traces && strtol(strchr(traces, '\n'), NULL, 10) != module_state("held"))
		check_fail(check, "-t: not %ld: %.300s", module_state("held"), traces);
}

/* Guards: lists say what there is, options do what they say, and wrong ones are refused. */
void check_slqbinfo_options(struct check *check)
{
	struct cache_number nodes;

	if (!tool_promised(check) || !hold_from_all(check, 301))
		return;
	run_tool("-l", NULL, NULL);
	expect_status(check, "-l", 0);
	expect_column(check, 1, module_state("held"));
	expect_column(check, 2, 256);
	expect_column(check, 3, cache_value(held_cache, "slabs"));
	run_tool("-S", "-i", SOME_CACHES);
	expect_status(check, "-S -i", 0);
	expect_column(check, 1, module_state("held"));
	run_tool("-n", NULL, ONE_CACHE);
	expect_status(check, "-n", 0);
	held_nodes(&nodes);
	if (!strstr(printed.text, "objects"))
		check_fail(check, "-n: %.300s", printed.text);
	check_tracking(check);
	check_orders(check);
	run_tool("-q", NULL, NULL);
	expect_status(check, "-q", 2);
	run_tool("[", NULL, NULL);
	expect_status(check, "a wrong pattern", 2);
	run_tool("^no_such_cache$", NULL, NULL);
	expect_status(check, "a pattern that matches nothing", 1);
}
