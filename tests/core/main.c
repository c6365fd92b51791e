// SPDX-License-Identifier: GPL-2.0
/*
 * core --seed S --histories N      random histories, of seeds S, S + 1, ...
 * core --arithmetic                sizes, orders, batches, bounds
 * core --talk                      commands on standard input, an answer each
 */
#include <linux/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=0:exitcode=1";
}
#endif

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int histories(const char *program, uint64_t seed, unsigned long nr)
{
	unsigned long steps = 0, switches = 0;
	double start = now();
	char words[400];

	for (unsigned long i = 0; i < nr; i++) {
		snprintf(words, sizeof(words), "%s --seed %lu --histories 1", program,
			 (unsigned long)(seed + i));
		repeat_with(words);
		history(seed + i);
		steps += machine.steps;
		switches += machine.switches;
	}
	printf("%lu histories, seeds %lu to %lu: %.1f s, %lu chances, %lu switches\n", nr,
	       (unsigned long)seed, (unsigned long)(seed + nr - 1), now() - start, steps,
	       switches);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long nr = 100;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--talk"))
			return talk();
		if (!strcmp(argv[i], "--arithmetic")) {
			core_arithmetic();
			return 0;
		}
		if (i + 1 < argc && !strcmp(argv[i], "--seed"))
			seed = strtoull(argv[++i], NULL, 0);
		else if (i + 1 < argc && !strcmp(argv[i], "--histories"))
			nr = strtoul(argv[++i], NULL, 0);
		else
			return fprintf(stderr, "usage: %s [--seed S] [--histories N] | --arithmetic | --talk\n",
				       argv[0]), 2;
	}
	return histories(argv[0], seed, nr);
}
