/* SPDX-License-Identifier: MIT */
/* deny.c - run a command as a container engine's default profile has it
 *
 * deny PROG ARGS...: userfaultfd(2) and io_uring are refused with EPERM, for
 * PROG and all it starts, and so is /dev/userfaultfd, which is not in a
 * container. Exit status: PROG's; 77 where there is no seccomp.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SKIP 77
#define USERFAULTFD_NEW _IO(0xAA, 0x00)

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE_IF(value) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), REFUSE

static int install(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		REFUSE_IF(SYS_userfaultfd),
		REFUSE_IF(SYS_io_uring_setup),
		REFUSE_IF(SYS_io_uring_enter),
		REFUSE_IF(SYS_io_uring_register),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0),
		ALLOW,
		LOAD(args[1]),
		REFUSE_IF(USERFAULTFD_NEW),
		ALLOW,
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: deny PROG ARGS...\n");
		return 2;
	}
	if (install() < 0) {
		printf("skipped: seccomp: %s\n", strerror(errno));
		return SKIP;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "deny: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
