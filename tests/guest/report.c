// SPDX-License-Identifier: GPL-2.0
/*
 * Lines on the console. All of them go through /dev/kmsg, one write a line, so that they stand in
 * one order with what the kernel prints, and are whole.
 *
 * A case is printed as KUnit would, four spaces in:
 *   # start: NAME
 *   # NAME: diagnostics
 *   ok 1 NAME
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static void line_out(const char *line)
{
	static int sink = -1;
	char text[960];
	int length;

	if (sink < 0)
		sink = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	length = snprintf(text, sizeof(text), "<6>%s\n", line);
	if (length >= (int)sizeof(text)) {
		length = sizeof(text) - 1;
		text[length - 1] = '\n';
	}
	if (sink >= 0 && write(sink, text, length) == length)
		return;
	/* No log device: the console is better than silence. */
	if (write(STDOUT_FILENO, text + 3, length - 3) < 0)
		sink = -1;
}

void say(const char *format, ...)
{
	char line[900];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	line_out(line);
}

static void remark(const struct check *check, const char *format, va_list args)
{
	char text[800];

	vsnprintf(text, sizeof(text), format, args);
	say("    # %s: %s", check->name, text);
}

void check_note(struct check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remark(check, format, args);
	va_end(args);
}

/*
 * Called in long loops: the harness takes silence for a hang. What is done has to be a number that
 * grows with the work, or the harness does not believe it.
 */
void check_alive(struct check *check, unsigned long done)
{
	if (seconds_now() < check->spoken + 10)
		return;
	check->spoken = seconds_now();
	check_note(check, "still at it, %lu done", done);
}

void check_fail(struct check *check, const char *format, ...)
{
	va_list args;

	/* Ten reasons say enough. */
	if (check->failures++ >= 10)
		return;
	va_start(args, format);
	remark(check, format, args);
	va_end(args);
}

void check_skip(struct check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(check->skip, sizeof(check->skip), format, args);
	va_end(args);
}

static bool wanted(const struct words *words, const char *group, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.%s", group, name);
	return glob_match(words->glob, path);
}

unsigned int cases_wanted(const struct words *words, const char *group,
			  const struct check_case *cases, size_t count)
{
	unsigned int found = 0;

	for (size_t i = 0; i < count; i++)
		found += wanted(words, group, cases[i].name);
	return found;
}

/* Whether another boot of the same kernel runs it, and the shape of the machine does not matter. */
static bool is_anothers(const struct words *words, const struct check_case *todo, size_t place)
{
	return words->shares && !todo->shaped && place % words->shares != words->share;
}

static bool case_run(const struct words *words, const char *group,
		     const struct check_case *todo, size_t place, unsigned int number)
{
	struct check check = { .group = group, .name = todo->name, .words = words };
	double start = seconds_now();

	check.spoken = start;
	say("    # start: %s", todo->name);
	if (is_anothers(words, todo, place))
		check_skip(&check, "another topology's");
	else
		todo->run(&check);
	say("    # %s: %.0f ms", todo->name, (seconds_now() - start) * 1000);
	if (check.failures)
		say("    not ok %u %s", number, todo->name);
	else if (check.skip[0])
		say("    ok %u %s # SKIP %s", number, todo->name, check.skip);
	else
		say("    ok %u %s", number, todo->name);
	return !check.failures;
}

/* The nested block of a group. Returns whether every case passed. */
bool cases_run(const struct words *words, const char *group,
	       const struct check_case *cases, size_t count)
{
	unsigned int number = 0;
	bool good = true;

	say("    KTAP version 1");
	say("    # Subtest: %s", group);
	say("    1..%u", cases_wanted(words, group, cases, count));
	for (size_t i = 0; i < count; i++)
		if (wanted(words, group, cases[i].name))
			good &= case_run(words, group, &cases[i], i, ++number);
	return good;
}
