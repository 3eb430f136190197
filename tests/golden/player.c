/* SPDX-License-Identifier: MIT */
/* player.c - uhmm replay as a program of its own, for builds whose uhmm has a
 * sanitizer: that has its memory where traces place theirs */
#include <stdarg.h>
#include <stdio.h>

#include "../../cli/cli.h"

void cli_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int main(int argc, char **argv)
{
	return cli_replay(argc, argv);
}
