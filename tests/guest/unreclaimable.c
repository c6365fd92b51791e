// SPDX-License-Identifier: GPL-2.0
/*
 * The list of caches in the report of a machine out of memory. The report is asked for by a key, so
 * that it comes when the numbers are known.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char key[] = "/proc/sysrq-trigger";

/* Waits to be killed in everybody's stead. */
static pid_t victim(void)
{
	pid_t child = fork();

	if (child)
		return child;
	text_write("/proc/self/oom_score_adj", "1000");
	for (;;)
		pause();
}

/* What the report says of a cache. */
static bool listed(int log, const char *name, unsigned long *used, unsigned long *total)
{
	char text[256], cache[64];

	if (!klog_find(log, "Unreclaimable slab info:", text, sizeof(text)))
		return false;
	while (klog_next(log, text, sizeof(text)) && !strstr(text, "Tasks state"))
		if (sscanf(text, "%63s %luKB %luKB", cache, used, total) == 3 &&
		    !strcmp(cache, name))
			return true;
	return false;
}

static void compare(struct check *check, int log, const struct slab_line *line, bool exact)
{
	unsigned long used, total;
	unsigned long uses = module_state("held") * line->size / 1024;
	unsigned long has = line->objects * line->size / 1024;

	if (!listed(log, line->name, &used, &total)) {
		check_fail(check, "%s is not in the report", line->name);
		return;
	}
	check_note(check, "%lu of %lu kB in use, of %lu and %lu there are", used, total, uses, has);
	/* The report comes after SLQB has given back what it could. */
	if (total > has || used < uses || used > total || (exact && used != uses))
		check_fail(check, "%lu of %lu kB in use, of %lu and %lu there are", used, total,
			   uses, has);
}

/* Guards: the report of a machine out of memory names the caches, with what they hold and use. */
void check_unreclaimable(struct check *check)
{
	struct slab_line line;
	int log, status;
	pid_t child;

	if (access(key, W_OK) || !module_there()) {
		check_skip(check, "this kernel is built without MAGIC_SYSRQ, or there is no module");
		return;
	}
	/* Slabs are told of where they are more than all that can be reclaimed. */
	if (module_order("hold 400000") || module_order("keep 300000") ||
	    !slabinfo_find("slabtest_held", &line)) {
		check_fail(check, "no objects are to be had");
		return;
	}
	text_write("/proc/sys/kernel/sysrq", "1");
	text_write("/proc/sys/vm/stat_refresh", "1");
	log = klog_from_here();
	child = victim();
	sleep_ms(100);
	if (text_write(key, "f"))
		check_fail(check, "cannot press the key");
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* Only SLQB knows which objects wait in a queue of another CPU. */
	compare(check, log, &line, allocator_is("SLQB"));
	close(log);
	module_order("release");
}
