// SPDX-License-Identifier: GPL-2.0
/*
 * Accounted objects are charged to a control group, and the charge goes when they do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char root[] = "/sys/fs/cgroup";
static const char group[] = "/sys/fs/cgroup/slabtest";

/* Bytes of slab memory the group is charged for, or -1. */
static long charged(void)
{
	char *text = text_read_all("/sys/fs/cgroup/slabtest/memory.stat"), *line = text;
	long bytes = -1;

	while (line && bytes < 0) {
		if (!strncmp(line, "slab ", 5))
			bytes = strtol(line + 5, NULL, 10);
		line = strchr(line, '\n');
		line += line ? 1 : 0;
	}
	free(text);
	return bytes;
}

static bool make_group(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	return !text_write(path, "+memory") && !mkdir(group, 0755) && charged() >= 0;
}

/* In the group: have the module allocate in our name. Ends with an errno. */
static int charge_here(unsigned int count)
{
	int error = -text_write("/sys/fs/cgroup/slabtest/cgroup.procs", "0");

	return error ?: -module_order("charge %u", count);
}

static int charge(unsigned int count)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (!child)
		_exit(charge_here(count));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* The counters are batched per CPU and flushed every two seconds. */
static long settle(long low, long high)
{
	long bytes = charged();

	for (int i = 0; i < 50 && (bytes < low || bytes > high); i++) {
		sleep_ms(100);
		bytes = charged();
	}
	return bytes;
}

/* Guards: charged when allocated, whole; uncharged when freed, by whomever. */
void check_memcg_charge(struct check *check)
{
	const unsigned int count = 8000;
	const long bytes = 512L * count, slack = 256 * 1024;
	long seen;
	int error;

	if (allocator_is("SLOB")) {
		check_skip(check, "SLOB accounts nothing");
		return;
	}
	if (!module_there() || !make_group()) {
		check_skip(check, "no memory controller, or no module");
		return;
	}
	error = charge(count);
	if (error)
		check_fail(check, "cannot charge %u objects: %s", count, strerror(error));
	seen = settle(bytes, 3 * bytes / 2 + slack);
	check_note(check, "%ld bytes of objects, charged %ld", bytes, seen);
	if (seen < bytes || seen > 3 * bytes / 2 + slack)
		check_fail(check, "%ld bytes of objects, charged %ld", bytes, seen);
	module_order("uncharge");
	seen = settle(0, slack);
	if (seen > slack)
		check_fail(check, "no object is left, charged %ld", seen);
	rmdir(group);
}
