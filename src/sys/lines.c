/* SPDX-License-Identifier: MIT */
#include "sys/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void uhmm_lines_init(struct uhmm_lines *lines, int fd)
{
	lines->fd = fd;
	lines->error = 0;
	lines->offset = 0;
	lines->at = 0;
	lines->end = 0;
}

/* Read more behind what is left; one byte of room stays for a NUL. */
static ssize_t fill(struct uhmm_lines *lines)
{
	size_t left = lines->end - lines->at;
	int saved = errno;
	ssize_t n;

	memmove(lines->text, lines->text + lines->at, left);
	lines->at = 0;
	lines->end = left;
	do {
		n = pread(lines->fd, lines->text + left,
			  sizeof(lines->text) - 1 - left, lines->offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		lines->error = -errno;
	errno = saved;
	if (n > 0) {
		lines->end += (size_t)n;
		lines->offset += n;
	}
	return n;
}

char *uhmm_lines_next(struct uhmm_lines *lines)
{
	char *line;
	char *newline;

	do {
		line = lines->text + lines->at;
		newline = memchr(line, '\n', lines->end - lines->at);
	} while (!newline && fill(lines) > 0);

	line = lines->text + lines->at;
	if (lines->error || lines->at == lines->end)
		return NULL;
	if (newline) {
		lines->at = (size_t)(newline + 1 - lines->text);
	} else {
		newline = lines->text + lines->end;
		lines->at = lines->end;
	}
	*newline = '\0';
	return line;
}
