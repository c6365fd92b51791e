// SPDX-License-Identifier: GPL-2.0
/*
 * A busy machine: programs of a distribution keep the kernel's caches at work, side by side and one
 * mix after the other, while modules come and go and somebody reads /proc/slabinfo.
 *
 * What they leave behind is compared with what the same load had left behind before, so that all
 * that a kernel allocates once and keeps is in both.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char stress[] = "/bin/stress-ng";
static const char messages[] = "/bin/hackbench";
static const char folder[] = "/tmp/busy";
static const char output[] = "/tmp/busy.log";
static const char caches[] = "/sys/kernel/slab";

/* The stressors of each mix; a bound where one would take all the memory it finds. */
static const char * const mixes[] = {
	/* names and files */
	"--dentry 1 --dentries 256 --dir 1 --dir-dirs 256 --rename 1 --link 1 --symlink 1 --open 1 "
	"--open-max 512 --getdent 1 --fcntl 1 --inotify 1 --dup 1 --chdir 1 --chdir-dirs 256",
	/* processes */
	"--fork 1 --vfork 1 --clone 1 --clone-max 64 --pthread 1 --pthread-max 32 --zombie 1 "
	"--zombie-max 64 --sigq 1 --timer 1 --timerfd 1 --nanosleep 1",
	/* messages */
	"--sockpair 1 --pipe 1 --msg 1 --mq 1 --sem-sysv 1 --shm-sysv 1 --shm-sysv-bytes 4M "
	"--eventfd 1 --poll 1 --splice 1 --sockfd 1 --key 1 --epoll 1 --epoll-domain unix",
	/* memory */
	"--vm 1 --vm-bytes 16M --mmap 1 --mmap-bytes 8M --mremap 1 --mremap-bytes 4M --memfd 1 "
	"--memfd-bytes 8M --madvise 1 --malloc 1 --malloc-bytes 16M "
	"--sendfile 1 --aio 1",
};

