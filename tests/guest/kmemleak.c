// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that nothing points to any more (CONFIG_DEBUG_KMEMLEAK), leaked by the tree's own sample.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

static const char reports[] = "/sys/kernel/debug/kmemleak";
static const char sample[] = "/lib/leak.ko";

/* Sizes of the caches that the sample's objects come from; those for each CPU are of 192 bytes. */
static const unsigned long leaked[] = { 32, 1024, 2048, 4096, 192, 512 };

static bool of_the_sample(const char *record, unsigned long size)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaked); i++)
		if (leaked[i] == size)
			return strstr(record, "comm \"init\"");
	return false;
}

/* Reported objects of that size, of the sample; with size 0 those of anybody else. */
static unsigned int reported(unsigned long wanted)
{
	char *text = text_read_all(reports), *record = text;
	unsigned int count = 0;

	while (record && (record = strstr(record, "unreferenced object 0x"))) {
		char *next = strstr(record + 1, "unreferenced object 0x");
		char *of = strstr(record, "(size ");
		unsigned long size = of ? strtoul(of + 6, NULL, 10) : 0;
		bool mine;

		if (next)
			next[-1] = '\0';
		mine = of_the_sample(record, size);
		count += wanted ? mine && size == wanted : !mine;
		if (!wanted && !mine)
			say("    # kmemleak: %.400s", record);
		record = next;
	}
	free(text);
	return count;
}

/* An object has to be five seconds old, and the same in two scans, before it is suspected. */
static bool scan(void)
{
	sleep_ms(5500);
	return !text_write(reports, "scan") && !text_write(reports, "scan");
}

static bool load(struct check *check)
{
	int fd = open(sample, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && !syscall(SYS_finit_module, fd, "", 0);

	if (fd >= 0)
		close(fd);
	if (!good)
		check_fail(check, "%s does not load", sample);
	return good;
}

static void unload(void)
{
	syscall(SYS_delete_module, "leak", 0);
}

static void expect(struct check *check, unsigned long size, unsigned int least, unsigned int most)
{
	unsigned int seen = reported(size);

	check_note(check, "%lu bytes: %u objects reported", size, seen);
	if (seen < least || seen > most)
		check_fail(check, "%lu bytes: %u objects reported, %u to %u were leaked", size,
			   seen, least, most);
}

/*
 * Guards: an object is watched from its allocation to its free: the ones that were leaked are
 * reported with their size, those in use and those of the allocator are not. A word that looks like
 * a pointer may hide an object, large ones more often, and sometimes both of a pair: the sample
 * leaks several.
 */
void check_kmemleak(struct check *check)
{
	enum { LOADS = 4 };

	if (access(reports, F_OK) || access(sample, F_OK)) {
		check_skip(check, "this kernel is built without DEBUG_KMEMLEAK");
		return;
	}
	if (!scan()) {
		check_skip(check, "kmemleak is off");
		return;
	}
	text_write(reports, "clear");
	say("    # expect: 1-4 kmemleak: \\d+ new suspected");
	if (!load(check))
		return;
	scan();
	/* Those on a list are found, until the module that has its head is gone. */
	expect(check, 512, 0, 0);
	unload();
	for (int i = 1; i < LOADS; i++)
		if (load(check))
			unload();
	scan();
	expect(check, 32, LOADS, 2 * LOADS);
	expect(check, 1024, LOADS, 2 * LOADS);
	expect(check, 2048, LOADS / 2, 2 * LOADS);
	/* Two, and five pages of vmalloc(). */
	expect(check, 4096, LOADS / 2, 7 * LOADS);
	expect(check, 512, 7 * LOADS, 10 * LOADS);
	expect(check, 0, 0, 0);
	text_write(reports, "clear");
}
