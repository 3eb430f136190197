/* SPDX-License-Identifier: MIT */
/* smaps.c - find "um" and "uw" in the VmFlags lines of smaps, or a path */
#include "smaps.h"

int uhmm_smaps_init(struct uhmm_smaps *s)
{
	static const char path[] = "/proc/thread-self/smaps";

	s->at = 0;
	s->n = 0;
	s->start = 0;
	s->end = 0;
	s->accessible = false;
	s->shared = false;
	s->prot = 0;
	s->fd = (int)uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			       O_RDONLY | O_CLOEXEC, 0);
	return s->fd < 0 ? s->fd : 0;
}

void uhmm_smaps_fini(struct uhmm_smaps *s)
{
	(void)uhmm_sys1(SYS_close, s->fd);
}

/* Next character; -1 at the end. */
static int get(struct uhmm_smaps *s)
{
	long ret;

	if (s->at == s->n) {
		do
			ret = uhmm_sys3(SYS_read, s->fd, uhmm_ptr(s->text),
					sizeof(s->text));
		while (ret == -EINTR);
		if (ret <= 0)
			return -1;
		s->n = (unsigned int)ret;
		s->at = 0;
	}
	return s->text[s->at++];
}

/* Next line to s->line; what is longer is cut (a path). */
static bool next_line(struct uhmm_smaps *s)
{
	unsigned int n = 0;
	int c = get(s);

	if (c < 0)
		return false;
	for (; c >= 0 && c != '\n'; c = get(s)) {
		if (n < sizeof(s->line) - 1)
			s->line[n++] = (char)c;
	}
	s->line[n] = '\0';
	return true;
}

static const char *get_hex(const char *p, uint64_t *val)
{
	for (*val = 0;; p++) {
		if (*p >= '0' && *p <= '9')
			*val = *val << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			*val = *val << 4 | (uint64_t)(*p - 'a' + 10);
		else
			return p;
	}
}

/* "7f12-7f34 rw-p ...": a mapping begins. */
static bool is_mapping(struct uhmm_smaps *s)
{
	uint64_t start, end;
	const char *p = get_hex(s->line, &start);

	if (p == s->line || *p != '-')
		return false;
	p = get_hex(p + 1, &end);
	if (p[0] != ' ' || !p[1] || !p[2] || !p[3])
		return false;
	s->start = start;
	s->end = end;
	s->prot = (p[1] == 'r' ? PROT_READ : 0) |
		  (p[2] == 'w' ? PROT_WRITE : 0) |
		  (p[3] == 'x' ? PROT_EXEC : 0);
	s->accessible = p[1] != '-' || p[2] != '-' || p[3] != '-';
	s->shared = p[4] == 's';
	return true;
}

/* "VmFlags: rd wr mr mw me um uw " */
static bool is_registered(const char *line)
{
	static const char key[] = "VmFlags:";
	const char *p = line;

	for (size_t i = 0; i < sizeof(key) - 1; i++, p++) {
		if (*p != key[i])
			return false;
	}
	for (; p[0] && p[1] && p[2]; p++) {
		if (p[0] == ' ' && p[1] == 'u' && (p[2] == 'm' || p[2] == 'w'))
			return true;
	}
	return false;
}

bool uhmm_smaps_next(struct uhmm_smaps *s, uint64_t *start, uint64_t *end)
{
	while (next_line(s)) {
		if (is_mapping(s) || !is_registered(s->line))
			continue;
		*start = s->start;
		*end = s->end;
		return true;
	}
	return false;
}

/* "7f12-7f34 rw-p 00000000 00:01 1032    /path" */
static bool is_of_file(const char *line, const char *path)
{
	while (*line && *line != '/')
		line++;
	while (*path && *line == *path) {
		line++;
		path++;
	}
	return !*path && !*line;
}

bool uhmm_smaps_next_file(struct uhmm_smaps *s, const char *path)
{
	while (next_line(s))
		if (is_mapping(s) && is_of_file(s->line, path))
			return true;
	return false;
}
