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

/* Why the ELF file open as @fd does not load our library; NULL if it does. */
static const char *elf_reason(int fd)
{
	ElfW(Phdr) ph[PHDRS_MAX];
	ElfW(Ehdr) eh;
	size_t n;

	if (pread(fd, &eh, sizeof(eh), 0) < (ssize_t)EI_NIDENT ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return NULL; /* exec knows better what it is */
	if (eh.e_ident[EI_CLASS] !=
	    (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return eh.e_ident[EI_CLASS] == ELFCLASS32
			       ? "it is a 32-bit program"
			       : "it is a 64-bit program";
	n = eh.e_phnum < PHDRS_MAX ? eh.e_phnum : PHDRS_MAX;
	if (eh.e_phentsize != sizeof(ph[0]) ||
	    pread(fd, ph, n * sizeof(ph[0]), (off_t)eh.e_phoff) !=
		    (ssize_t)(n * sizeof(ph[0])))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_INTERP)
			return NULL;
	return "it is linked statically";
}

static const char *unserved_reason(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *reason;

	if (fd < 0)
		return NULL;
	reason = elf_reason(fd);
	close(fd);
	return reason;
}

int cli_program_check(const char *name)
{
	char path[PATH_MAX], interp[PATH_MAX];
	const char *reason;
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
	reason = unserved_reason(path);
	if (reason)
		cli_say("%s cannot be served, %s; only programs it starts may "
			"be",
			path, reason);
	return -1;
}

/* In the child: our library first, then those the user wants. */
static int set_environment(const struct cli_program_env *env)
{
	const char *old = getenv("LD_PRELOAD");
	char *all = NULL;
	int ret;

	if (asprintf(&all, "%s%s%s", env->preload, old && old[0] ? ":" : "",
		     old ? old : "") < 0)
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
