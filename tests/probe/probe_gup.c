/* SPDX-License-Identifier: MIT */
/* probe_gup.c - the kernel's gup_test file, whether the kernel has it or not */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

#define NPAGES 8u
#define PATH "/sys/kernel/debug/gup_test"

struct gup_test {
	uint64_t get_usec, put_usec, addr, size;
	uint32_t per_call, gup_flags, test_flags, which[8];
};

struct pin_test {
	uint64_t addr, size;
	uint32_t flags;
};

#define GUP_FAST _IOWR('g', 1, struct gup_test)
#define PIN_LONG _IOWR('g', 3, struct gup_test)
#define GUP_BASIC _IOWR('g', 4, struct gup_test)
#define PIN_START _IOW('g', 7, struct pin_test)
#define PIN_STOP _IO('g', 8)
#define PIN_READ _IOW('g', 9, uint64_t)

static int dev, gup;
static unsigned char *p;

/* Pages it came over. */
static uint64_t get(unsigned long cmd, size_t at, size_t npages)
{
	struct gup_test g = {
		.addr = (uintptr_t)p + at * page_bytes,
		.size = npages * page_bytes,
		.per_call = 1,
		.gup_flags = 1,	/* FOLL_WRITE */
	};

	CHECK(ioctl(gup, cmd, &g) == 0, "%s", strerror(errno));
	return g.size / page_bytes;
}

static void snapshot_is(const unsigned char *want)
{
	unsigned char got[NPAGES];

	probe_do(dev, UHMM_DMIRROR_SNAPSHOT, p, NPAGES, got);
	for (size_t i = 0; i < NPAGES; i++)
		CHECK(got[i] == want[i], "page %zu: %02x", i, got[i]);
}

static void private_pages_come_back(void)
{
	static const unsigned char want[NPAGES] = {
		0x02, 0x02, 0x02, 0x22, 0x22, 0x22, 0x22, 0x22
	};

	dev = probe_open(0);
	probe_to_dev(dev, p, NPAGES);
	CHECK(get(GUP_BASIC, 0, 1) == 1, "basic");
	CHECK(get(GUP_FAST, 1, 1) == 1, "fast");
	CHECK(get(PIN_LONG, 2, 1) == 1, "pin");
	snapshot_is(want);
	probe_verify(p, NPAGES, 1, "afterwards");
	close(dev);
}

static void coherent_pages_stay_unless_pinned_long(void)
{
	static const unsigned char want[NPAGES] = {
		0x42, 0x42, 0x02, 0x42, 0x42, 0x42, 0x42, 0x42
	};

	dev = probe_open(2);
	probe_to_dev(dev, p, NPAGES);
	CHECK(get(GUP_BASIC, 0, 1) == 1, "basic");
	CHECK(get(GUP_FAST, 1, 1) == 1, "fast");
	CHECK(get(PIN_LONG, 2, 1) == 1, "pin");
	snapshot_is(want);
	probe_verify(p, NPAGES, 1, "afterwards");
	close(dev);
}

static void pinned_pages_do_not_migrate(void)
{
	struct pin_test t = { .addr = (uintptr_t)p, .size = 2 * page_bytes,
			      .flags = 1 };
	unsigned char *out = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	uint64_t to = (uintptr_t)out;

	dev = probe_open(0);
	CHECK(ioctl(gup, PIN_START, &t) == 0, "%s", strerror(errno));
	CHECK(probe_try(dev, UHMM_DMIRROR_MIGRATE_TO_DEV, p, NPAGES, out,
			NULL) == -ENOENT, "pinned pages went");
	CHECK(ioctl(gup, PIN_READ, &to) == 0, "%s", strerror(errno));
	probe_verify(out, 2, 1, "as read");
	CHECK(ioctl(gup, PIN_STOP) == 0, "%s", strerror(errno));
	probe_to_dev(dev, p, NPAGES);
	close(dev);
	probe_unmap(out, NPAGES);
}

/* It works on the memory of who calls, whoever opened it. */
static void child_with_the_descriptor(void)
{
	static const unsigned char want[NPAGES] = {
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
	};
	int pid = fork();

	CHECK(pid >= 0, "%s", strerror(errno));
	if (!pid) {
		probe_unmap(p, NPAGES);
		p = probe_map(NPAGES, PROT_READ | PROT_WRITE);
		CHECK(get(GUP_BASIC, 0, 1) == 1, "in the child");
		dev = probe_open(0);
		/* not zeros, which pass for the zero page on some kernels */
		CHECK(probe_where(dev, p, 1).in_memory == 1, "not there");
		p[0] = 1;
		snapshot_is(want);
		_exit(0);
	}
	probe_wait(pid, "child");
}

static void errors(void)
{
	struct gup_test g = { .size = 1 };

	errno = 0;
	CHECK(ioctl(gup, _IO('g', 10), &g) == -1 && errno == EINVAL, "unknown");
	CHECK(ioctl(gup, GUP_BASIC, 8) == -1 && errno == EFAULT, "address");
	CHECK(mmap(NULL, page_bytes, PROT_READ, MAP_SHARED, gup, 0) ==
			      MAP_FAILED && errno == ENODEV, "mmap");
	CHECK(open(PATH "s", O_RDWR | O_CLOEXEC) == -1, "another name");
	CHECK(open(PATH "/", O_RDWR | O_CLOEXEC) == -1, "no folder");
}

int main(void)
{
	probe_begin("probe_gup", 30);
	gup = open(PATH, O_RDWR | O_CLOEXEC);
	CHECK(gup >= 0, "%s", strerror(errno));
	p = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	probe_fill(p, NPAGES, 1);
	private_pages_come_back();
	coherent_pages_stay_unless_pinned_long();
	pinned_pages_do_not_migrate();
	child_with_the_descriptor();
	errors();
	CHECK(close(gup) == 0, "%s", strerror(errno));
	return 0;
}
