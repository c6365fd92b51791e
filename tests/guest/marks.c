// SPDX-License-Identifier: GPL-2.0
/*
 * What can be written to in /sys/kernel/slab/CACHE: watermarks, shrink, validate. And the life of
 * these files, which come and go with their caches.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static void expect_set(struct check *check, const char *file, const char *value, int wanted)
{
	int got = cache_set(held_cache, file, value);

	if (got != wanted)
		check_fail(check, "%s > %s: %d, not %d", value, file, got, wanted);
}

static void expect_marks(struct check *check, long hiwater, long freebatch)
{
	struct slab_line line = { .limit = 0 };
	long high = cache_value(held_cache, "hiwater");
	long batch = cache_value(held_cache, "freebatch");

	if (high != hiwater || batch != freebatch)
		check_fail(check, "marks %ld and %ld, not %ld and %ld", high, batch, hiwater,
			   freebatch);
	if (!slabinfo_find(held_cache, &line) || (long)line.limit != hiwater ||
	    (long)line.batch != freebatch)
		check_fail(check, "slabinfo says %lu and %lu, not %ld and %ld", line.limit,
			   line.batch, hiwater, freebatch);
}

void put_marks(long hiwater, long freebatch)
{
	char text[32];

	cache_set(held_cache, "freebatch", "1");
	snprintf(text, sizeof(text), "%ld", hiwater);
	cache_set(held_cache, "hiwater", text);
	snprintf(text, sizeof(text), "%ld", freebatch);
	cache_set(held_cache, "freebatch", text);
}

/* With nothing allowed in queues, at most a slab stays for each list and each object that left. */
static void check_no_queue(struct check *check)
{
	long held, objects;

	if (module_state("quarantine") == 1) {
		check_note(check, "KASAN keeps freed objects for a while: none is freed");
		return;
	}
	module_order("hold 2000");
	module_order("keep 3");
	held = module_state("held");
	objects = cache_value(held_cache, "total_objects") - held;
	check_note(check, "hiwater 0: %ld objects besides those in use", objects);
	if (objects > 20 * cache_value(held_cache, "objs_per_slab"))
		check_fail(check, "%ld objects kept with a hiwater of 0", objects);
	module_order("release");
}

/*
 * Guards: the marks may be set to what makes sense, and to nothing else: a batch is never larger
 * than what it is taken from. /proc/slabinfo shows the same ones, and they are obeyed.
 */
void check_sysfs_marks(struct check *check)
{
	long hiwater, freebatch;

	if (!cache_files_promised(check))
		return;
	module_order("hold 1");
	module_order("release");
	hiwater = cache_value(held_cache, "hiwater");
	freebatch = cache_value(held_cache, "freebatch");
	expect_marks(check, hiwater, freebatch);
	if (freebatch < 2 || hiwater < freebatch)
		check_fail(check, "marks %ld and %ld", hiwater, freebatch);

	expect_set(check, "freebatch", "10\n", 0);
	expect_set(check, "hiwater", "40\n", 0);
	expect_marks(check, 40, 10);
	expect_set(check, "hiwater", "9\n", -EINVAL);
	expect_set(check, "hiwater", "0\n", -EINVAL);
	expect_set(check, "freebatch", "41\n", -EINVAL);
	expect_set(check, "freebatch", "0\n", -EINVAL);
	expect_set(check, "freebatch", "many\n", -EINVAL);
	expect_set(check, "hiwater", "-1\n", -EINVAL);
	expect_marks(check, 40, 10);
	expect_set(check, "freebatch", "40\n", 0);
	expect_set(check, "hiwater", "40\n", 0);
	expect_set(check, "freebatch", "1\n", 0);
	expect_set(check, "hiwater", "0\n", 0);
	expect_marks(check, 0, 1);
	check_no_queue(check);
	put_marks(hiwater, freebatch);
	expect_marks(check, hiwater, freebatch);
}

/* Two CPUs of a node with memory, and one that is at home on another: false if there are none. */
static bool find_cpus(int *owner, int *other, int *remote)
{
	bool memory[MAX_NODES], cpus[MAX_CPUS], online[MAX_CPUS];
	char path[128];

	*owner = *other = *remote = -1;
	list_read("/sys/devices/system/node/has_memory", memory, MAX_NODES);
	cpus_online(online);
	for (int node = 0; node < MAX_NODES; node++) {
		int first = -1, second = -1;

		if (!memory[node])
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", node);
		list_read(path, cpus, MAX_CPUS);
		for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
			if (!cpus[cpu] || !online[cpu])
				continue;
			if (first < 0)
				first = cpu;
			else if (second < 0)
				second = cpu;
		}
		if (*owner < 0 && second >= 0) {
			*owner = first;
			*other = second;
		} else if (*remote < 0 && first >= 0) {
			*remote = first;
		}
	}
	return *owner >= 0 && *remote >= 0;
}

