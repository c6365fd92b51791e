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
static int charge_here(const char *order, unsigned int count)
{
	int error = -text_write("/sys/fs/cgroup/slabtest/cgroup.procs", "0");

	return error ?: -module_order("%s %u", order, count);
}

static int charge(const char *order, unsigned int count)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (!child)
		_exit(charge_here(order, count));
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

static bool group_there(struct check *check)
{
	if (allocator_is("SLOB"))
		check_skip(check, "SLOB accounts nothing");
	else if (!module_there() || !make_group())
		check_skip(check, "no memory controller, or no module");
	else
		return true;
	return false;
}

/* Objects come by one order and go by the other; the group pays for them as long as they are there. */
static void charge_and_return(struct check *check, const char *come, const char *go)
{
	const unsigned int count = 8000;
	const long bytes = 512L * count, slack = 256 * 1024;
	int error = charge(come, count);
	long seen;

	if (error)
		check_fail(check, "cannot %s %u: %s", come, count, strerror(error));
	seen = settle(bytes, 3 * bytes / 2 + slack);
	check_note(check, "%s: %ld bytes of objects, charged %ld", come, bytes, seen);
	if (seen < bytes || seen > 3 * bytes / 2 + slack)
		check_fail(check, "%s: %ld bytes of objects, charged %ld", come, bytes, seen);
	module_order(go);
	seen = settle(0, slack);
	if (seen > slack)
		check_fail(check, "%s: no object is left, charged %ld", go, seen);
}

/* Guards: charged when allocated, whole; uncharged when freed, by whomever. */
void check_memcg_charge(struct check *check)
{
	if (!group_there(check))
		return;
	charge_and_return(check, "charge", "uncharge");
	rmdir(group);
}

/* A group is charged for a while for what its CPUs may take next, 64 pages each. */
static void expect_nothing_paid(struct check *check)
{
	bool online[MAX_CPUS];
	long slack = 64 * sysconf(_SC_PAGESIZE) * (cpus_online(online) + 1), paid = 0;

	for (int i = 0; i < 30; i++) {
		paid = text_number("/sys/fs/cgroup/slabtest/memory.current");
		if (paid <= slack)
			return;
		sleep_ms(50);
	}
	check_fail(check, "a bulk could not be had, and %ld bytes are paid for it", paid);
}

/*
 * Guards: the same for many objects by one call, whichever way they came and went. A bulk of which not
 * all could be had costs nothing: a promise of SLQB's.
 */
void check_memcg_bulk(struct check *check)
{
	/* More than the machine has, so that it is refused, and than what is overlooked. */
	const long total = meminfo_kib("/proc/meminfo", "MemTotal");
	int error;

	if (!group_there(check))
		return;
	charge_and_return(check, "charge_bulk", "uncharge");
	charge_and_return(check, "charge", "uncharge_bulk");
	/* SLUB of 6.1 gives back the charge of those it had only, and the group stays for ever. */
	error = allocator_is("SLQB") ? charge("charge_fail", total / 4) : 0;
	if (error)
		check_fail(check, "a bulk that cannot be had: %s", strerror(error));
	expect_nothing_paid(check);
	rmdir(group);
}
