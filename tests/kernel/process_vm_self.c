/* SPDX-License-Identifier: MIT */
/*
 * process_vm_self - process_vm_readv() and _writev() on the process itself
 * reach bad addresses without a signal: EFAULT, or a short count where the
 * range begins well, and they respect the protection.
 */
#include "fact.h"

typedef ssize_t (*transfer_fn)(pid_t, const struct iovec *, unsigned long,
			       const struct iovec *, unsigned long,
			       unsigned long);

static char buf[64];

static long transfer(transfer_fn fn, void *at, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { at, len };
	ssize_t n = fn(getpid(), &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n;
}

static long read_self(void *at, size_t len)
{
	return transfer(process_vm_readv, at, len);
}

static long write_self(void *at, size_t len)
{
	return transfer(process_vm_writev, at, len);
}

/* Page 0 may be written, 1 read, 2 nothing, 3 is not there. */
static void protections(char *p)
{
	FACT_IS(write_self(p, 8), 8, "writev to writable memory works");
	FACT_IS(read_self(fact_page(p, 1), 8), 8, "readv of readable works");
	FACT_IS(write_self(fact_page(p, 1), 8), -EFAULT,
		"writev to PROT_READ memory is EFAULT");
	FACT_IS(read_self(fact_page(p, 2), 8), -EFAULT,
		"readv of PROT_NONE memory is EFAULT");
	FACT_IS(read_self(fact_page(p, 3), 8), -EFAULT,
		"readv of unmapped memory is EFAULT");
	FACT_IS(write_self(fact_page(p, 1) - 8, 16), 8,
		"writev into PROT_READ memory stops short");
	FACT_IS(read_self(fact_page(p, 2) - 8, 16), 8,
		"readv into PROT_NONE memory stops short");
}

static void wild_pointers(char *p)
{
	struct iovec local = { NULL, 8 };
	struct iovec remote = { p, 8 };

	FACT_IS(read_self(NULL, 8), -EFAULT, "readv of NULL is EFAULT");
	FACT_IS(read_self((void *)(UINTPTR_MAX << 47), 8), -EFAULT,
		"readv of a kernel address is EFAULT");
	FACT(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0 &&
		     errno == EFAULT,
	     "a bad local buffer is EFAULT");
}

int main(void)
{
	char *p;

	fact_begin();
	p = fact_map(4);
	if (read_self(p, 1) == -EPERM || read_self(p, 1) == -ENOSYS)
		fact_skip("process_vm_readv is not permitted here");
	NEED(!fact_protect(fact_page(p, 1), 1, PROT_READ), "mprotect");
	NEED(!fact_protect(fact_page(p, 2), 1, PROT_NONE), "mprotect");
	munmap(fact_page(p, 3), FACT_PAGE_SIZE);
	protections(p);
	wild_pointers(p);
	return 0;
}
