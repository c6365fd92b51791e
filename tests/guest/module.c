// SPDX-License-Identifier: GPL-2.0
/*
 * slabtest.ko: loading it runs its cases; afterwards /proc/slabtest takes orders ("hold 1000")
 * and shows its state, one "key value" a line.
 *
 * It is loaded by a child, so that an oops in a case leaves PID 1 alive to say so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

const char * const module_path = "/lib/slabtest.ko";

static const char state_path[] = "/proc/slabtest";

/* Ends with an errno, 0 for success. */
static int insert(const struct words *words)
{
	char options[512], glob[128] = "-";
	int fd;

	/* The module knows its cases without the name of the group. */
	if (glob_may_match(words->glob, "slabtest."))
		snprintf(glob, sizeof(glob), "%s", words->glob);
	snprintf(options, sizeof(options), "seed=%llu scale=%s share=%u shares=%u case=%s plant=%s run=%d",
		 words->seed, words->soak ? "soak" : words->brief ? "brief" : "quick",
		 words->share, words->shares, glob,
		 words->plant[0] ? words->plant : "none", suite_wants(words, "slabtest"));
	fd = open(module_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, options, 0))
		return errno;
	return 0;
}

/* 0, an errno, or -signal where the kernel killed the child. */
int module_load(const struct words *words)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (!child)
		_exit(insert(words));
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool module_there(void)
{
	return !access(state_path, W_OK);
}

/* The kernel's answer to an order: 0 or -errno. */
int module_order(const char *format, ...)
{
	char order[128];
	va_list args;

	va_start(args, format);
	vsnprintf(order, sizeof(order), format, args);
	va_end(args);
	return text_write(state_path, order);
}

bool module_word(const char *key, char *value, size_t size)
{
	char text[1024], *rest = text, *line;
	size_t length = strlen(key);

	if (text_read(state_path, text, sizeof(text)) < 0)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, key, length) || line[length] != ' ')
			continue;
		snprintf(value, size, "%s", line + length + 1);
		return true;
	}
	return false;
}

long module_state(const char *key)
{
	char value[64];

	return module_word(key, value, sizeof(value)) ? strtol(value, NULL, 10) : -1;
}

/* The module was built against this kernel's configuration: it knows. */
bool allocator_is(const char *name)
{
	char value[64];

	return module_word("allocator", value, sizeof(value)) && !strcmp(value, name);
}

/* The group's result line is ours; the nested block is the module's own. */
bool slabtest_run(const struct words *words, unsigned int number, bool *loaded)
{
	int error = module_load(words);
	bool good;

	*loaded = !error;
	if (error < 0) {
		say("not ok %u slabtest # killed by signal %d", number, -error);
		say("Bail out! slabtest did not end");
		return false;
	}
	if (error) {
		say("not ok %u slabtest # cannot load %s: %s", number, module_path,
		    strerrorname_np(error) ?: "?");
		say("Bail out! slabtest did not load");
		return false;
	}
	good = module_state("failed") == 0;
	if (!module_state("planned"))
		say("ok %u slabtest # SKIP no case matches", number);
	else
		say("%s %u slabtest", good ? "ok" : "not ok", number);
	return good;
}
