/* SPDX-License-Identifier: MIT */
/* probe_old.c - kernels and containers that have less
 *
 * A seccomp filter takes a system call away from this process, agent included.
 */
#include "probe.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "poison.h"

/* NOLINTBEGIN(android-cloexec-*): programs are as they are */

#define ANY 0xffffffffu
#define LOW_HALF(i) (offsetof(struct seccomp_data, args[i]))

/* From now on system call @nr gives @err; only with second argument @arg1, if
 * that is not ANY. */
static void deny(uint32_t nr, uint32_t arg1, uint32_t err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(1)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arg1, 0, arg1 != ANY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0);
}

static sigjmp_buf back;

static void on_signal(int sig)
{
	siglongjmp(back, sig);
}

static int touch(volatile unsigned char *p)
{
	int sig = sigsetjmp(back, 1);

	if (sig == 0)
		(void)*p;
	return sig;
}

/* Lose a page; the touch raises @sig, the others are well, munmap returns. */
static void lose(int fd, int sig)
{
	struct sigaction sa = { .sa_handler = on_signal };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = page(7, FAKE_TAKE_PAGES);

	EXPECT(sigaction(SIGBUS, &sa, NULL) == 0);
	EXPECT(sigaction(SIGSEGV, &sa, NULL) == 0);
	EXPECT(ioctl(fd, FAKE_TAKE, p) == 0);
	EXPECT(ioctl(fd, FAKE_DIE_LATER, 0) == 0);
	EXPECT(touch(p) == sig);
	for (size_t i = 1; i < FAKE_TAKE_PAGES; i++) {
		p[i * size]++;
		EXPECT(p[i * size] == 8);
	}
	EXPECT(touch(p) == sig);
	EXPECT(munmap(p, FAKE_TAKE_PAGES * size) == 0);
}

/* Linux before 6.6. */
void case_old_no_poison(void)
{
	deny(SYS_ioctl, UHMM_UFFDIO_POISON, EINVAL);
	lose(open_device(), SIGSEGV);
}

/* /proc went away: faults are answered one by one. */
void case_old_no_proc(void)
{
	int fd = open_device(), sig = lost_signal();

	deny(SYS_openat, ANY, ENOENT);
	lose(fd, sig);
}

void case_old_no_proc_no_poison(void)
{
	int fd = open_device();

	deny(SYS_openat, ANY, ENOENT);
	deny(SYS_ioctl, UHMM_UFFDIO_POISON, EINVAL);
	lose(fd, SIGSEGV);
}

/* Linux before 5.9, and no way to borrow a descriptor. */
void case_old_no_close_range(void)
{
	deny(SYS_close_range, ANY, ENOSYS);
	deny(SYS_pidfd_getfd, ANY, EPERM);
	lose(open_device(), lost_signal());
}

/* The default profile of a container, with and without the device. */
void case_old_no_userfaultfd(void)
{
	deny(SYS_userfaultfd, ANY, EPERM);
	if (access("/dev/userfaultfd", R_OK | W_OK) == 0)
		echo(open_device(), 1);
	deny(SYS_openat, ANY, ENOENT);
	if (access("/dev/userfaultfd", R_OK | W_OK) != 0)
		EXPECT_FAILS(open(DEVICE, O_RDWR), ENODEV);
}

/* NOLINTEND(android-cloexec-*) */
