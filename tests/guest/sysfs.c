// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/slab, where the allocator shows its caches there: every attribute can be read, and
 * those that all such allocators have agree with each other.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static const char root[] = "/sys/kernel/slab";

static long attribute(const char *cache, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/%s", root, cache, name);
	return text_number(path);
}

/* A cache may go between the listing and the look; that is no fault. */
static bool gone(const char *cache)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", root, cache);
	return access(path, F_OK);
}

static void check_numbers(struct check *check, const char *cache)
{
	long objects = attribute(cache, "objects"), total = attribute(cache, "total_objects");
	long slabs = attribute(cache, "slabs"), per_slab = attribute(cache, "objs_per_slab");
	long size = attribute(cache, "slab_size"), object_size = attribute(cache, "object_size");
	long order = attribute(cache, "order");

	if (gone(cache))
		return;
	if (per_slab < 1 || object_size < 1 || size < object_size || order < 0 ||
	    per_slab * size > sysconf(_SC_PAGESIZE) << order)
		check_fail(check, "%s: %ld objects of %ld (%ld) in a slab of order %ld", cache,
			   per_slab, size, object_size, order);
	/* Read one after the other: a busy cache may move between two of them. */
	if (total >= 0 && slabs >= 0 && labs(total - slabs * per_slab) > 16 * per_slab &&
	    total > slabs * per_slab)
		check_fail(check, "%s: %ld objects in %ld slabs of %ld", cache, total, slabs,
			   per_slab);
	if (objects >= 0 && total >= 0 && objects > total + 16 * per_slab)
		check_fail(check, "%s: %ld of %ld objects in use", cache, objects, total);
}

static void check_readable(struct check *check, const char *cache)
{
	char path[512], text[8192];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", root, cache);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct stat status;
		long got;

		if (fstatat(dirfd(dir), entry->d_name, &status, 0) ||
		    !S_ISREG(status.st_mode) || !(status.st_mode & 0400))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%.200s", root, cache, entry->d_name);
		got = text_read(path, text, sizeof(text));
		/* 38, ENOSYS: how SLUB says that it does not count that without debugging. */
		if (got < 0 && got != -38 && !gone(cache))
			check_fail(check, "%s: %s", path, strerror(-got));
		if (got > 0 && text[got - 1] != '\n')
			check_fail(check, "%s does not end its line", path);
	}
	if (dir)
		closedir(dir);
}

/* Guards: the files can be read, and their numbers are those of one cache. */
void check_sysfs_slab(struct check *check)
{
	struct dirent *entry;
	unsigned int caches = 0;
	DIR *dir = opendir(root);

	if (!dir) {
		check_skip(check, "this kernel has no %s", root);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		caches++;
		/* A link is one more name of a folder that is looked at by itself. */
		if (entry->d_type == DT_LNK && !gone(entry->d_name))
			continue;
		check_readable(check, entry->d_name);
		check_numbers(check, entry->d_name);
	}
	closedir(dir);
	if (!caches)
		check_fail(check, "%s is empty", root);
}
