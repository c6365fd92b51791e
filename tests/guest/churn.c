// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own caches under load: processes, files and sockets come and go on all CPUs, while
 * /proc/slabinfo is read all the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static void one_process(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void some_files(unsigned int worker, unsigned int turn)
{
	char path[64];

	for (unsigned int i = 0; i < 32; i++) {
		int fd;

		snprintf(path, sizeof(path), "/tmp/churn-%u-%u-%u", worker, turn, i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
	}
	for (unsigned int i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "/tmp/churn-%u-%u-%u", worker, turn, i);
		unlink(path);
	}
}

static bool some_messages(void)
{
	char text[512] = "there and back", back[512];
	int pair[2];
	bool good = true;

	if (pipe(pair))
		return false;
	for (unsigned int i = 0; i < 16 && good; i++)
		good = write(pair[1], text, sizeof(text)) == sizeof(text) &&
		       read(pair[0], back, sizeof(back)) == sizeof(back) &&
		       !memcmp(text, back, sizeof(text));
	close(pair[0]);
	close(pair[1]);
	return good;
}

/* Ends with 0 when all went well. */
static int work(unsigned int worker, double end)
{
	for (unsigned int turn = 0; seconds_now() < end; turn++) {
		one_process();
		some_files(worker, turn);
		if (!some_messages())
			return 1;
	}
	return 0;
}

static void look(struct check *check)
{
	struct slab_line *lines;
	long count = slabinfo_read(&lines);

	if (count < 0 && count != -ENOENT)
		check_fail(check, "slabinfo: %s", strerror(-count));
	for (long i = 0; i < count; i++)
		if (lines[i].active > lines[i].objects)
			check_fail(check, "%s: %lu of %lu objects active", lines[i].name,
				   lines[i].active, lines[i].objects);
	free(lines);
}

/*
 * Guards: slabinfo can be read and holds together at any moment, and nothing of the kernel's own
 * suffers while its caches are busy.
 */
void check_churn(struct check *check)
{
	double end = seconds_now() + (check->words->soak ? 30 : 1);
	bool online[MAX_CPUS];
	unsigned int workers = cpus_online(online);
	int status;

	for (unsigned int i = 0; i < workers; i++) {
		pid_t child = fork();

		if (!child)
			_exit(work(i, end));
		if (child < 0)
			check_fail(check, "cannot fork: %s", strerror(errno));
	}
	while (seconds_now() < end) {
		look(check);
		sleep_ms(20);
	}
	while (wait(&status) > 0)
		if (status)
			check_fail(check, "a worker ended with status %x", status);
}
