/* SPDX-License-Identifier: MIT */
/* errno_paths.c - calls on paths, programs and sockets (errno_calls.h) */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_calls.h"

#define BAD_FD 190

/* ---- sockets ---- */

static struct msghdr *message(int flags)
{
	struct msghdr *msg = errno_page(3);
	struct iovec *iov = errno_page(2);

	memset(msg, 0, sizeof(*msg));
	*iov = (struct iovec){ errno_send(0), 10 };
	msg->msg_iov = errno_send(2);
	msg->msg_iovlen = 1;
	msg->msg_flags = flags;
	return errno_send(3);
}

static void receive(int pair[2])
{
	ssize_t (*recv_chk)(int, void *, size_t, size_t, int) =
		(ssize_t (*)(int, void *, size_t, size_t, int))errno_function(
			"__recv_chk");

	for (int i = 0; i < 2; i++) {	/* from a full one, from an empty one */
		TRY("recv", recv(pair[0], errno_send(0), 10, MSG_DONTWAIT));
		TRY("__recv_chk", recv_chk(pair[0], errno_send(0), 10,
					   page_bytes, MSG_DONTWAIT));
		TRY("recvfrom", recvfrom(pair[0], errno_send(0), 10,
					 MSG_DONTWAIT, NULL, NULL));
		TRY("recvmsg", recvmsg(pair[0], message(0), MSG_DONTWAIT));
	}
}

void errno_sockets(void)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), "%s",
	      strerror(errno));
	memset(errno_page(0), 'x', 10);
	TRY("send", send(pair[1], errno_send(0), 10, 0));
	TRY("send", send(pair[1], errno_send(0), 10, 0));
	TRY("sendto", sendto(pair[1], errno_send(0), 10, 0, NULL, 0));
	TRY("sendmsg", sendmsg(pair[1], message(0), 0));
	receive(pair);
	TRY("send", send(BAD_FD, errno_send(0), 10, 0));
	TRY("sendto", sendto(BAD_FD, errno_send(0), 10, 0, NULL, 0));
	TRY("sendmsg", sendmsg(BAD_FD, message(0), 0));
	TRY("recvmsg", recvmsg(BAD_FD, message(0), 0));
	close(pair[0]);
	close(pair[1]);
}

/* ---- open ---- */

static char *here(void)
{
	return errno_text(5, "/proc/self/stat");
}

static char *nowhere(void)
{
	return errno_text(5, "/proc/self/no/such");
}

/* A descriptor, closed at once; errno is that of the open. */
static int closed(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return fd;
}

static void opens(void)
{
	int (*open_2)(const char *, int) =
		(int (*)(const char *, int))errno_function("__open_2");
	int (*open64_2)(const char *, int) =
		(int (*)(const char *, int))errno_function("__open64_2");
	int (*openat_2)(int, const char *, int) =
		(int (*)(int, const char *, int))errno_function("__openat_2");
	int (*openat64_2)(int, const char *, int) = (int (*)(
		int, const char *, int))errno_function("__openat64_2");

	for (int i = 0; i < 2; i++) {
		char *(*path)(void) = i ? nowhere : here;

		TRY("open", closed(open(path(), O_RDONLY | O_CLOEXEC)));
		TRY("open64", closed(open64(path(), O_RDONLY | O_CLOEXEC)));
		TRY("openat", closed(openat(AT_FDCWD, path(),
					    O_RDONLY | O_CLOEXEC)));
		TRY("openat64", closed(openat64(AT_FDCWD, path(),
						O_RDONLY | O_CLOEXEC)));
		TRY("__open_2", closed(open_2(path(), O_CLOEXEC)));
		TRY("__open64_2", closed(open64_2(path(), O_CLOEXEC)));
		TRY("__openat_2", closed(openat_2(AT_FDCWD, path(),
						  O_CLOEXEC)));
		TRY("__openat64_2", closed(openat64_2(AT_FDCWD, path(),
						      O_CLOEXEC)));
	}
}

/* ---- what a path names ---- */

static void names(void)
{
	for (int i = 0; i < 2; i++) {
		char *(*path)(void) = i ? nowhere : here;

		TRY("access", access(path(), R_OK));
		TRY("faccessat", faccessat(AT_FDCWD, path(), R_OK, 0));
		TRY("stat", stat(path(), errno_send(0)));
		TRY("stat64", stat64(path(), errno_send(0)));
		TRY("lstat", lstat(path(), errno_send(0)));
		TRY("lstat64", lstat64(path(), errno_send(0)));
		TRY("fstatat", fstatat(AT_FDCWD, path(), errno_send(0), 0));
		TRY("fstatat64", fstatat64(AT_FDCWD, path(), errno_send(0), 0));
		TRY("readlink", readlink(i ? nowhere() :
					     errno_text(5, "/proc/self/exe"),
					 errno_send(0), 100));
	}
	TRY("readlink", readlink(here(), errno_send(0), 100));
}

static void removes(void)
{
	char path[] = "/tmp/uhmm-errno-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0, "%s", strerror(errno));
	close(fd);
	TRY("unlink", unlink(errno_text(5, path)));
	TRY("unlink", unlink(errno_text(5, path)));
}

/* ---- programs ---- */

enum exec { EXECVE, EXECVPE, EXECV, EXECVP };

static const char *const exec_names[] = { "execve", "execvpe", "execv",
					  "execvp" };

static char **arguments(void)
{
	char **argv = errno_page(6);

	argv[0] = errno_text(7, "true");
	argv[1] = NULL;
	return errno_send(6);
}

static int exec(enum exec how, const char *path, char **argv)
{
	switch (how) {
	case EXECVE:
		return execve(path, argv, environ);
	case EXECVPE:
		return execvpe(path, argv, environ);
	case EXECV:
		return execv(path, argv);
	default:
		return execvp(path, argv);
	}
}

/* A child becomes /bin/true; and this process does not become what is not. */
static void execs(enum exec how)
{
	char **argv = arguments(), *path = errno_text(5, "/bin/true");
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		exec(how, path, argv);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
	errno_note(exec_names[how], status != 0, ERRNO_BEFORE);
	argv = arguments();
	path = nowhere();
	TRY(exec_names[how], exec(how, path, argv));
}

static void spawns(const char *name)
{
	int (*fn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		  const posix_spawnattr_t *, char *const *, char *const *) =
		(int (*)(pid_t *, const char *,
			 const posix_spawn_file_actions_t *,
			 const posix_spawnattr_t *, char *const *,
			 char *const *))errno_function(name);
	char **argv = arguments(), *path = errno_text(5, "/bin/true");
	int status;
	pid_t pid = -1;

	TRY_VALUE(name, 0, fn(&pid, path, NULL, NULL, argv, environ));
	CHECK(waitpid(pid, &status, 0) == pid && !status, "%s", name);
	argv = arguments();
	path = nowhere();
	TRY_VALUE(name, 0, fn(&pid, path, NULL, NULL, argv, environ));
}

void errno_paths(void)
{
	opens();
	names();
	removes();
	for (enum exec how = EXECVE; how <= EXECVP; how++)
		execs(how);
	spawns("posix_spawn");
	spawns("posix_spawnp");
}
