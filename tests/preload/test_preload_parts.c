/* SPDX-License-Identifier: MIT */
/* test_preload_parts.c - parts of the library in the test's own process
 *
 * Built from the library's sources with the sanitizer of the preset. What needs
 * a program around it is in test_preload.c.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UHMM_PRELOAD_DEFINES_HOOKS	/* this calls them as a program does */
#include "../../preload/devfd.h"
#include "../../preload/lockup.h"
#include "../../preload/ownfd.h"
#include "../../preload/smaps.h"
#include "../../preload/uffd.h"
#include "../../preload/uffd_abi.h"

#define NPAGES 4u

static uint64_t page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t map(void)
{
	void *p = mmap(NULL, NPAGES * page_bytes(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return (uintptr_t)p;
}

static int make_uffd(void)
{
	uint64_t features;
	uint32_t flags;
	int uffd = uhmm_uffd_create(&features, &flags);

	ck_assert_int_ge(uffd, 0);
	ck_assert_int_eq(fcntl(uffd, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(uffd, F_GETFL) & O_NONBLOCK);
	ck_assert_uint_eq(!!(features & UFFD_FEATURE_EVENT_FORK),
			  !!(flags & UHMM_HELLO_EVENT_FORK));
	return uffd;
}

static void register_pages(int uffd, uint64_t start, uint64_t bytes)
{
	struct uffdio_register r = {
		.range = { start, bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	ck_assert_int_eq(ioctl(uffd, UFFDIO_REGISTER, &r), 0);
}

/* What uhmm_smaps_next() finds, at most @max. */
static unsigned int find_all(uint64_t (*found)[2], unsigned int max)
{
	struct uhmm_smaps s;
	unsigned int n = 0;

	ck_assert_int_eq(uhmm_smaps_init(&s), 0);
	while (n < max && uhmm_smaps_next(&s, &found[n][0], &found[n][1]))
		n++;
	uhmm_smaps_fini(&s);
	return n;
}

START_TEST(test_smaps_finds_registered_pages_only)
{
	uint64_t found[4][2];
	uint64_t a = map(), page = page_bytes();
	int uffd = make_uffd();

	ck_assert_uint_eq(find_all(found, 4), 0);
	register_pages(uffd, a + page, 2 * page);
	ck_assert_uint_eq(find_all(found, 4), 1);
	ck_assert_uint_eq(found[0][0], a + page);
	ck_assert_uint_eq(found[0][1], a + 3 * page);
	ck_assert_int_eq(close(uffd), 0);
	ck_assert_uint_eq(find_all(found, 4), 0);
}
END_TEST

/* A mapped file whose path is longer than a line may be. */
START_TEST(test_smaps_cuts_a_long_name)
{
	uint64_t found[4][2];
	char dir[256], cwd[4096] = "/tmp/uhmm-long-XXXXXX";
	int uffd = make_uffd();
	uint64_t a = map();
	char top[sizeof(cwd)];
	int fd;

	memset(dir, 'd', 200);
	dir[200] = '\0';
	ck_assert_ptr_nonnull(mkdtemp(cwd));
	memcpy(top, cwd, sizeof(top));
	ck_assert_int_eq(chdir(cwd), 0);
	for (int i = 0; i < 5; i++)
		ck_assert(mkdir(dir, 0700) == 0 && chdir(dir) == 0);
	fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, (off_t)page_bytes()), 0);
	ck_assert_ptr_ne(mmap(NULL, page_bytes(), PROT_READ, MAP_SHARED, fd, 0),
			 MAP_FAILED);
	register_pages(uffd, a, page_bytes());
	ck_assert_uint_eq(find_all(found, 4), 1);
	ck_assert_uint_eq(found[0][0], a);
	ck_assert_int_eq(unlink("f"), 0);
	for (int i = 0; i < 5; i++)
		ck_assert(chdir("..") == 0 && rmdir(dir) == 0);
	ck_assert_int_eq(rmdir(top), 0);
}
END_TEST

START_TEST(test_connect_without_daemon_leaves_nothing)
{
	struct uhmm_ownfd own = UHMM_OWNFD_NONE;
	int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);

	ck_assert_int_eq(uhmm_ownfd_connect(&own), -ENODEV);
	ck_assert(!uhmm_ownfd_is_ours(&own));
	uhmm_ownfd_close(&own);
	ck_assert_int_eq(fcntl(0, F_DUPFD_CLOEXEC, 0), lowest + 1);
}
END_TEST

START_TEST(test_devfd_of_other_descriptors)
{
	struct uhmm_wire_token token;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pair), 0);
	ck_assert(!uhmm_devfd_get(pair[0], &token));
	ck_assert(!uhmm_devfd_get(0, &token));
	ck_assert(!uhmm_devfd_get(-1, &token));
	ck_assert(!uhmm_devfd_get(1 << 20, &token));
}
END_TEST

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define IF(op, k, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, k, yes, no)

