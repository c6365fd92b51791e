// SPDX-License-Identifier: GPL-2.0
/*
 * All that the kernel has, counted before and after work that leaves nothing behind: objects in use of
 * every cache, memory of the CPUs, and pages that are neither free nor a slab.
 *
 * Other parts of the kernel keep something now and then. A loss goes on: what is told of has grown in
 * each of three rounds, one after the other.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define MOST 512
#define ROUNDS 3

/* Something counted, and by how much it may grow in a round. */
struct item {
	char name[64];
	long value;
	long slack;
};

struct census {
	unsigned int count;
	struct item items[MOST];
};

static void add_item(struct census *census, const char *name, long value, long slack)
{
	struct item *item = &census->items[census->count];

	if (value < 0 || census->count == MOST)
		return;
	snprintf(item->name, sizeof(item->name), "%s", name);
	item->value = value;
	item->slack = slack;
	census->count++;
}

/*
 * Have free slabs go back to the page allocator, where caches can be told to. SLUB counts as in use
 * what its CPUs have at hand, so it is told for all of them; else those will do that were at work.
 */
static void shrink_caches(void)
{
	static const char * const busy[] = {
		"dentry", "shmem_inode_cache", "filp", "vm_area_struct", "anon_vma", "cred_jar",
		"task_struct", "mm_struct", "kmalloc-cg-1k", "kmalloc-64", "kmalloc-192", "kmalloc-1k",
		"kmalloc-4k",
	};
	DIR *folder = allocator_is("SLUB") ? opendir("/sys/kernel/slab") : NULL;
	struct dirent *entry;

	for (size_t i = 0; !folder && i < ARRAY_SIZE(busy); i++)
		cache_set(busy[i], "shrink", "1\n");
	while (folder && (entry = readdir(folder)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			cache_set(entry->d_name, "shrink", "1\n");
	if (folder)
		closedir(folder);
}

/* After what the kernel keeps for later, entries and inodes of files, has been given back. */
static void count_all(struct census *census, long slack)
{
	struct slab_line *lines;
	long count;

	/* The first word says: without a line on the console. Twice, for what is given to RCU. */
	text_write("/proc/sys/vm/drop_caches", "4");
	for (int i = 0; i < 2; i++) {
		text_write("/proc/sys/vm/drop_caches", "3");
		module_order("settle_rcu");
	}
	shrink_caches();
	census->count = 0;
	add_item(census, "pages that are neither free nor slabs",
		 meminfo_kib("/proc/meminfo", "MemTotal") / (sysconf(_SC_PAGESIZE) / 1024) -
		 module_state("known_pages"), 8);
	add_item(census, "kB of per-CPU memory", meminfo_kib("/proc/meminfo", "Percpu"), 12);
	count = slabinfo_read(&lines);
	for (long i = 0; i < count; i++)
		add_item(census, lines[i].name, lines[i].active, slack);
	free(lines);
}

static const struct item *find_item(const struct census *census, const char *name)
{
	for (unsigned int i = 0; i < census->count; i++)
		if (!strcmp(census->items[i].name, name))
			return &census->items[i];
	return NULL;
}

/* Of what grew before, only what has grown again stays; how much of that there is. */
static unsigned int sift(struct census *grown, const struct census *before,
			 const struct census *after)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < grown->count; i++) {
		const struct item *old = find_item(before, grown->items[i].name);
		const struct item *new = find_item(after, grown->items[i].name);

		if (!old || !new || new->value <= old->value + old->slack)
			continue;
		grown->items[kept] = *new;
		grown->items[kept++].value = new->value - old->value;
	}
	grown->count = kept;
	return kept;
}

/* Work once for what stays for good, and then until nothing has grown all the time. */
static void nothing_grows(struct check *check, void (*work)(struct check *check), long slack)
{
	static struct census before, after, grown;

	work(check);
	count_all(&before, slack);
	grown = before;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		work(check);
		count_all(&after, slack);
		if (!sift(&grown, &before, &after))
			return;
		before = after;
	}
	for (unsigned int i = 0; i < grown.count; i++)
		check_fail(check, "%s: %ld more in the last of %u rounds, and more in each before",
			   grown.items[i].name, grown.items[i].value, ROUNDS);
}

#define CYCLES 60

static void make_and_destroy(struct check *check)
{
	int error = module_order("cycle %u", CYCLES);

	if (error)
		check_fail(check, "caches cannot be made: %s", strerror(-error));
}

/*
 * Guards: a cache that was made, used and destroyed leaves nothing: none of its structures, no name,
 * no file, no memory of the CPUs, no page.
 */
void check_cycle_leaves(struct check *check)
{
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	nothing_grows(check, make_and_destroy, CYCLES / 3);
}

/* Names too long to be kept in the entry itself are objects of their own. */
static void some_names(unsigned int turn)
{
	char path[96], other[128];

	for (unsigned int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "/tmp/a-name-that-is-kept-beside-its-entry-%u-%u", turn, i);
		snprintf(other, sizeof(other), "%s-renamed", path);
		if (i % 3 == 0)
			mkdir(path, 0700);
		else if (i % 3 == 1)
			close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
		else if (symlink("/nowhere", path))
			continue;
		rename(path, other);
		if (i % 3 == 0)
			rmdir(other);
		else
			unlink(other);
	}
}

static void some_files(void)
{
	int pipes[2], event = eventfd(0, EFD_CLOEXEC), poll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event wanted = { .events = EPOLLIN };
	char text[100] = "there and back";

	if (!pipe2(pipes, O_CLOEXEC)) {
		if (write(pipes[1], text, sizeof(text)) == sizeof(text))
			epoll_ctl(poll, EPOLL_CTL_ADD, pipes[0], &wanted);
		close(pipes[0]);
		close(pipes[1]);
	}
	epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted);
	close(poll);
	close(event);
}

static void some_memory(void)
{
	const size_t size = 64 * 1024;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	memory[size / 2] = 1;
	mprotect(memory + size / 4, size / 2, PROT_READ);
	munmap(memory, size);
}

static void some_process(void)
{
	pid_t child = fork();

	if (!child) {
		setpgid(0, 0);
		some_memory();
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void kernel_work(struct check *check)
{
	unsigned int turns = check->words->brief ? 40 : 60;

	for (unsigned int turn = 0; turn < turns; turn++) {
		some_names(turn);
		some_files();
		some_memory();
		if (turn % 2)
			some_process();
	}
	/* Slabs of the caches of kmalloc as well. */
	module_order("queue 2");
}

/*
 * Guards: of what the kernel itself allocates, processes, files, names, pipes, mappings, nothing is
 * lost, however rarely, nor are pages of slabs that are given back.
 */
void check_kernel_returns(struct check *check)
{
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	nothing_grows(check, kernel_work, 8);
}
