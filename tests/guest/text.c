// SPDX-License-Identifier: GPL-2.0
/*
 * Small files of /proc and /sys, and the lists of numbers found in them ("0-3,8").
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* Bytes read (a final NUL is added), or -errno. */
long text_read(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	long got = 0;

	if (fd < 0)
		return -errno;
	while (length < size - 1 && (got = read(fd, buffer + length, size - 1 - length)) > 0)
		length += got;
	if (got < 0)
		got = -errno;
	close(fd);
	buffer[length] = '\0';
	return got < 0 ? got : (long)length;
}

/* The whole file, to be freed, or NULL with errno. */
char *text_read_all(const char *path)
{
	size_t size = 1 << 20;
	char *text = malloc(size);
	long length;

	if (!text)
		return NULL;
	length = text_read(path, text, size);
	if (length >= 0)
		return text;
	free(text);
	errno = -length;
	return NULL;
}

/* 0 or -errno: the kernel's answer to one write. */
int text_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* A file with one number in it, or -1. */
long text_number(const char *path)
{
	char text[64];

	return text_read(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 0) : -1;
}

/* Whether a word stands on the kernel's command line; the last of its kind wins. */
bool cmdline_has(const char *word)
{
	char *line = text_read_all("/proc/cmdline"), *rest = line, *one;
	size_t name = strcspn(word, "=") + 1;
	bool has = false;

	while (rest && (one = strsep(&rest, "\n ")))
		if (!strcmp(one, word))
			has = true;
		else if (!strncmp(one, word, name))
			has = false;
	free(line);
	return has;
}

/* Whether a word of that name, with whatever value, stands on the kernel's command line. */
bool cmdline_names(const char *name)
{
	char *line = text_read_all("/proc/cmdline"), *rest = line, *one;
	bool has = false;

	while (rest && !has && (one = strsep(&rest, "\n ")))
		has = !strncmp(one, name, strlen(name)) && one[strlen(name)] == '=';
	free(line);
	return has;
}

/* A field of /proc/meminfo, or of a node's meminfo ("Node 0 Slab:  12 kB"), or -1. */
long meminfo_kib(const char *path, const char *field)
{
	char *text = text_read_all(path), *rest = text, *line;
	size_t length = strlen(field);
	long kib = -1;

	while (rest && kib < 0 && (line = strsep(&rest, "\n"))) {
		char *name = strstr(line, field);

		if (name && name[length] == ':' && (name == line || name[-1] == ' '))
			kib = strtol(name + length + 1, NULL, 10);
	}
	free(text);
	return kib;
}

/* Mark the members of a list; returns how many there are. */
unsigned int list_parse(const char *list, bool *member, unsigned int size)
{
	unsigned int count = 0;
	char *end;

	memset(member, 0, size * sizeof(*member));
	while (*list >= '0' && *list <= '9') {
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (; from <= to && from < size; from++) {
			count += !member[from];
			member[from] = true;
		}
		list = *end == ',' ? end + 1 : end;
	}
	return count;
}

unsigned int list_read(const char *path, bool *member, unsigned int size)
{
	char text[1024];

	if (text_read(path, text, sizeof(text)) < 0)
		text[0] = '\0';
	return list_parse(text, member, size);
}

double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}
