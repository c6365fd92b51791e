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

/* Reported objects of that size, of the sample; with size 0 those of anybody else. */
static unsigned int reported(unsigned long size)
{
	char *text = text_read_all(reports), *record = text;
	unsigned int count = 0;

	while (record && (record = strstr(record, "unreferenced object 0x"))) {
		char *next = strstr(record + 1, "unreferenced object 0x");
		char *from, *of = strstr(record, "(size ");
		bool mine;

		if (next)
			next[-1] = '\0';
		from = strstr(record, "kmemleak_test_init");
		mine = from || strstr(record, "[leak]");
		if (size ? mine && of && strtoul(of + 6, NULL, 10) == size : !mine)
			count++;
		if (!size && !mine)
			say("    # kmemleak: %.200s", record);
		record = next;
	}
	free(text);
	return count;
}

/* An object has to be five seconds old before it is suspected. */
static void scan(void)
{
	sleep_ms(5500);
	text_write(reports, "scan");
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

static void expect(struct check *check, unsigned long size, unsigned int least, unsigned int most)
{
	unsigned int seen = reported(size);

	check_note(check, "%u objects of %lu bytes reported", seen, size);
	if (seen < least || seen > most)
		check_fail(check, "%u objects of %lu bytes reported, %u to %u were leaked", seen,
			   size, least, most);
}

/*
 * Guards: an object is watched from its allocation to its free: the ones that were leaked are
 * reported with their size, those in use and those of the allocator are not. A word that looks like
 * a pointer may hide one of a pair.
 */
void check_kmemleak(struct check *check)
{
	static const unsigned long pairs[] = { 32, 1024, 2048, 4096 };

	if (access(reports, F_OK) || access(sample, F_OK)) {
		check_skip(check, "this kernel is built without DEBUG_KMEMLEAK");
		return;
	}
	scan();
	if (reported(0))
		check_fail(check, "%u objects are reported that nobody leaked", reported(0));
	text_write(reports, "clear");
	say("    # expect: 1-2 kmemleak: \\d+ new suspected");
	if (!load(check))
		return;
	scan();
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		expect(check, pairs[i], 1, 2);
	expect(check, 416, 0, 0);
	syscall(SYS_delete_module, "leak", 0);
	scan();
	expect(check, 416, 8, 10);
	if (reported(0))
		check_fail(check, "%u objects are reported that nobody leaked", reported(0));
	text_write(reports, "clear");
}
