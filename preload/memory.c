/* SPDX-License-Identifier: MIT */
/* memory.c - the functions a compiler may call by itself
 *
 * Those of libc may be replaced by a sanitizer's, which need TLS and the
 * runtime of the program; the agent has neither (rule 10). Plain loops: what is
 * copied here is a kilobyte at most. The compiler must not turn the loops into
 * calls of themselves: see COMPILE_OPTIONS in CMakeLists.txt.
 */
#include "preload.h"

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *d = to;
	const char *s = from;

	while (n--)
		*d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (d <= s)
		return memcpy(to, from, n);
	while (n--)
		d[n] = s[n];
	return to;
}

void *memset(void *to, int c, size_t n)
{
	char *d = to;

	while (n--)
		*d++ = (char)c;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
