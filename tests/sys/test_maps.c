/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

/* The same answer from the query and from the text; the query's. */
static int find(uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	struct uhmm_maps text = { .fd = prog.fds.maps, .has_query = false };
	struct uhmm_vma other;
	int err = uhmm_maps_find(&prog.engine->maps, vpn, vma);

	ck_assert_int_eq(uhmm_maps_find(&text, vpn, &other), err);
	if (err)
		return err;
	ck_assert_uint_eq(other.range.start.val, vma->range.start.val);
	ck_assert_uint_eq(other.range.end.val, vma->range.end.val);
	ck_assert(other.read == vma->read && other.write == vma->write &&
		  other.exec == vma->exec && other.shared == vma->shared);
	ck_assert(other.anon == vma->anon);
	ck_assert(other.hugetlb == vma->hugetlb);
	ck_assert(other.special == vma->special);
	ck_assert(other.pfnmap == vma->pfnmap);
	ck_assert(other.file == vma->file && other.device == vma->device);
	ck_assert_uint_eq(other.file_page, vma->file_page);
	return 0;
}

/* The mapping at @addr of the program, which must be there. */
static struct uhmm_vma at(long addr)
{
	struct uhmm_vma vma;

	ck_assert_int_ne(addr, -1);
	ck_assert_int_eq(find(uhmm_vpn_of((uint64_t)addr), &vma), 0);
	ck_assert(uhmm_range_has(vma.range, uhmm_vpn_of((uint64_t)addr)));
	return vma;
}

START_TEST(test_find_private_anonymous)
{
	struct uhmm_vma vma;
	long addr;

	/* fenced on either side: what the runtime maps merges with nothing */
	prog_map(&prog, 8, false);
	addr = (long)uhmm_addr_of(prog.base);
	prog_call(&prog, in_protect, addr, (long)uhmm_bytes_of(2), PROT_NONE);
	prog_call(&prog, in_protect, addr + (long)uhmm_bytes_of(6),
		  (long)uhmm_bytes_of(2), PROT_NONE);
	vma = at(addr + (long)uhmm_bytes_of(3));
	ck_assert_uint_eq(vma.range.start.val, prog.base.val + 2);
	ck_assert_uint_eq(vma.range.end.val, prog.base.val + 6);
	ck_assert(vma.read && vma.write && !vma.exec && !vma.shared);
	ck_assert(vma.anon && !vma.hugetlb && !vma.special);
}
END_TEST

START_TEST(test_find_permissions)
{
	struct uhmm_vma vma;
	long addr;

	prog_map(&prog, 3, false);
	addr = (long)uhmm_addr_of(prog.base);
	prog_call(&prog, in_protect, addr, getpagesize(), PROT_NONE);
	prog_call(&prog, in_protect, addr + getpagesize(), getpagesize(),
		  PROT_READ | PROT_EXEC);
	vma = at(addr);
	ck_assert(!vma.read && !vma.write && !vma.exec);
	vma = at(addr + getpagesize());
	ck_assert(vma.read && !vma.write && vma.exec);
}
END_TEST

/* Asked from every hole: the next one above, and nothing above the last. */
START_TEST(test_find_nothing_above)
{
	struct uhmm_vma vma;
	uhmm_vpn_t vpn = UHMM_VPN(0);
	unsigned int n = 0;
	int err;

	while ((err = find(vpn, &vma)) == 0) {
		ck_assert_uint_lt(vma.range.start.val, vma.range.end.val);
		ck_assert_uint_le(vpn.val, vma.range.start.val);
		vpn = vma.range.end;
		n++;
	}
	ck_assert_int_eq(err, -ENOENT);
	ck_assert_uint_gt(n, 5);
}
END_TEST

START_TEST(test_find_shared_anonymous)
{
	struct uhmm_vma vma = at(prog_call(&prog, in_map, 2,
					   PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS));

	ck_assert(vma.shared && vma.anon && !vma.special && !vma.hugetlb);
}
END_TEST

static long in_map_path(long which, long flags, long unused)
{
	static const char *const path[] = {
		"/proc/self/exe", "/dev/zero", "/dev/null"
	};
	int fd = open(path[which], O_RDONLY | O_CLOEXEC);
	long addr;

	(void)unused;
	addr = (long)mmap(NULL, (size_t)getpagesize(), PROT_READ, (int)flags,
			  fd, 0);
	close(fd);
	return addr;
}

START_TEST(test_find_file)
{
	struct uhmm_vma vma = at(prog_call(&prog, in_map_path, 0, MAP_PRIVATE,
					   0));

	ck_assert(!vma.anon && !vma.shared && !vma.special && vma.read);
	vma = at(prog_call(&prog, in_map_path, 1, MAP_PRIVATE, 0));
	ck_assert(vma.anon && !vma.shared && !vma.special);
}
END_TEST

