// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of the allocator, as tracefs shows them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static const char root[] = "/sys/kernel/debug/tracing";

static int set(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return text_write(path, value);
}

static char *trace(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/trace", root);
	return text_read_all(path);
}

/* Lines with all of these in them. */
static unsigned int lines_with(const char *text, const char *event, const char *more,
			       const char *most)
{
	unsigned int count = 0;

	for (const char *line = text; line && *line;) {
		size_t length = strcspn(line, "\n");
		char copy[512];

		snprintf(copy, sizeof(copy), "%.*s", (int)(length < 500 ? length : 500), line);
		count += strstr(copy, event) && strstr(copy, more) && strstr(copy, most);
		line += length + !!line[length];
	}
	return count;
}

static bool watch(const char *event, const char *filter)
{
	char name[96];

	snprintf(name, sizeof(name), "events/kmem/%s/filter", event);
	if (set(name, filter))
		return false;
	snprintf(name, sizeof(name), "events/kmem/%s/enable", event);
	return !set(name, "1");
}

static void expect(struct check *check, unsigned int seen, unsigned int least, unsigned int most,
		   const char *event)
{
	check_note(check, "%s: %u events", event, seen);
	if (seen < least || seen > most)
		check_fail(check, "%s: %u events, not %u to %u", event, seen, least, most);
}

/* Guards: each allocation and each free is one event, with the cache and both sizes in it. */
void check_tracepoints(struct check *check)
{
	const char *own = "name == \"slabtest_held\"";
	struct slab_line line, large;
	char sizes[64], rounded[64], *text;
	bool there;

	if (access(root, F_OK) || !module_there()) {
		check_skip(check, "this kernel is built without tracing, or there is no module");
		return;
	}
	/* The objects that trace themselves are not to be in the way. */
	module_order("release");
	set("trace", "");
	if (!watch("kmem_cache_alloc", "bytes_req == 256") || !watch("kmem_cache_free", own) ||
	    !watch("kmalloc", "bytes_req == 2047") || set("tracing_on", "1"))
		check_fail(check, "cannot set %s", root);
	module_order("hold 300");
	there = slabinfo_find("slabtest_held", &line);
	module_order("kmalloc 2047");
	module_order("release");
	set("events/kmem/enable", "0");
	text = trace();
	if (!slabinfo_find("kmalloc-2k", &large))
		large.size = 2048;
	snprintf(rounded, sizeof(rounded), "bytes_alloc=%lu ", large.size);
	snprintf(sizes, sizeof(sizes), "bytes_req=256 bytes_alloc=%lu", there ? line.size : 0);
	expect(check, lines_with(text, "kmem_cache_alloc:", "[slabtest]", sizes), 300, 300,
	       "kmem_cache_alloc");
	expect(check, lines_with(text, "kmem_cache_free:", "name=slabtest_held", ""), 300, 300,
	       "kmem_cache_free");
	expect(check, lines_with(text, "kmalloc:", "bytes_req=2047 ", rounded), 1, 1,
	       "kmalloc");
	free(text);
	set("trace", "");
}
