// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's log, record by record, from its beginning or from now on.
 *
 *   record: LEVEL ',' SEQUENCE ',' TIME ',' FLAGS [',' MORE] ';' TEXT '\n' (' ' KEY '=' VALUE '\n')*
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static int klog_open(int from)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, from);
	return fd;
}

int klog_whole(void)
{
	return klog_open(SEEK_SET);
}

int klog_from_here(void)
{
	return klog_open(SEEK_END);
}

/* The text of the next record; false where the log ends, for now. */
bool klog_next(int log, char *text, size_t size)
{
	char record[8192], *body;
	ssize_t got;

	do
		got = read(log, record, sizeof(record) - 1);
	while (got < 0 && (errno == EPIPE || errno == EINTR));
	if (got <= 0)
		return false;
	record[got] = '\0';
	body = strchr(record, ';');
	body = body ? body + 1 : record;
	body[strcspn(body, "\n")] = '\0';
	snprintf(text, size, "%s", body);
	return true;
}

/* The next record that has part in it. */
bool klog_find(int log, const char *part, char *text, size_t size)
{
	while (klog_next(log, text, size))
		if (strstr(text, part))
			return true;
	return false;
}
