/* SPDX-License-Identifier: MIT */
/* probe_copy.c - many pages between a buffer and the device's pages, which the
 * calling thread may be asked to copy: the buffer overlaps the pages, is not
 * aligned, ends early; others take the pages away meanwhile; it may not copy
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 256
#define APART 40
#define ROUNDS 60

static int fd;
static unsigned char *pages, *buf;	/* NPAGES each, buf and some more */

static int try_it(unsigned long request, void *ptr)
{
	return probe_try(fd, request, pages, NPAGES, ptr, NULL);
}

/* ---- buffers ---- */

static void unaligned(void)
{
	unsigned char *odd = buf + 5;

	probe_fill(pages, NPAGES, 1);
	for (unsigned int away = 0; away < 2; away++) {
		memset(buf, 0xee, (NPAGES + 1) * page_bytes);
		probe_do(fd, away ? UHMM_DMIRROR_MIGRATE_TO_DEV :
				    UHMM_DMIRROR_READ,
			 pages, NPAGES, odd);
		CHECK(odd[-1] == 0xee && odd[NPAGES * page_bytes] == 0xee,
		      "more was written than there is");
		memmove(buf, odd, NPAGES * page_bytes);
		probe_verify(buf, NPAGES, 1, "unaligned");
	}
	probe_fill(buf, NPAGES, 1000);
	memmove(odd, buf, NPAGES * page_bytes);
	probe_do(fd, UHMM_DMIRROR_WRITE, pages, NPAGES, odd);
	probe_verify(pages, NPAGES, 1000, "written from an unaligned buffer");
}

/* The device reads everything before anything is handed over. */
static void overlapping(void)
{
	unsigned char *all = probe_map(NPAGES + APART, RW), *behind;

	behind = all + APART * page_bytes;
	for (unsigned int i = 0; i < 3; i++) {
		probe_fill(behind, NPAGES, 5000);
		probe_fill(all, NPAGES, 2000);
		if (i == 1)
			probe_to_dev(fd, all, NPAGES);
		probe_do(fd, i < 2 ? UHMM_DMIRROR_READ :
				     UHMM_DMIRROR_MIGRATE_TO_DEV,
			 all, NPAGES, behind);
		probe_verify(behind, NPAGES, 2000, "an overlapping buffer");
	}
	probe_fill(all, NPAGES, 2000);
	probe_do(fd, UHMM_DMIRROR_WRITE, behind, NPAGES, all);
	probe_verify(behind, NPAGES, 2000, "written from an overlapping buffer");
	probe_unmap(all, NPAGES + APART);
}

/* A file that is shorter than its mapping. */
static unsigned char *short_file(void)
{
	int file = memfd_create("probe", MFD_CLOEXEC);
	unsigned char *p;

	CHECK(file >= 0 && !ftruncate(file, (off_t)(APART * page_bytes)),
	      "memfd");
	p = mmap(NULL, NPAGES * page_bytes, RW, MAP_PRIVATE, file, 0);
	CHECK(p != MAP_FAILED, "mmap");
	close(file);
	return p;
}

static void ends_early(void)
{
	unsigned char *hole = probe_map(NPAGES, RW), *file = short_file();

	probe_fill(pages, NPAGES, 1);
	CHECK(!munmap(hole + APART * page_bytes, page_bytes), "munmap");
	CHECK(try_it(UHMM_DMIRROR_WRITE, hole) == -EFAULT, "of a hole");
	probe_verify(pages, NPAGES, 1, "after a WRITE that failed");
	CHECK(try_it(UHMM_DMIRROR_WRITE, file) == -EFAULT, "of a short file");
	probe_verify(pages, NPAGES, 1, "after a WRITE of a short file that failed");
	CHECK(try_it(UHMM_DMIRROR_READ, hole) == -EFAULT, "to a hole");
	CHECK(try_it(UHMM_DMIRROR_MIGRATE_TO_DEV, hole) == -EFAULT, "to a hole");
	probe_verify(pages, NPAGES, 1, "after a READ that failed");
	CHECK(!mprotect(buf + APART * page_bytes, page_bytes, PROT_READ),
	      "mprotect");
	CHECK(try_it(UHMM_DMIRROR_READ, buf) == -EFAULT, "to what is read-only");
	CHECK(!mprotect(buf + APART * page_bytes, page_bytes, RW), "mprotect");
	(void)munmap(hole, APART * page_bytes);
	(void)munmap(hole + (APART + 1) * page_bytes,
		     (NPAGES - APART - 1) * page_bytes);
	probe_unmap(file, NPAGES);
}

/* A page that cannot be read: nothing is handed over. */
static void nothing_to_read(void)
{
	unsigned char *last = pages + (NPAGES - 1) * page_bytes;

	probe_fill(pages, NPAGES, 1);
	memset(buf, 0xee, NPAGES * page_bytes);
	CHECK(!mprotect(last, page_bytes, PROT_NONE), "mprotect");
	CHECK(try_it(UHMM_DMIRROR_READ, buf) == -EFAULT, "PROT_NONE");
	for (size_t i = 0; i < NPAGES * page_bytes; i++)
		CHECK(buf[i] == 0xee, "byte %d of the buffer", (int)i);
	CHECK(!mprotect(last, page_bytes, RW), "mprotect");
}

/* ---- others ---- */

static _Atomic bool through;

/* Takes the pages away, and puts others where they were on the device. */
static void *disturb(void *arg)
{
	unsigned char *other = arg;
	unsigned int seed = 1;

	while (!through) {
		size_t at = (size_t)rand_r(&seed) % (NPAGES - 8);

		(void)*(volatile unsigned char *)(pages + at * page_bytes);
		(void)probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_SYS,
				pages + at * page_bytes, 8, NULL, NULL);
		probe_fill(other + at * page_bytes, 8, 77);
		(void)probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV,
				other + at * page_bytes, 8,
				other + NPAGES * page_bytes, NULL);
	}
	return NULL;
}

static void while_disturbed(void)
{
	unsigned char *other = probe_map(NPAGES + 8, RW);
	unsigned int handed = 0;
	pthread_t thread;

	probe_fill(pages, NPAGES, 3000);
	CHECK(!pthread_create(&thread, NULL, disturb, other), "pthread_create");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		int err = try_it(UHMM_DMIRROR_MIGRATE_TO_DEV, buf);

		CHECK(!err || err == -ENOENT, "%d", err);
		if (!err)
			probe_verify(buf, NPAGES, 3000, "handed back");
		handed += !err;
		err = try_it(UHMM_DMIRROR_READ, buf);
		CHECK(!err || err == -EBUSY, "%d", err);
		if (!err)
			probe_verify(buf, NPAGES, 3000, "read");
	}
	through = true;
	CHECK(!pthread_join(thread, NULL), "pthread_join");
	CHECK(handed, "the device never had all pages");
	probe_verify(pages, NPAGES, 3000, "in the end");
	probe_unmap(other, NPAGES + 8);
}

/* ---- a thread that may not copy ---- */

/* A filter refuses the call that copies; everything else is permitted. */
static void forbid_copies(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
	      "seccomp: %s", strerror(errno));
}

int main(void)
{
	probe_begin("probe_copy", 60);
	fd = probe_open(0);
	pages = probe_map(NPAGES, RW);
	buf = probe_map(NPAGES + 1, RW);
	unaligned();
	overlapping();
	ends_early();
	nothing_to_read();
	while_disturbed();
	forbid_copies();
	unaligned();
	return 0;
}