/* Becomes the program, with its words; what it says goes to a file. */
static void become(const char *program, char *words)
{
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char *argv[96] = { (char *)program };
	size_t count = 1;

	while (words && count < ARRAY_SIZE(argv) - 1 && (argv[count] = strsep(&words, " ")))
		count++;
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(program, argv);
	dprintf(out, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

static void stress_for(const char *mix, unsigned int seconds)
{
	char words[1024];

	snprintf(words, sizeof(words), "%s --timeout %us --temp-path %s", mix, seconds, folder);
	become(stress, words);
}

/* Runs it again and again; ends with what it ended with where that is not 0. */
static int exchange_until(double end)
{
	int status = 0;

	while (!status && seconds_now() < end) {
		pid_t child = fork();

		if (!child)
			become(messages, strdup("-g 2 -f 4 -l 100"));
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 1;
	}
	return status != 0;
}

/* The module goes and comes back, and has caches with objects when it goes. */
static int reload_until(const struct words *words, double end)
{
	struct words idle = *words;
	int error = 0;

	strcpy(idle.suite, "none");
	while (!error && seconds_now() < end) {
		if (syscall(SYS_delete_module, "slabtest", O_NONBLOCK))
			return errno;
		error = module_load(&idle) ?: module_order("hold 500") ?: module_order("twins 1");
		sleep_ms(100);
	}
	return error != 0;
}

enum part { STRESS, EXCHANGE, RELOAD, PARTS };

static const char * const names[PARTS] = { "stress-ng", "hackbench", "the module" };

static int play(struct check *check, enum part part, const char *mix, unsigned int seconds)
{
	double end = seconds_now() + seconds;

	if (part == STRESS)
		stress_for(mix, seconds);
	if (part == EXCHANGE)
		return exchange_until(end);
	return reload_until(check->words, end);
}

/* The last lines of what the programs said. */
static void quote_output(struct check *check)
{
	char *text = text_read_all(output), *rest = text, *line;
	long skip = -8;

	for (const char *at = text; at && (at = strchr(at, '\n')); at++)
		skip++;
	while (rest && (line = strsep(&rest, "\n")))
		if (skip-- <= 0 && *line)
			check_note(check, "it said: %s", line);
	free(text);
}

/*
 * The time that the kernel has accounted for on a CPU, at work or idle, where that is least: it
 * stands still on one that hangs with interrupts disabled.
 */
static unsigned long least_ticks(void)
{
	char *text = text_read_all("/proc/stat"), *rest = text, *line;
	unsigned long least = -1UL;

	while (rest && (line = strsep(&rest, "\n"))) {
		unsigned long ticks = 0;
		char *next;

		if (strncmp(line, "cpu", 3) || line[3] == ' ')
			continue;
		strtoul(line + 3, &next, 10);
		for (int field = 0; field < 8; field++)
			ticks += strtoul(next, &next, 10);
		least = ticks < least ? ticks : least;
	}
	free(text);
	return least;
}

struct peak {
	long unreclaimable;
};

static void look(struct check *check, struct peak *peak)
{
	long now = meminfo_kib("/proc/meminfo", "SUnreclaim");
	struct slab_line *lines;
	long count = slabinfo_read(&lines);

	if (now > peak->unreclaimable)
		peak->unreclaimable = now;
	for (long i = 0; i < count; i++)
		if (lines[i].active > lines[i].objects)
			check_fail(check, "%s: %lu of %lu objects active", lines[i].name,
				   lines[i].active, lines[i].objects);
	if (count > 0)
		free(lines);
	else
		check_fail(check, "slabinfo: %s", strerror(-count));
	check_alive(check, least_ticks());
}

/* All parts side by side; each has to end well, and in time. */
static void run_mix(struct check *check, const char *mix, unsigned int seconds, struct peak *peak)
{
	double end = seconds_now() + seconds + 60;
	unsigned int left = PARTS;
	pid_t children[PARTS];
	int status;

	unlink(output);
	for (unsigned int part = 0; part < PARTS; part++) {
		children[part] = fork();
		if (!children[part])
			_exit(play(check, part, mix, seconds));
	}
	while (left && seconds_now() < end) {
		for (unsigned int part = 0; part < PARTS; part++) {
			if (children[part] <= 0 || !waitpid(children[part], &status, WNOHANG))
				continue;
			children[part] = 0;
			left--;
			if (!status)
				continue;
			check_fail(check, "%s ended with status %x", names[part], status);
			quote_output(check);
		}
		look(check, peak);
		sleep_ms(100);
	}
	for (unsigned int part = 0; part < PARTS; part++) {
		if (children[part] <= 0)
			continue;
		check_fail(check, "%s did not end", names[part]);
		kill(children[part], SIGKILL);
	}
}

/* All mixes in turn; with what is left of the programs gone. */
static long run_load(struct check *check, unsigned int seconds)
{
	struct peak peak = { };

	for (size_t i = 0; i < ARRAY_SIZE(mixes) && !check->failures; i++)
		run_mix(check, mixes[i], seconds / ARRAY_SIZE(mixes), &peak);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return peak.unreclaimable;
}

/* Where no trim comes by itself, it is asked for. */
static void shrink_all(void)
{
	DIR *all = opendir(caches);
	struct dirent *entry;
	char path[512];

	while (all && (entry = readdir(all))) {
		snprintf(path, sizeof(path), "%s/%s/shrink", caches, entry->d_name);
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			text_write(path, "1");
	}
	if (all)
		closedir(all);
}

/* What cannot be reclaimed, once the caches of files are dropped and free objects given back. */
static long settle(struct check *check)
{
	text_write("/proc/sys/vm/drop_caches", "3");
	if (allocator_is("SLQB")) {
		for (unsigned int waited = 0; waited < 3 * check->words->trim_ms; waited += 100) {
			cpus_visit();
			sleep_ms(100);
		}
	} else {
		sleep_ms(500);
		shrink_all();
	}
	text_write("/proc/sys/vm/stat_refresh", "1");
	return meminfo_kib("/proc/meminfo", "SUnreclaim");
}

/* Some times over, because not all that was freed comes back at once; the least there was. */
static long settle_below(struct check *check, long bound, unsigned int times)
{
	long least = settle(check);

	while (--times && least > bound) {
		long now = settle(check);

		if (now < least)
			least = now;
	}
	return least;
}

static long larger(long a, long b)
{
	return a > b ? a : b;
}

/* What every reader of these files relies on, after all this. */
static void books_agree(struct check *check)
{
	check_slabinfo_format(check);
	check_slabinfo_sum(check);
	check_sysfs_slab(check);
	check_node_counters(check);
}

/*
 * Guards: a machine at work for long loses no memory of the allocator's: afterwards no more slabs are
 * unreclaimable than after a little of the same work, and slabinfo, sysfs and meminfo agree. What
 * may be more is a twentieth, or a mebibyte.
 */
void check_busy(struct check *check)
{
	const struct words *words = check->words;
	unsigned int seconds = words->soak ? 60 : words->brief ? 15 : 48;
	unsigned int rounds = words->soak ? 10 : 1;
	long before, after, bound, peak = 0;

	if (access(stress, X_OK) || access(messages, X_OK)) {
		check_skip(check, "stress-ng and hackbench are not in the initramfs");
		return;
	}
	mkdir(folder, 0755);
	/* A minute in all in a quick run, twenty seconds in a brief one; else ten minutes behind one. */
	run_load(check, words->soak ? 60 : words->brief ? 5 : 12);
	before = settle_below(check, 0, 3);
	for (unsigned int i = 0; i < rounds && !check->failures; i++)
		peak = larger(peak, run_load(check, seconds));

	bound = larger(before + before / 20, before + 1024);
	after = settle_below(check, bound, 20);
	check_note(check, "SUnreclaim was %ld kB and is %ld kB, %ld kB at most", before, after, peak);
	say("# measure: busy.before %ld kB SUnreclaim", before);
	say("# measure: busy.peak %ld kB SUnreclaim", peak);
	say("# measure: busy.after %ld kB SUnreclaim", after);
	if (before <= 0 || after > bound)
		check_fail(check, "SUnreclaim was %ld kB and is %ld kB", before, after);
	module_order("release");
	books_agree(check);
}
