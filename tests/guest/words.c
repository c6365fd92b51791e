// SPDX-License-Identifier: GPL-2.0
/*
 * The words the harness leaves on the kernel's command line.
 *
 *   words: word*      word: 'slqbtest.' name '=' value
 *
 * Globs know '*' and '?' and are matched against GROUP.CASE in full.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static const char prefix[] = "slqbtest.";

/* CPUS ':' MIB (',' MIB)* */
static void take_spare(struct words *words, const char *value)
{
	char *next;

	words->spare_cpus = strtoul(value, &next, 10);
	while (*next && next[1] && words->spare_dimms < ARRAY_SIZE(words->spare_mib))
		words->spare_mib[words->spare_dimms++] = strtol(next + 1, &next, 10);
}

static void take_scale(struct words *words, const char *value)
{
	words->soak = !strcmp(value, "soak");
	words->brief = !strcmp(value, "brief");
}

static void take(struct words *words, const char *name, const char *value)
{
	if (!strcmp(name, "seed"))
		words->seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "trim_ms"))
		words->trim_ms = strtoul(value, NULL, 0);
	else if (!strcmp(name, "scale"))
		take_scale(words, value);
	else if (!strcmp(name, "share"))
		sscanf(value, "%u/%u", &words->share, &words->shares);
	else if (!strcmp(name, "suite"))
		snprintf(words->suite, sizeof(words->suite), "%s", value);
	else if (!strcmp(name, "case"))
		snprintf(words->glob, sizeof(words->glob), "%s", value);
	else if (!strcmp(name, "plant"))
		snprintf(words->plant, sizeof(words->plant), "%s", value);
	else if (!strcmp(name, "topology"))
		snprintf(words->topology, sizeof(words->topology), "%s", value);
	else if (!strcmp(name, "spare"))
		take_spare(words, value);
	else
		say("# unknown word %s%s", prefix, name);
}

void words_read(struct words *words)
{
	char *line = text_read_all("/proc/cmdline");
	char *rest = line, *word;

	*words = (struct words){ .seed = 1, .trim_ms = 3000, .suite = "all", .glob = "*" };
	while (rest && (word = strsep(&rest, "\n "))) {
		char *value;

		if (strncmp(word, prefix, strlen(prefix)))
			continue;
		word += strlen(prefix);
		value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = '\0';
		take(words, word, value);
	}
	free(line);
}

bool glob_match(const char *glob, const char *name)
{
	for (; *glob; glob++, name++) {
		if (*glob == '*')
			return glob_match(glob + 1, name) || (*name && glob_match(glob, name + 1));
		if (!*name || (*glob != '?' && *glob != *name))
			return false;
	}
	return !*name;
}

/* Whether some name that begins with start matches. */
bool glob_may_match(const char *glob, const char *start)
{
	for (; *start; glob++, start++) {
		if (*glob == '*')
			return true;
		if (!*glob || (*glob != '?' && *glob != *start))
			return false;
	}
	return true;
}

bool suite_wants(const struct words *words, const char *group)
{
	char list[sizeof(words->suite)], *rest = list, *name;

	strcpy(list, words->suite);
	while ((name = strsep(&rest, ",")))
		if (!strcmp(name, "all") || !strcmp(name, group))
			return true;
	return false;
}