static long in_map_memfd(long device, long hugetlb, long unused)
{
	int fd = memfd_create(device ? "hmm_dmirror0" : "other",
			      MFD_CLOEXEC | (hugetlb ? MFD_HUGETLB : 0));
	size_t bytes = hugetlb ? 2u << 20 : (size_t)getpagesize();
	long addr;

	(void)unused;
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return -1;
	addr = (long)mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | (hugetlb ? MAP_NORESERVE : 0), fd, 0);
	close(fd);
	return addr;
}

START_TEST(test_find_device_memfd)
{
	struct uhmm_vma vma = at(prog_call(&prog, in_map_memfd, 1, 0, 0));

	ck_assert(vma.special && vma.shared && !vma.anon && !vma.pfnmap);
	vma = at(prog_call(&prog, in_map_memfd, 0, 0, 0));
	ck_assert(!vma.special && vma.shared && !vma.anon);
}
END_TEST

/* No huge page is needed to map one, and it is never touched. */
START_TEST(test_find_hugetlb)
{
	long addr = prog_call(&prog, in_map_memfd, 0, 1, 0);
	long bytes = 2 << 20;

	if (addr != -1)
		ck_assert(at(addr).hugetlb);
	addr = prog_call(&prog, in_map, bytes / getpagesize(),
			 PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			 MAP_NORESERVE);
	if (addr != -1)
		ck_assert(at(addr).hugetlb);
	/* an ordinary mapping that could be one by its size */
	addr = prog_call(&prog, in_map, 2 * bytes / getpagesize(), PROT_READ,
			 MAP_SHARED | MAP_ANONYMOUS);
	ck_assert(!at((addr + bytes - 1) & -bytes).hugetlb);
}
END_TEST

/* The mapping whose line in maps ends with @name. */
static long in_find_name(long name, long unused, long unused2)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start = -1ul;
	char line[512];

	(void)unused;
	(void)unused2;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) > strlen((const char *)name) &&
		    strcmp(line + strlen(line) - strlen((const char *)name),
			   (const char *)name) == 0) {
			sscanf(line, "%lx", &start);
			break;
		}
	}
	if (f)
		fclose(f);
	return (long)start;
}

START_TEST(test_find_kernel_mappings)
{
	static const char vdso[] = "[vdso]";
	static const char vvar[] = "[vvar]";
	static const char stack[] = "[stack]";
	struct uhmm_vma vma = at(prog_call(&prog, in_find_name, (long)vdso, 0,
					   0));

	ck_assert(vma.special && !vma.pfnmap && vma.exec);
	vma = at(prog_call(&prog, in_find_name, (long)vvar, 0, 0));
	ck_assert(vma.special && vma.pfnmap);
	vma = at(prog_call(&prog, in_find_name, (long)stack, 0, 0));
	ck_assert(!vma.special && vma.anon && vma.write);
}
END_TEST

/* The ring of io_submit(2), a mapping that must not grow. */
static long in_aio(long unused, long unused2, long unused3)
{
	unsigned long ring = 0;

	(void)unused;
	(void)unused2;
	(void)unused3;
	return syscall(SYS_io_setup, 1, &ring) < 0 ? -1 : (long)ring;
}

START_TEST(test_find_driver_mapping)
{
	long addr = prog_call(&prog, in_aio, 0, 0, 0);
	struct uhmm_vma vma;

	if (addr == -1)
		return;
	vma = at(addr);
	ck_assert(vma.special && !vma.pfnmap);
}
END_TEST

START_TEST(test_find_many_mappings)
{
	struct uhmm_vma vma;

	/* text far longer than one buffer */
	prog_map(&prog, 2000, false);
	for (long i = 0; i < 2000; i += 2)
		prog_call(&prog, in_protect,
			  (long)uhmm_addr_of(prog.base) + i * getpagesize(),
			  getpagesize(), PROT_READ);
	for (long i = 0; i < 2000; i += 97) {
		vma = at((long)uhmm_addr_of(prog.base) + i * getpagesize());
		ck_assert(vma.write == (i % 2 != 0));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_find_private_anonymous,
		test_find_permissions,
		test_find_nothing_above,
		test_find_shared_anonymous,
		test_find_file,
		test_find_device_memfd,
		test_find_hugetlb,
		test_find_kernel_mappings,
		test_find_driver_mapping,
		test_find_many_mappings,
	};

	return suite_main("maps", tests, sizeof(tests) / sizeof(tests[0]));
}