#define PERMITS(...) permits((struct sock_filter[]){ __VA_ARGS__ },         \
	sizeof((struct sock_filter[]){ __VA_ARGS__ }) /                     \
		sizeof(struct sock_filter))

static bool permits(struct sock_filter *filter, size_t n)
{
	const struct sock_fprog prog = { (unsigned short)n, filter };

	return uhmm_lockup_permits(&prog);
}

START_TEST(test_lockup_lists)
{
	ck_assert(PERMITS(ALLOW));
	ck_assert(!PERMITS(KILL));
	ck_assert(PERMITS(NR, IF(BPF_JEQ, SYS_ptrace, 0, 1), KILL, ALLOW));
	ck_assert(!PERMITS(NR, IF(BPF_JEQ, SYS_recvmsg, 0, 1), REFUSE, ALLOW));
	ck_assert(!PERMITS(NR, IF(BPF_JEQ, SYS_read, 1, 0), KILL, ALLOW));
	/* all but one of ours */
	ck_assert(!PERMITS(NR, IF(BPF_JEQ, SYS_getcpu, 1, 0), ALLOW, REFUSE));
	/* one that it can do without, if it does not kill */
	ck_assert(PERMITS(NR, IF(BPF_JEQ, SYS_process_vm_readv, 0, 1), REFUSE,
			  ALLOW));
	ck_assert(!PERMITS(NR, IF(BPF_JEQ, SYS_process_vm_readv, 0, 1), KILL,
			   ALLOW));
	ck_assert(PERMITS(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG)));
	ck_assert(!PERMITS(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)));
}
END_TEST

/* What compilers of filters make: ranges, another machine, masks of arguments. */
START_TEST(test_lockup_shapes)
{
	ck_assert(PERMITS(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				   offsetof(struct seccomp_data, arch)),
			  IF(BPF_JEQ, AUDIT_ARCH_I386, 0, 1), KILL, ALLOW));
	ck_assert(PERMITS(NR, IF(BPF_JGT, 100000, 0, 1), KILL,
			  IF(BPF_JGE, 100000, 0, 1), KILL, ALLOW));
	ck_assert(PERMITS(NR, IF(BPF_JSET, 0x40000000, 0, 1), KILL, ALLOW));
	ck_assert(PERMITS(NR, BPF_STMT(BPF_ST, 3),
			  BPF_STMT(BPF_LD | BPF_IMM, 0),
			  BPF_STMT(BPF_LDX | BPF_MEM, 3),
			  BPF_STMT(BPF_MISC | BPF_TXA, 0),
			  IF(BPF_JEQ, SYS_ptrace, 0, 1), KILL, ALLOW));
	ck_assert(!PERMITS(NR, BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
			   IF(BPF_JEQ, SYS_sendmsg - 1, 0, 1), KILL, ALLOW));
	ck_assert(!PERMITS(NR, BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW, KILL));
	ck_assert(!PERMITS(BPF_STMT(BPF_LD | BPF_IMM, 0),
			   BPF_STMT(BPF_RET | BPF_A, 0)));
}
END_TEST

/* What is no filter changes nothing, whatever it points to. */
START_TEST(test_lockup_of_no_filter)
{
	const struct sock_fprog nowhere = { 3, NULL }, empty = { 0, NULL };
	const unsigned long none[] = { 0, 8, (uintptr_t)&nowhere,
				       (uintptr_t)&empty };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_int_eq(uhmm_lockup_begin(SECCOMP_MODE_FILTER, none[i],
						   true),
				 UHMM_LOCKUP_NOTHING);
	ck_assert_int_eq(uhmm_lockup_begin(0, 0, true), UHMM_LOCKUP_NOTHING);
}
END_TEST

static Suite *parts_suite(void)
{
	Suite *s = suite_create("preload parts");
	TCase *tc = tcase_create("parts");

	tcase_add_test(tc, test_smaps_finds_registered_pages_only);
	tcase_add_test(tc, test_smaps_cuts_a_long_name);
	tcase_add_test(tc, test_connect_without_daemon_leaves_nothing);
	tcase_add_test(tc, test_devfd_of_other_descriptors);
	tcase_add_test(tc, test_lockup_lists);
	tcase_add_test(tc, test_lockup_shapes);
	tcase_add_test(tc, test_lockup_of_no_filter);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(parts_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
