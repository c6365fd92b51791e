// SPDX-License-Identifier: GPL-2.0
/*
 * The variables of the code under test, as they were before the first boot. The build gathers
 * them into two sections: what is initialised, and what begins as zero.
 */
#include <linux/kernel.h>

#include <stdlib.h>

#ifdef COVERAGE
void __gcov_dump(void);
void __gcov_reset(void);
#endif

extern char __start_core_data[] __attribute__((weak));
extern char __stop_core_data[] __attribute__((weak));
extern char __start_core_bss[] __attribute__((weak));
extern char __stop_core_bss[] __attribute__((weak));

/* Byte by byte, red zones of the sanitizer included: it must not know */
__attribute__((no_sanitize("address", "undefined")))
static void copy(char *to, const char *from, const char *end)
{
	while (from < end)
		*(volatile char *)to++ = *from++;
}

__attribute__((no_sanitize("address", "undefined")))
static void clear(char *from, const char *end)
{
	while (from < end)
		*(volatile char *)from++ = 0;
}

void variables_reset(void)
{
	static char *saved;
	size_t size = __stop_core_data - __start_core_data;

#ifdef COVERAGE
	/* The counters are variables like others. */
	if (saved) {
		__gcov_dump();
		__gcov_reset();
	}
#endif
	if (!saved) {
		saved = malloc(size + 1);
		if (!saved)
			fail("no memory for a copy of the variables");
		copy(saved, __start_core_data, __stop_core_data);
	}
	copy(__start_core_data, saved, saved + size);
	clear(__start_core_bss, __stop_core_bss);
}
