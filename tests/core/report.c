// SPDX-License-Identifier: GPL-2.0
/* What goes wrong: said once, with what went before and the way to repeat it */
#include <linux/kernel.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#define NOTES		24
#define NOTE_BYTES	160

static char notes[NOTES][NOTE_BYTES];
static unsigned long nr_notes;
static char repeat[512];
static unsigned long printed;

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(notes[nr_notes++ % NOTES], NOTE_BYTES, format, arguments);
	va_end(arguments);
}

static void tell_how(void)
{
	fprintf(stderr, "what went before (CPU, who, what):\n");
	for (unsigned long i = nr_notes > NOTES ? nr_notes - NOTES : 0; i < nr_notes; i++)
		fprintf(stderr, "  %s\n", notes[i % NOTES]);
	fprintf(stderr, "repeat: %s\n", repeat);
}

void repeat_with(const char *words)
{
	snprintf(repeat, sizeof(repeat), "%s", words);
	nr_notes = 0;
	printed = 0;
}

void machine_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (format[strlen(format) - 1] != '\n')
		fputc('\n', stderr);
	printed++;
}

unsigned long complaints(void)
{
	return printed;
}

void machine_tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void machine_log(const char *format, ...)
{
	(void)format;
}

void fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "core: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	if (format[strlen(format) - 1] != '\n')
		fputc('\n', stderr);
	if (this_fiber)
		fibers_describe();
	tell_how();
	fflush(NULL);
	_exit(1);
}

static void crashed(int signal)
{
	fprintf(stderr, "core: signal %d\n", signal);
	tell_how();
	_exit(1);
}

static void __attribute__((constructor)) prepare(void)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_set_death_callback(tell_how);
	(void)crashed;
#else
	static char stack[64 << 10];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = crashed, .sa_flags = SA_ONSTACK };

	sigaltstack(&other, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
#endif
}
