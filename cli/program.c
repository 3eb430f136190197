/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli.h"

#define SCRIPT_DEPTH 4 /* of #!, as the kernel has it */
#define PHDRS_MAX 128
#define NOTES_MAX 1024 /* bytes of a segment of notes that are looked at */

/* A file that may be executed, not a folder. */
static int try_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EACCES;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* What execvp() would run. Return: 0; -ENOENT; -EACCES */
static int find_in_path(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	int ret = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return try_path(path);
	}
	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(dirs, ":");
		int one;

		snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dirs,
			 n ? "/" : "./", name);
		one = try_path(path);
		if (one == 0)
			return 0;
		if (one == -EACCES)
			ret = one;
		if (!dirs[n])
			return ret;
		dirs += n + 1;
	}
}

/* In "#! interpreter argument": the interpreter. False if no script. */
static bool interpreter_of(const char *path, char interp[PATH_MAX])
{
	char line[256] = "";
	FILE *f = fopen(path, "re");
	bool is;

	if (!f)
		return false;
	is = fgets(line, sizeof(line), f) && !strncmp(line, "#!", 2) &&
	     sscanf(line + 2, " %255s", interp) == 1;
	fclose(f);
	return is;
}

/* The loader ignores LD_PRELOAD for what gains rights by being executed. */
static bool gains_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	return ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	       ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
		st.st_gid != getgid()) ||
	       (getuid() != 0 &&
		getxattr(path, "security.capability", NULL, 0) > 0);
}

/* An ELF file of our class, or not. */
struct elf {
	int fd;
	ElfW(Ehdr) eh;
	ElfW(Phdr) ph[PHDRS_MAX];
	size_t nph;
};

