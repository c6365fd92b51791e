// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that the kernel makes fail on request (CONFIG_FAILSLAB).
 */
#include <errno.h>
#include <stdio.h>
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
