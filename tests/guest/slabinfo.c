// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/slabinfo, version 2.1: a line a cache, and what its numbers must satisfy.
 *
 *   NAME active objects size perslab pages : tunables L B S : slabdata active_slabs slabs avail
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static const char path[] = "/proc/slabinfo";
static const char version[] = "slabinfo - version: 2.1\n";

static bool parse_line(const char *text, struct slab_line *line)
{
	static const char form[] =
		"%63s %lu %lu %lu %lu %lu : tunables %lu %lu %lu : slabdata %lu %lu %lu";

	return sscanf(text, form, line->name, &line->active, &line->objects, &line->size,
		      &line->per_slab, &line->pages, &line->limit, &line->batch, &line->shared,
		      &line->active_slabs, &line->slabs, &line->available) == 12;
}

/* The lines, to be freed; their number, or -errno. -EBADMSG: not what version 2.1 looks like. */
long slabinfo_read(struct slab_line **lines)
{
	char *text = text_read_all(path), *rest = text, *line;
	size_t size = 0, count = 0;

	*lines = NULL;
	if (!text)
		return -errno;
	if (strncmp(text, version, strlen(version))) {
		free(text);
		return -EBADMSG;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#' || !strncmp(line, version, strlen(version) - 1))
			continue;
		if (count == size) {
			size = size ? 2 * size : 128;
			*lines = realloc(*lines, size * sizeof(**lines));
			if (!*lines)
				abort();
		}
		if (!parse_line(line, &(*lines)[count++])) {
			free(text);
			return -EBADMSG;
		}
	}
	free(text);
	return count;
}

bool slabinfo_find(const char *name, struct slab_line *line)
{
	struct slab_line *lines;
	long count = slabinfo_read(&lines);
	bool found = false;

	for (long i = 0; i < count && !found; i++) {
		found = !strcmp(lines[i].name, name);
		if (found)
			*line = lines[i];
	}
	free(lines);
	return found;
}

/* False, and a skip or a failure noted, where there is nothing to look at. */
static bool read_or_skip(struct check *check, struct slab_line **lines, long *count)
{
	*count = slabinfo_read(lines);
	if (*count == -ENOENT)
		check_skip(check, "this kernel has no %s", path);
	else if (*count == -EBADMSG)
		check_fail(check, "%s is not of version 2.1", path);
	else if (*count <= 0)
		check_fail(check, "%s: %s", path, *count ? strerror(-*count) : "no cache in it");
	else
		return true;
	free(*lines);
	return false;
}

/*
 * Guards: a line's numbers agree with each other. Where a slab may be of a lower order than usual
 * (SLUB, short of memory) it holds fewer objects, so the product is a bound there.
 */
void check_slabinfo_format(struct check *check)
{
	struct slab_line *lines;
	long count;

	if (!read_or_skip(check, &lines, &count))
		return;
	for (long i = 0; i < count; i++) {
		struct slab_line *line = &lines[i];
		unsigned long product = line->slabs * line->per_slab;

		if (line->active > line->objects)
			check_fail(check, "%s: %lu of %lu objects active", line->name, line->active,
				   line->objects);
		if (line->active_slabs > line->slabs)
			check_fail(check, "%s: %lu of %lu slabs active", line->name,
				   line->active_slabs, line->slabs);
		if (line->objects > product || (line->pages == 1 && line->objects != product))
			check_fail(check, "%s: %lu objects in %lu slabs of %lu", line->name,
				   line->objects, line->slabs, line->per_slab);
		if (!line->per_slab || !line->pages || !line->size ||
		    line->per_slab * line->size > line->pages * sysconf(_SC_PAGESIZE))
			check_fail(check, "%s: %lu objects of %lu bytes in %lu pages", line->name,
				   line->per_slab, line->size, line->pages);
	}
	free(lines);
}

