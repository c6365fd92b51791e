// SPDX-License-Identifier: GPL-2.0
/*
 * What lkdtm does wrong on purpose, and what the kernel makes of it (CONFIG_LKDTM).
 *
 * Each trigger is pulled by a child, since the kernel may kill whoever does. The complaints are
 * announced to the harness, which fails the case where one does not come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char direct[] = "/sys/kernel/debug/provoke-crash/DIRECT";

static bool can_provoke(struct check *check)
{
	if (!access(direct, W_OK))
		return true;
	check_skip(check, "this kernel is built without LKDTM");
	return false;
}

/* 0, an errno, or -signal where the kernel killed the child. */
static int provoke(const char *point)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (!child)
		_exit(-text_write(direct, point));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void provoke_copy(struct check *check, const char *point, const char *told)
{
	int end;

	/* one complaint with the BUG() that follows */
	say("    # expect: 1 usercopy: Kernel memory %s", told);
	end = provoke(point);
	if (end >= 0)
		check_fail(check, "%s: the copy was let through (%d)", point, end);
}

/* Guards: a copy that begins in an object and ends in the next is stopped, and told of by name. */
void check_usercopy_size(struct check *check)
{
	if (!can_provoke(check))
		return;
	provoke_copy(check, "USERCOPY_SLAB_SIZE_TO",
		     "exposure attempt detected from SL.B object 'kmalloc-1k' "
		     "\\(offset 16, size 1024\\)");
	provoke_copy(check, "USERCOPY_SLAB_SIZE_FROM",
		     "overwrite attempt detected to SL.B object 'kmalloc-1k' "
		     "\\(offset 16, size 1024\\)");
}

/* Guards: only the window that a cache was created with may be copied. */
void check_usercopy_window(struct check *check)
{
	if (!can_provoke(check))
		return;
	provoke_copy(check, "USERCOPY_SLAB_WHITELIST_TO",
		     "exposure attempt detected from SL.B object 'lkdtm-usercopy' "
		     "\\(offset 255, size 64\\)");
	provoke_copy(check, "USERCOPY_SLAB_WHITELIST_FROM",
		     "overwrite attempt detected to SL.B object 'lkdtm-usercopy' "
		     "\\(offset 255, size 64\\)");
}

/*
 * Guards: freeing an object twice, to another's cache, or what is no object at all is noticed where
 * free lists are hardened, and does no harm.
 */
void check_free_wrong(struct check *check)
{
	static const char * const points[] = {
		"SLAB_FREE_DOUBLE", "SLAB_FREE_CROSS", "SLAB_FREE_PAGE",
	};

	if (!can_provoke(check))
		return;
	if (allocator_is("SLQB"))
		say("    # expect: 1 SLQB: double free in lkdtm-heap-double_free");
	else
		say("    # expect: 1 kernel BUG at .*mm/sl.b\\.[ch]");
	say("    # expect: 1 Wrong slab cache. lkdtm-heap-b but object is from lkdtm-heap-a");
	say("    # expect: 1 Object is not a Slab page");
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		int end = provoke(points[i]);

		/* SLQB goes on after each of them. */
		if (end && (allocator_is("SLQB") || end != -11))
			check_fail(check, "%s: the provoker ended with %d", points[i], end);
	}
	if (module_there() && (module_order("hold 1000") || module_order("release")))
		check_fail(check, "no objects are to be had afterwards");
}

/* One of lkdtm's triggers that only tells what it saw. */
static void provoke_told(struct check *check, const char *point, const char *wanted)
{
	int log = klog_from_here();
	char text[256] = "";
	int end = provoke(point);

	if (end || !klog_find(log, wanted, text, sizeof(text)))
		check_fail(check, "%s: ended with %d, and did not say '%s'", point, end, wanted);
	else
		check_note(check, "%s: %s", point, text);
	close(log);
}

/* Guards: no byte of an earlier user is seen in a new object, and none is left in a freed one. */
void check_cleared(struct check *check)
{
	if (!can_provoke(check))
		return;
	if (cmdline_has("init_on_free=0") && !cmdline_has("init_on_alloc=1")) {
		check_skip(check, "told not to clear");
		return;
	}
	provoke_told(check, "SLAB_INIT_ON_ALLOC", "Memory appears initialized");
	if (!cmdline_has("init_on_free=0"))
		provoke_told(check, "READ_AFTER_FREE", "Memory correctly poisoned");
}

/* Guards: what the tree's test of clearing found when it ran at boot, cache by cache. */
void check_meminit(struct check *check)
{
	bool clears = !cmdline_has("init_on_free=0") || cmdline_has("init_on_alloc=1");
	int log = klog_whole();
	char text[256];
	bool told;

	while ((told = klog_find(log, "test_meminit: ", text, sizeof(text)))) {
		check_note(check, "%s", text);
		if (strstr(text, " tests passed!") || strstr(text, "failures: "))
			break;
	}
	if (!told)
		check_skip(check, "this kernel is built without TEST_MEMINIT");
	else if (clears != !!strstr(text, " tests passed!"))
		check_fail(check, "memory is %scleared, and %s", clears ? "" : "not ", text);
	close(log);
}
