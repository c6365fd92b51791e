// SPDX-License-Identifier: GPL-2.0
/*
 * A process eats the machine's memory until the kernel kills it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* Does not come back: somebody has to stop it. */
static void eat(void)
{
	const size_t step = 1 << 20, page = sysconf(_SC_PAGESIZE);

	text_write("/proc/self/oom_score_adj", "1000");
	for (;;) {
		char *more = mmap(NULL, step, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			_exit(1);
		for (size_t at = 0; at < step; at += page)
			more[at] = 1;
	}
}

/*
 * Memory in use, in KiB. A system call that allocates nothing: who opens a file while there is no
 * memory may find that nobody is left to be killed but himself, and this is PID 1.
 */
static unsigned long memory_in_use(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (info.totalram - info.freeram) / 1024 * info.mem_unit;
}

/* Whether the eater was killed, which it has to be. */
static bool feed(struct check *check)
{
	pid_t eater = fork();
	unsigned int waited = 0;
	int status;

	if (!eater)
		eat();
	while (eater > 0 && waitpid(eater, &status, WNOHANG) == 0) {
		sleep_ms(50);
		waited += 50;
		check_alive(check, memory_in_use());
		if (waited >= 120000)
			kill(eater, SIGTERM);
	}
	if (eater > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	check_fail(check, "the eater was not killed by the kernel (status %x)", status);
	return false;
}

/*
 * Where pages are large, the low marks may be raised by a block of 32 MiB for each node: more than
 * is left here, and neither the one who dies nor PID 1 finds a page. Raise them no more, and
 * compute them anew, as the kernel does when a number that they follow from is written.
 */
static void lower_marks(void)
{
	static const char scale[] = "/proc/sys/vm/watermark_scale_factor";
	char number[24];

	text_write("/proc/sys/vm/watermark_boost_factor", "0");
	snprintf(number, sizeof(number), "%ld", text_number(scale));
	text_write(scale, number);
}

/*
 * Guards: a machine short of memory kills one process and lives, and has its free objects back:
 * what was in the allocator's queues does not stay there.
 */
void check_oom(struct check *check)
{
	long before, queued, after, total = meminfo_kib("/proc/meminfo", "MemTotal");
	/* SLOB has no queues to fill, and looks through a long list for each object. */
	const long share = allocator_is("SLOB") ? 128 : 8;
	/* SLUB keeps some slabs of each node; they are as large as pages are. */
	const long slack = allocator_is("SLQB") ? 4096 : 4096 + sysconf(_SC_PAGESIZE) / 4;
	bool killed;

	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	/* The one who dies may have asked for a page when it was told to. */
	say("    # expect: 0-9 init: page allocation failure: order:0");
	module_order("release");
	lower_marks();
	before = meminfo_kib("/proc/meminfo", "SUnreclaim");
	module_order("queue %ld", total / 1024 / share);
	queued = meminfo_kib("/proc/meminfo", "SUnreclaim");
	/*
	 * A page fault for each page of the machine takes long, and shows no more. An eighth is
	 * above the watermarks: the one to be killed has to come to life first.
	 */
	if (module_order("hoard %ld", total / 1024 / 8))
		check_fail(check, "no memory to take");
	killed = feed(check);
	module_order("give");
	if (!killed)
		return;
	/* The dying process gives its memory back a little after its parent is told. */
	for (int i = 0; i < 50 && meminfo_kib("/proc/meminfo", "MemFree") < total / 3; i++)
		sleep_ms(100);
	text_write("/proc/sys/vm/stat_refresh", "1");
	after = meminfo_kib("/proc/meminfo", "SUnreclaim");
	check_note(check, "SUnreclaim %ld kB, %ld kB with queues, %ld kB after", before, queued,
		   after);
	if (after > before + before / 4 + slack)
		check_fail(check, "SUnreclaim was %ld kB and is %ld kB", before, after);
	if (meminfo_kib("/proc/meminfo", "MemFree") < total / 3)
		check_fail(check, "%ld of %ld kB free", meminfo_kib("/proc/meminfo", "MemFree"),
			   total);
	if (module_order("hold 1000") || module_order("release"))
		check_fail(check, "no objects are to be had afterwards");
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
}