static long sum_kib(const struct slab_line *lines, long count)
{
	unsigned long pages = 0;

	for (long i = 0; i < count; i++)
		pages += lines[i].slabs * lines[i].pages;
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long counted_kib(void)
{
	text_write("/proc/sys/vm/stat_refresh", "1");
	return meminfo_kib("/proc/meminfo", "Slab");
}

/*
 * Guards: every page of a slab is counted in /proc/meminfo, once. Slab also counts what kmalloc
 * passes to the page allocator, so it may be larger, by a margin that a leak would burst. What
 * tests before this one left is trimmed meanwhile: on a slow host much of it between two looks.
 */
void check_slabinfo_sum(struct check *check)
{
	const long slack = 2048, margin = 8192;
	struct slab_line *lines;
	long count, listed, before, after, least, most;

	/* So much that what is counted twice, or not at all, is more than the margin. */
	if (module_there())
		module_order("hold 80000");
	before = counted_kib();
	if (!read_or_skip(check, &lines, &count)) {
		module_order("release");
		return;
	}
	after = counted_kib();
	listed = sum_kib(lines, count);
	free(lines);
	module_order("release");
	least = before < after ? before : after;
	most = before < after ? after : before;
	if (most + slack < listed || least > listed + listed / 4 + margin)
		check_fail(check, "slabinfo lists %ld kB, meminfo counts %ld kB to %ld kB", listed,
			   least, most);
	check_note(check, "slabinfo lists %ld kB, meminfo counts %ld kB to %ld kB", listed, least,
		   most);
}

/* Hold count objects of a cache that cannot be merged (it has a constructor), and look. */
static bool hold_and_find(struct check *check, unsigned long count, struct slab_line *line)
{
	int error;

	if (!module_there() || access(path, R_OK)) {
		check_skip(check, "this kernel has no %s", path);
		return false;
	}
	error = module_order("hold %lu", count);
	if (error)
		check_fail(check, "cannot hold %lu objects: %s", count, strerror(-error));
	else if (!slabinfo_find(held_cache, line))
		check_fail(check, "%s is not in %s", held_cache, path);
	else
		return true;
	return false;
}

/*
 * The numbers are exact when nobody is at work. The trim may be, with what tests before this one
 * freed: it is done soon.
 */
static bool held_is_active(struct slab_line *line, unsigned long *held)
{
	for (int left = 20; left; left--) {
		*held = module_state("held");
		if (slabinfo_find(held_cache, line) && *held <= line->active &&
		    line->active <= line->objects)
			return true;
		sleep_ms(50);
	}
	return false;
}

/* Guards: objects in use are counted as active, and no cache has fewer objects than that. */
void check_slabinfo_held(struct check *check)
{
	static const unsigned long counts[] = { 1, 17, 1000, 20011 };
	struct slab_line line;
	unsigned long held;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!hold_and_find(check, counts[i], &line))
			break;
		if (!held_is_active(&line, &held))
			check_fail(check, "%lu held, %lu active of %lu", held, line.active,
				   line.objects);
		module_order("release");
	}
	module_order("release");
}

/* The numbers are exact when nobody is at work: who was kicked by a full queue may still be. */
static void expect_active(struct check *check, const char *when)
{
	unsigned long held = module_state("held");
	struct slab_line line = { .active = 0 };

	for (int left = 20; left; left--) {
		if (slabinfo_find(held_cache, &line) && line.active == held)
			return;
		sleep_ms(50);
	}
	check_fail(check, "%s: %lu in use, %lu active", when, held, line.active);
}

/*
 * Guards: objects that wait in a queue are not in use. A promise of SLQB's: the others count what
 * their CPUs hold. Some objects are freed before the last looks, so that queues are not empty.
 */
void check_slabinfo_exact(struct check *check)
{
	struct slab_line line;

	if (!slqb_promises(check))
		return;
	if (!hold_and_find(check, 5000, &line))
		return;
	expect_active(check, "held");
	module_order("keep 1234");
	expect_active(check, "some freed");
	module_order("release");
	expect_active(check, "all freed");
}

/* The order by SLQB's rule: a quarter of a slab may be wasted, then twice the size is tried once. */
static unsigned int order_by_rule(unsigned long size)
{
	unsigned long page = sysconf(_SC_PAGESIZE);
	unsigned int least = 0;

	while (size > page << least)
		least++;
	for (unsigned int order = least; order <= 1; order++)
		if ((page << order) % size <= (page << order) / 4)
			return order;
	return least;
}

/*
 * Guards: slabs are as small as their objects allow: larger ones are hard to come by once memory is
 * in pieces, and are kept by a single object. A promise of SLQB's.
 */
void check_slabinfo_order(struct check *check)
{
	struct slab_line *lines;
	long count;

	if (!slqb_promises(check))
		return;
	if (cmdline_names("slqb_min_order") || cmdline_names("slqb_max_order")) {
		check_skip(check, "the order of slabs was given at boot");
		return;
	}
	if (!read_or_skip(check, &lines, &count))
		return;
	for (long i = 0; i < count; i++)
		if (lines[i].pages != 1UL << order_by_rule(lines[i].size))
			check_fail(check, "%s: slabs of %lu pages for objects of %lu bytes",
				   lines[i].name, lines[i].pages, lines[i].size);
	free(lines);
}
