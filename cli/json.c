/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* @p is at the opening quote. Return: behind the closing one; NULL broken */
static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && !*++p)
			return NULL;
	return *p ? p + 1 : NULL;
}

/* Return: the character behind the value at @p; NULL broken */
static const char *skip_value(const char *p, int depth)
{
	char close = *p == '{' ? '}' : ']';

	if (*p == '"')
		return skip_string(p);
	if (*p != '{' && *p != '[') {
		size_t n = strcspn(p, ",:]} \t\r\n");

		return n ? p + n : NULL;
	}
	if (depth == DEPTH_MAX)
		return NULL;
	for (p = skip_blanks(p + 1); p && *p && *p != close;) {
		p = skip_value(p, depth + 1);
		if (p)
			p = p + strspn(p, " \t\r\n:,");
	}
	return p && *p ? p + 1 : NULL;
}

/* Is the string at @p, its quote included, the first part of @path? */
static bool key_is(const char *p, const char *path, size_t n)
{
	return *p == '"' && !strncmp(p + 1, path, n) && p[1 + n] == '"';
}

/*
 * The value of member @path (its first @n characters) of the object or array
 * at @p. Return: NULL there is none
 */
static const char *member(const char *p, const char *path, size_t n)
{
	bool is_object = *p == '{';
	long index = strtol(path, NULL, 10);

	if (*p != '{' && *p != '[')
		return NULL;
	p = skip_blanks(p + 1);
	for (long i = 0; *p && *p != '}' && *p != ']'; i++) {
		bool found = is_object ? key_is(p, path, n) : i == index;

		if (is_object) {
			p = skip_value(p, 0);
			p = p ? p + strspn(p, " \t\r\n:") : NULL;
		}
		if (!p || found)
			return p;
		p = skip_value(p, 0);
		if (!p)
			return NULL;
		p += strspn(p, " \t\r\n,");
	}
	return NULL;
}

static const char *find(const char *text, const char *path)
{
	const char *p = skip_blanks(text);

	while (p && *path) {
		size_t n = strcspn(path, ".");

		p = member(p, path, n);
		path += n;
		path += *path == '.';
	}
	return p;
}

bool cli_json_number(const char *text, const char *path, double *out)
{
	const char *p = find(text, path);
	char *end;
	double d;

	if (!p)
		return false;
	d = strtod(p, &end);
	if (end == p)
		return false;
	*out = d;
	return true;
}

bool cli_json_string(const char *text, const char *path, char *buf,
		     size_t bytes)
{
	const char *p = find(text, path);
	const char *end;

	if (!p || *p != '"')
		return false;
	end = skip_string(p);
	if (!end)
		return false;
	snprintf(buf, bytes, "%.*s", (int)(end - p - 2), p + 1);
	return true;
}
