// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that the kernel makes fail on request (CONFIG_FAILSLAB).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char root[] = "/sys/kernel/debug/failslab";

static int set(const char *name, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return text_write(path, value);
}

/* Only this task's allocations fail, one in ten, until it ends. Ends with an errno. */
static int suffer(unsigned int count)
{
	int error = -text_write("/proc/self/make-it-fail", "1");

	if (error)
		return error;
	/* What the order itself needs may be refused as well: another try. */
	for (int i = 0; i < 50; i++) {
		error = -module_order("fail %u", count);
		if (error != ENOMEM)
			break;
	}
	return error;
}

static bool arm(void)
{
	return !set("task-filter", "Y") && !set("verbose", "0") && !set("interval", "1") &&
	       !set("times", "-1") && !set("space", "0") && !set("ignore-gfp-wait", "N") &&
	       !set("probability", "10");
}

/* Guards: an allocation that fails does so cleanly: NULL, nothing kept, nothing broken. */
void check_failslab(struct check *check)
{
	long before, after;
	int status = 0;
	pid_t child;

	if (access(root, F_OK)) {
		check_skip(check, "this kernel is built without FAILSLAB");
		return;
	}
	if (!module_there()) {
		check_skip(check, "the module is not loaded");
		return;
	}
	before = module_state("slab_pages");
	if (!arm())
		check_fail(check, "cannot set %s", root);
	child = fork();
	if (!child)
		_exit(suffer(4000));
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	set("probability", "0");
	after = module_state("slab_pages");
	check_note(check, "%ld allocations refused", module_state("refused"));
	if (child < 0 || status)
		check_fail(check, "the order ended with status %x", status);
	if (module_state("refused") < 100)
		check_fail(check, "only %ld allocations were refused", module_state("refused"));
	if (module_state("errors"))
		check_fail(check, "%ld objects were damaged", module_state("errors"));
	if (after - before > 512)
		check_fail(check, "%ld pages of slabs, %ld before", after, before);
}

/* Where a function of the module begins, and where the one after it does. */
static bool extent(const char *function, unsigned long *start, unsigned long *end)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[256], name[128], module[64];
	unsigned long at;

	*start = 0;
	*end = -1UL;
	for (int pass = 0; symbols && pass < 2; pass++) {
		rewind(symbols);
		while (fgets(line, sizeof(line), symbols)) {
			if (sscanf(line, "%lx %*c %127s [%63[^]]]", &at, name, module) != 3 ||
			    strcmp(module, "slabtest"))
				continue;
			if (!pass && !strcmp(name, function))
				*start = at;
			if (pass && at > *start && at < *end)
				*end = at;
		}
	}
	if (symbols)
		fclose(symbols);
	return *start && *end != -1UL;
}

static int set_range(const char *which, unsigned long start, unsigned long end)
{
	char name[32], value[32];

	snprintf(name, sizeof(name), "%s-start", which);
	snprintf(value, sizeof(value), "%lu", start);
	if (set(name, value))
		return -1;
	snprintf(name, sizeof(name), "%s-end", which);
	snprintf(value, sizeof(value), "%lu", end);
	return set(name, value);
}

/* Guards: of allocations that fail, only those fail that come from the code that was named. */
void check_failslab_filter(struct check *check)
{
	unsigned long start, end;

	if (access("/sys/kernel/debug/failslab/require-start", F_OK) || !module_there()) {
		check_skip(check, "this kernel is built without stack trace filters");
		return;
	}
	if (!extent("order_kmalloc", &start, &end) || set_range("require", start, end) ||
	    set("stacktrace-depth", "32") || !arm() || set("task-filter", "N") ||
	    set("probability", "100")) {
		check_fail(check, "cannot set %s", root);
		return;
	}
	for (int i = 0; i < 10; i++) {
		if (module_order("kmalloc 100") != -ENOMEM)
			check_fail(check, "an allocation of the code named was served");
		if (module_order("twins 1") || module_order("twins 0"))
			check_fail(check, "an allocation of other code was refused");
	}
	if (set_range("reject", start, end) || module_order("kmalloc 100"))
		check_fail(check, "an allocation of code that was excepted was refused");
	set("probability", "0");
}