static unsigned long counted_on(int cpu, const char *counter)
{
	struct cache_number number;

	cache_number_read(held_cache, counter, &number);
	return number.cpu[cpu];
}

static unsigned long claimed_by(int cpu)
{
	return counted_on(cpu, "claim_remote_list_objects");
}

static unsigned long sent_by(int cpu)
{
	return counted_on(cpu, "flush_rfree_list_objects");
}

/*
 * Have some objects wait in the owner's incoming queue, fewer than a batch: they are freed
 * elsewhere, and sent off when an object of another list follows. The number, or 0 where they were
 * not sent as a whole, or claimed already: the trim may come in between. The module must not be
 * asked for its state meanwhile: it sorts its objects then, and would free them in another order.
 */
static long leave_some(struct check *check, int owner, int other, int remote)
{
	unsigned long claimed, sent, held;

	module_order("release");
	module_order("shrink");
	move_to(other);
	module_order("hold 1");
	move_to(owner);
	held = counted_on(owner, "alloc");
	module_order("more 64");
	held = counted_on(owner, "alloc") - held;
	claimed = claimed_by(owner);
	sent = sent_by(remote);
	move_to(remote);
	module_order("keep 1");
	module_order("release");
	move_to(-1);
	sent = sent_by(remote) - sent;
	check_note(check, "%lu held, %lu sent", held, sent);
	return sent == held && claimed_by(owner) == claimed ? held : 0;
}

/*
 * Guards: objects that wait for a batch to be complete are seen when a smaller batch is asked for,
 * although none is added to them: their owner claims them before it takes new ones.
 */
void check_sysfs_freebatch(struct check *check)
{
	int owner, other, remote;
	unsigned long before, after;
	long hiwater, freebatch, waiting = 0;

	if (!counters_promised(check))
		return;
	if (!find_cpus(&owner, &other, &remote)) {
		check_skip(check, "needs a node with two CPUs, and another with one");
		return;
	}
	module_order("hold 1");
	if (cache_is_watched(held_cache)) {
		check_skip(check, "objects are watched: none waits in a queue");
		module_order("release");
		return;
	}
	hiwater = cache_value(held_cache, "hiwater");
	freebatch = cache_value(held_cache, "freebatch");
	for (int i = 0; i < 20 && waiting < 10; i++) {
		put_marks(4000, 1000);
		waiting = leave_some(check, owner, other, remote);
	}
	if (waiting < 10)
		check_fail(check, "nothing is left waiting");
	before = claimed_by(owner);
	expect_set(check, "freebatch", "1\n", 0);
	move_to(owner);
	module_order("hold 100");
	move_to(-1);
	after = claimed_by(owner);
	check_note(check, "%ld left for CPU %d, %lu claimed", waiting, owner, after - before);
	if (after - before < (unsigned long)waiting)
		check_fail(check, "%lu of %ld waiting objects claimed", after - before, waiting);
	module_order("release");
	put_marks(hiwater, freebatch);
}

/* Guards: writing to shrink gives back all that is free, and anything but 1 is refused. */
void check_sysfs_shrink(struct check *check)
{
	long slabs;

	if (!cache_files_promised(check))
		return;
	if (!hold_from_all(check, 1000))
		return;
	module_order("release");
	expect_set(check, "shrink", "0\n", -EINVAL);
	expect_set(check, "shrink", "1\n", 0);
	slabs = cache_value(held_cache, "slabs");
	if (slabs)
		check_fail(check, "%ld slabs after shrink", slabs);
}

static void validate_all(struct check *check, const char *when)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/kernel/slab");
	double start = seconds_now();

	while (dir && (entry = readdir(dir))) {
		int error;

		if (entry->d_name[0] == '.')
			continue;
		error = cache_set(entry->d_name, "validate", "1\n");
		if (error && error != -ENOENT && error != -ENODEV)
			check_fail(check, "%s: %s: %s", when, entry->d_name, strerror(-error));
	}
	if (dir)
		closedir(dir);
	check_note(check, "%s: %.0f ms", when, 1000 * (seconds_now() - start));
}