/* Return: 1 it is one; 0 exec knows better what it is; -1 of the other class */
static int read_elf(struct elf *elf)
{
	const size_t one = sizeof(elf->ph[0]);
	ElfW(Ehdr) *eh = &elf->eh;

	if (pread(elf->fd, eh, sizeof(*eh), 0) < (ssize_t)EI_NIDENT ||
	    memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	if (eh->e_ident[EI_CLASS] !=
	    (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return -1;
	elf->nph = eh->e_phnum < PHDRS_MAX ? eh->e_phnum : PHDRS_MAX;
	return eh->e_phentsize == one &&
	       pread(elf->fd, elf->ph, elf->nph * one, (off_t)eh->e_phoff) ==
		       (ssize_t)(elf->nph * one);
}

/* The file name of the loader of @elf; false: it has none. */
static bool loader_of(const struct elf *elf, char name[PATH_MAX])
{
	for (size_t i = 0; i < elf->nph; i++) {
		const ElfW(Phdr) *ph = &elf->ph[i];
		char *slash;
		ssize_t n;

		if (ph->p_type != PT_INTERP)
			continue;
		n = pread(elf->fd, name,
			  ph->p_filesz < PATH_MAX ? ph->p_filesz : PATH_MAX - 1,
			  (off_t)ph->p_offset);
		name[n > 0 ? n : 0] = 0;
		slash = strrchr(name, '/');
		if (slash)
			memmove(name, slash + 1, strlen(slash));
		return true;
	}
	return false;
}

/* Does one of the notes in [@at, @end) bear the name "Go"? Each begins at the
 * next multiple of four. */
static bool has_go_note(const char *at, const char *end)
{
	const size_t three = 3;
	ElfW(Nhdr) head;

	while ((size_t)(end - at) >= sizeof(head) + sizeof("Go")) {
		size_t bytes;

		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		if (head.n_namesz >= sizeof("Go") && !memcmp(at, "Go", sizeof("Go")))
			return true;
		bytes = ((head.n_namesz + three) & ~three) +
			((head.n_descsz + three) & ~three);
		if (bytes > (size_t)(end - at))
			break;
		at += bytes;
	}
	return false;
}

/* Is it made by Go's linker, or with a part that is? */
static bool is_go(const struct elf *elf)
{
	char notes[NOTES_MAX];

	for (size_t i = 0; i < elf->nph; i++) {
		const ElfW(Phdr) *ph = &elf->ph[i];
		ssize_t n;

		if (ph->p_type != PT_NOTE)
			continue;
		n = pread(elf->fd, notes,
			  ph->p_filesz < NOTES_MAX ? ph->p_filesz : NOTES_MAX,
			  (off_t)ph->p_offset);
		if (n > 0 && has_go_note(notes, notes + n))
			return true;
	}
	return false;
}

/* Is @name, of a loader, that of our own C library? */
static bool is_our_loader(const char *name)
{
	struct elf self = { .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC) };
	char ours[PATH_MAX];
	bool is = self.fd < 0 || read_elf(&self) != 1 ||
		  !loader_of(&self, ours) || !strcmp(ours, name);

	if (self.fd >= 0)
		close(self.fd);
	return is;
}

/* Say what @path, open as @elf, cannot be, and why. Return: as of
 * cli_program_check() */
static int judge(struct elf *elf, const char *path)
{
	char loader[PATH_MAX] = "";
	const char *reason = NULL;
	int is = read_elf(elf);

	if (is < 0)
		reason = sizeof(void *) == 8 ? "it is a 32-bit program" :
					       "it is a 64-bit program";
	else if (is > 0 && !loader_of(elf, loader))
		reason = "it is linked statically";
	else if (is > 0 && is_go(elf))
		reason = "it is a Go program, which makes its system calls "
			 "by itself";
	if (reason) {
		cli_say("%s cannot be served, %s; only programs it starts may "
			"be",
			path, reason);
		return -1;
	}
	if (loader[0] && !is_our_loader(loader)) {
		cli_say("%s has another C library (%s), which cannot load ours",
			path, loader);
		return CLI_NOEXEC;
	}
	return -1;
}

static int check_file(const char *path)
{
	struct elf elf = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	int ret;

	if (elf.fd < 0)
		return -1;
	ret = judge(&elf, path);
	close(elf.fd);
	return ret;
}

int cli_program_check(const char *name)
{
	char path[PATH_MAX], interp[PATH_MAX];
	int ret;

	ret = find_in_path(name, path);
	if (ret < 0) {
		cli_say("%s: %s", name,
			ret == -ENOENT ? "not found" : strerror(-ret));
		return ret == -ENOENT ? CLI_NOENT : CLI_NOEXEC;
	}
	for (int i = 0; i < SCRIPT_DEPTH && interpreter_of(path, interp); i++)
		snprintf(path, sizeof(path), "%s", interp);
	if (gains_rights(path)) {
		cli_say("%s changes user or gains capabilities, so the loader "
			"will not load the library into it; run uhmm itself "
			"as that user",
			path);
		return CLI_NOEXEC;
	}
	return check_file(path);
}

/* How much of the list @libraries is runtimes of sanitizers that stand first, as
 * they insist on: libasan.so.8, libclang_rt.tsan.so. Each calls what comes
 * behind it. */
static size_t leading_sanitizers(const char *libraries)
{
	size_t len = 0;

	for (;;) {
		size_t n = strcspn(libraries + len, ": ");
		char name[PATH_MAX];

		if (!n || n >= sizeof(name))
			return len;
		memcpy(name, libraries + len, n);
		name[n] = '\0';
		if (!strstr(name, "san.so") && !strstr(name, "san-"))
			return len;
		len += n + strspn(libraries + len + n, ": ");
	}
}

/* In the child: our library first, or behind sanitizers, then those the user
 * wants. */
static int set_environment(const struct cli_program_env *env)
{
	const char *old = getenv("LD_PRELOAD");
	char *all = NULL;
	int first, ret;

	old = old ? old + strspn(old, ": ") : "";
	first = (int)leading_sanitizers(old);
	if (asprintf(&all, "%.*s%s%s%s%s", first, old,
		     first && !strchr(": ", old[first - 1]) ? ":" : "",
		     env->preload, old[first] ? ":" : "", old + first) < 0)
		return -ENOMEM;
	ret = setenv("LD_PRELOAD", all, 1) ||
	      setenv("UHMM_SOCKET", env->socket, 1) ||
	      (env->attach ? setenv("UHMM_ATTACH", "1", 1) :
			     unsetenv("UHMM_ATTACH")) ||
	      (env->nodes[0] && setenv("UHMM_NODES", env->nodes, 1));
	free(all);
	return ret ? -ENOMEM : 0;
}

pid_t cli_program_start(char **argv, const struct cli_program_env *env)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return pid;
	sigprocmask(SIG_SETMASK, env->sigmask, NULL);
	if (set_environment(env) == 0)
		execvp(argv[0], argv);
	cli_say("%s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? CLI_NOENT : CLI_NOEXEC);
}
