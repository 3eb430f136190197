/* SPDX-License-Identifier: MIT */
/*
 * pagemap_scan - PAGEMAP_SCAN on a descriptor passed to another process scans
 * the opener's memory and tells present, zero, file, huge, and marker pages
 * apart. Without WP_ASYNC "written" means no more than "not write-protected":
 * holes have it too.
 */
#include "fact_uffd.h"

#define KINDS \
	(FACT_CAT_FILE | FACT_CAT_PRESENT | FACT_CAT_SWAPPED | \
	 FACT_CAT_PFNZERO | FACT_CAT_HUGE | FACT_CAT_WRITTEN)

/* The categories of page @p */
static uint64_t scan(int pagemap, const char *p)
{
	struct fact_scan_range range = { 0 };
	struct fact_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + FACT_PAGE_SIZE,
		.vec = (uintptr_t)&range,
		.vec_len = 1,
		.return_mask = KINDS,
	};
	int n = ioctl(pagemap, FACT_PAGEMAP_SCAN, &arg);

	if (n < 0 && errno == ENOTTY)
		fact_skip("this kernel has no PAGEMAP_SCAN (6.7)");
	NEED(n >= 0, "PAGEMAP_SCAN");
	FACT_IS(arg.walk_end, arg.end, "the scan walks all it is asked to");
	return n ? range.categories : 0;
}

static void daemon_side(int sock)
{
	int pagemap = fact_recv_fd(sock);
	char *p = (char *)fact_hear(sock);
	char *exe = (char *)fact_hear(sock);

	FACT_IS(scan(pagemap, p), FACT_CAT_PRESENT | FACT_CAT_WRITTEN,
		"a written page is present");
	FACT_IS(scan(pagemap, fact_page(p, 1)),
		FACT_CAT_PRESENT | FACT_CAT_PFNZERO | FACT_CAT_WRITTEN,
		"the zero page is told from others");
	FACT_IS(scan(pagemap, fact_page(p, 2)), FACT_CAT_WRITTEN,
		"a hole is nothing but not write-protected");
	FACT_IS(scan(pagemap, fact_page(p, 3)), FACT_CAT_PRESENT,
		"a write-protected page is present and not written");
	FACT_IS(scan(pagemap, fact_page(p, 4)), FACT_CAT_SWAPPED,
		"a marker looks swapped");
	FACT_IS(scan(pagemap, exe),
		FACT_CAT_PRESENT | FACT_CAT_FILE | FACT_CAT_WRITTEN,
		"a private file page is a file page");
	FACT_IS(scan(pagemap, fact_page(exe, 1)),
		FACT_CAT_PRESENT | FACT_CAT_WRITTEN,
		"a private file page once written is not");
	_exit(0);
}

/* Two pages of our own program file: one read, one written. */
static char *file_pages(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, 2 * FACT_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED, "mmap of the program file");
	fact_load(p);
	fact_store(fact_page(p, 1));
	return p;
}

int main(void)
{
	int pair[2];
	pid_t pid;
	int uffd;
	char *p;

	fact_begin();
	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		daemon_side(pair[1]);
	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	p = fact_map(5);
	fact_store(p);
	fact_store(fact_page(p, 3));
	NEED(!fact_register(uffd, p, 5, FACT_MISSING_WP), "register");
	NEED(!fact_zeropage(uffd, fact_page(p, 1), 1, NULL), "zero page");
	NEED(!fact_wp(uffd, fact_page(p, 3), 2), "write-protect");
	fact_send_fd(pair[0], fact_open_proc("pagemap", O_RDONLY));
	fact_say(pair[0], (uintptr_t)p);
	fact_say(pair[0], (uintptr_t)file_pages());
	fact_reap(pid);
	return 0;
}
