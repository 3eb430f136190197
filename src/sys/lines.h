/* SPDX-License-Identifier: MIT */
/* lines.h - a text file of /proc, line by line, without a stream
 *
 * Reads by pread(2), so that the position of a descriptor that came from
 * elsewhere stays as it is.
 */
#ifndef UHMM_SYS_LINES_H
#define UHMM_SYS_LINES_H

#include <stddef.h>
#include <sys/types.h>

/** A file as it is read. Longer lines (no path is) come in pieces. */
struct uhmm_lines {
	int fd;			/* not owned */
	int error;		/* -errno of the read that failed, or 0 */
	off_t offset;		/* of what comes next into @text */
	size_t at;		/* text[at .. end) is not handed out yet */
	size_t end;
	char text[8192];
};

/** uhmm_lines_init() - begin at the start of @fd */
void uhmm_lines_init(struct uhmm_lines *lines, int fd);

/**
 * uhmm_lines_next() - the next line, without its newline
 * Return: valid until the next call; NULL at the end, or with @lines->error
 */
char *uhmm_lines_next(struct uhmm_lines *lines);

#endif