/* A free object beside one that is held. There is none where the last one held filled its slab. */
static bool spoil_one(void)
{
	for (int kept = 151; kept > 140; kept--) {
		module_order("keep %d", kept);
		module_order("shrink");
		if (!module_order("spoil"))
			return true;
	}
	return false;
}

/* Guards: sound caches pass, at rest and at work; what is broken is found, and named. */
void check_sysfs_validate(struct check *check)
{
	if (!cache_files_promised(check))
		return;
	validate_all(check, "at rest");
	/* Without pauses a storm on many CPUs leaves this one little of the host. */
	module_order(check->words->brief ? "storm 4000" : "storm");
	for (int i = 0; i < (check->words->soak ? 20 : 1); i++)
		validate_all(check, "at work");
	module_order("calm");

	hold_from_all(check, 300);
	module_order("keep 151");
	module_order("shrink");
	expect_set(check, "validate", "1\n", 0);
	expect_set(check, "validate", "2\n", -EINVAL);
	/* What is found in watched objects has a test of its own, and more to say. */
	if (cache_is_watched(held_cache) || module_state("quarantine") == 1) {
		check_note(check, "objects are watched: none is spoilt");
		module_order("release");
		return;
	}
	if (!spoil_one()) {
		check_fail(check, "found nothing to spoil");
		module_order("release");
		return;
	}
	say("    # expect: 1 BUG slabtest_held: invalid cache");
	expect_set(check, "validate", "1\n", -EIO);
	module_order("mend");
	expect_set(check, "validate", "1\n", 0);
	module_order("release");
}

/* A reader that never stops, of whatever cache has the name at the moment. */
static pid_t start_reader(const char *cache)
{
	static const char * const files[] = { "objects", "slabs", "hiwater", "ctor" };
	char path[256], text[4096];
	pid_t child = fork();

	while (!child) {
		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			cache_path(path, sizeof(path), cache, files[i]);
			text_read(path, text, sizeof(text));
		}
		cache_set(cache, "shrink", "1\n");
		cache_set(cache, "validate", "1\n");
	}
	return child;
}

static void check_open_file(struct check *check)
{
	char path[256], text[64];
	struct stat status;
	int fd;

	module_order("brief 1");
	cache_path(path, sizeof(path), "slabtest_brief", "objects");
	fd = open(path, O_RDONLY);
	if (fd < 0)
		check_fail(check, "%s: %s", path, strerror(errno));
	module_order("brief 0");
	if (read(fd, text, sizeof(text)) >= 0 || errno != ENODEV)
		check_fail(check, "a file of a cache that is gone can be read");
	close(fd);
	if (!lstat("/sys/kernel/slab/slabtest_brief", &status))
		check_fail(check, "the folder of a cache that is gone is there");
}

/*
 * Guards: a cache may go while its files are read and written to; they go with it, and a file that
 * is still open then says so.
 */
void check_sysfs_lifecycle(struct check *check)
{
	pid_t readers[2];
	int error;

	if (!cache_files_promised(check))
		return;
	check_open_file(check);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		readers[i] = start_reader("slabtest_brief");
	error = module_order("cycle %u", check->words->soak ? 2000 : 100);
	if (error)
		check_fail(check, "caches cannot be made: %s", strerror(-error));
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		kill(readers[i], SIGKILL);
		waitpid(readers[i], NULL, 0);
	}
}

/* Guards: caches that are one have one folder, and each name of theirs leads to it. */
void check_sysfs_alias(struct check *check)
{
	static const char * const names[] = { "slabtest_twin_a", "slabtest_twin_b" };
	struct stat status[2];
	bool merged;
	int i;

	if (!cache_files_promised(check))
		return;
	if (module_order("twins 1"))
		check_fail(check, "no twins");
	merged = module_state("merged") > 0;
	check_note(check, "%s", merged ? "one cache" : "many caches");
	for (i = 0; i < 2; i++) {
		char path[256];

		cache_path(path, sizeof(path), names[i], ".");
		if (stat(path, &status[i]))
			check_fail(check, "%s: %s", path, strerror(errno));
		if (cache_value(names[i], "object_size") < 1336)
			check_fail(check, "%s has objects of another size", names[i]);
		if (cache_value(names[i], "aliases") < (merged ? 1 : 0))
			check_fail(check, "%s has no alias", names[i]);
	}
	if ((status[0].st_ino == status[1].st_ino) != merged)
		check_fail(check, "folders %lu and %lu", (unsigned long)status[0].st_ino,
			   (unsigned long)status[1].st_ino);
	module_order("twins 0");
}
