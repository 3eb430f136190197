/* SPDX-License-Identifier: MIT */
/* gup_test.c - the kernel's test of get_user_pages(), a file of debugfs
 *
 * Kernel: mm/gup_test.c. It works on the memory of whoever calls, not of who
 * opened it. A page that cannot be had is no error: the size says how far it
 * came. The pages that PIN_LONGTERM_TEST_START pins are one set for all opens.
 * Not here: what DUMP_USER_PAGES_TEST would write into the kernel's log, and
 * the bytes of a pinned page that the program has dropped since (EFAULT).
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <uhmm/gup.h>

#include "device/drivers.h"

/* ---- the ABI ---- */

#define DUMP_PAGES_MAX 8

/** Argument of the timed calls. */
struct gup_test {
	uint64_t get_delta_usec;	/* (out) time to get */
	uint64_t put_delta_usec;	/* (out) and to put */
	uint64_t addr;			/* (in) */
	uint64_t size;			/* (in) bytes; (out) bytes tried */
	uint32_t nr_pages_per_call;	/* (in) */
	uint32_t gup_flags;		/* (in) FOLL_* */
	uint32_t test_flags;		/* (in) */
	uint32_t which_pages[DUMP_PAGES_MAX];	/* (in, out) from 1 on */
};

static_assert(sizeof(struct gup_test) == 80, "size of the ABI");

/** Argument of PIN_LONGTERM_TEST_START. */
struct pin_test {
	uint64_t addr;
	uint64_t size;
	uint32_t flags;
};

static_assert(sizeof(struct pin_test) == 24, "size of the ABI");

#define PIN_TEST_USE_WRITE 1u
#define PIN_TEST_USE_FAST 2u

#define GUP_FAST_BENCHMARK _IOWR('g', 1, struct gup_test)
#define PIN_FAST_BENCHMARK _IOWR('g', 2, struct gup_test)
#define PIN_LONGTERM_BENCHMARK _IOWR('g', 3, struct gup_test)
#define GUP_BASIC_TEST _IOWR('g', 4, struct gup_test)
#define PIN_BASIC_TEST _IOWR('g', 5, struct gup_test)
#define DUMP_USER_PAGES_TEST _IOWR('g', 6, struct gup_test)
#define PIN_LONGTERM_TEST_START _IOW('g', 7, struct pin_test)
#define PIN_LONGTERM_TEST_STOP _IO('g', 8)
#define PIN_LONGTERM_TEST_READ _IOW('g', 9, uint64_t)

/* Flags that no caller may pass, that do not go with a pin, with a long one,
 * and that the fast calls do not know. */
#define FOLL_INTERNAL UINT32_C(0x7f0000)
#define FOLL_GET (UINT32_C(1) << 1)
#define FOLL_PCI_P2PDMA (UINT32_C(1) << 10)
#define FOLL_NOT_FAST (~UINT32_C(0x152b))

#define TEST_FLAG_DUMP_USES_PIN 1u

/** struct gup_driver - what is pinned, by whom */
struct gup_driver {
	struct uhmm_mm *mm;	/* referenced; NULL: nothing is pinned */
	struct uhmm_pin *pin;
};

/* ---- the timed calls ---- */

static bool is_pin(uint64_t cmd, const struct gup_test *g)
{
	if (cmd == DUMP_USER_PAGES_TEST)
		return g->test_flags & TEST_FLAG_DUMP_USES_PIN;
	return cmd == PIN_FAST_BENCHMARK || cmd == PIN_LONGTERM_BENCHMARK ||
	       cmd == PIN_BASIC_TEST;
}

/* Would the kernel take these flags? It warns of those it does not. */
static bool are_valid(uint64_t cmd, const struct gup_test *g)
{
	uint32_t flags = g->gup_flags;

	if (flags & FOLL_INTERNAL)
		return false;
	if (is_pin(cmd, g) ? flags & FOLL_GET : flags & UHMM_FOLL_LONGTERM)
		return false;
	if ((flags & UHMM_FOLL_LONGTERM || cmd == PIN_LONGTERM_BENCHMARK) &&
	    flags & FOLL_PCI_P2PDMA)
		return false;
	return !(flags & FOLL_NOT_FAST) || (cmd != GUP_FAST_BENCHMARK &&
					    cmd != PIN_FAST_BENCHMARK);
}

static uint64_t page_bytes_of(const struct uhmm_mm *mm)
{
	return uhmm_core_page_bytes(uhmm_mm_core(mm));
}

/* Pages from @addr on, once. Return: how many, or why none. */
static int64_t get(struct uhmm_mm *mm, uint64_t cmd, const struct gup_test *g,
		   uint64_t addr, uint64_t npages)
{
	uint32_t flags = g->gup_flags;

	if (!are_valid(cmd, g))
		return -EINVAL;
	if (cmd == PIN_LONGTERM_BENCHMARK)
		flags |= UHMM_FOLL_LONGTERM;
	return uhmm_get_user_pages(mm, UHMM_VPN(addr / page_bytes_of(mm)),
				   npages, flags);
}

/* Call after call, until one gets less than it asked for. Return: pages. */
static uint64_t get_all(struct uhmm_mm *mm, uint64_t cmd, struct gup_test *g)
{
	uint64_t bytes = page_bytes_of(mm), end = g->addr + g->size;
	uint64_t want = g->nr_pages_per_call, all = 0, addr = g->addr, next;
	int64_t got = (int64_t)want;

	for (; addr < end && got == (int64_t)g->nr_pages_per_call;
	     addr = next) {
		next = addr + want * bytes;
		if (next > end) {
			next = end;
			want = (next - addr) / bytes;
		}
		got = get(mm, cmd, g, addr, want);
		if (got <= 0)
			break;
		all += (uint64_t)got;
	}
	g->size = addr - g->addr;
	return all;
}

static int run_test(struct uhmm_user *user, uint64_t cmd, uint64_t arg)
{
	struct uhmm_core *core = uhmm_mm_core(user->mm);
	struct gup_test g;
	uint64_t start, npages;

	if (user->copy_from(user, &g, arg, sizeof(g)))
		return -EFAULT;
	/* The kernel has a pointer for each page, in one allocation. */
	if (g.size / uhmm_core_page_bytes(core) > INT_MAX / sizeof(void *))
		return -ENOMEM;
	start = uhmm_core_now_ns(core);
	npages = get_all(user->mm, cmd, &g);
	g.get_delta_usec = (uhmm_core_now_ns(core) - start) / 1000;
	g.put_delta_usec = 0;
	for (int i = 0; i < DUMP_PAGES_MAX; i++)
		if (cmd == DUMP_USER_PAGES_TEST && g.which_pages[i] > npages)
			g.which_pages[i] = 0;
	return user->copy_to(user, arg, &g, sizeof(g)) ? -EFAULT : 0;
}

/* ---- pages that stay pinned ---- */

static void stop_pin(struct uhmm_device *dev)
{
	struct gup_driver *d = dev->driver;

	if (!d->mm)
		return;
	uhmm_unpin_user_pages(d->pin);
	uhmm_mm_put(d->mm);
	*d = (struct gup_driver){ .mm = NULL };
}

static int check_pin(const struct uhmm_core *core, const struct pin_test *t)
{
	if ((t->flags & ~(PIN_TEST_USE_WRITE | PIN_TEST_USE_FAST)) ||
	    (t->addr | t->size) % uhmm_core_page_bytes(core) ||
	    t->size > LONG_MAX ||
	    !t->size)
		return -EINVAL;
	if (t->size / uhmm_core_page_bytes(core) > INT_MAX / sizeof(void *))
		return -ENOMEM;
	return t->addr + t->size < t->addr ? -EFAULT : 0;
}

static int start_pin(struct uhmm_device *dev, struct uhmm_user *user,
		     uint64_t arg)
{
	struct gup_driver *d = dev->driver;
	struct uhmm_mm *mm = user->mm;
	struct pin_test t;
	struct uhmm_pin *pin;
	int err;

	if (d->mm)
		return -EINVAL;
	if (user->copy_from(user, &t, arg, sizeof(t)))
		return -EFAULT;
	err = check_pin(dev->core, &t);
	if (err)
		return err;
	uhmm_mm_get(mm);
	err = uhmm_pin_user_pages(mm, UHMM_VPN(t.addr / page_bytes_of(mm)),
				  t.size / page_bytes_of(mm),
				  UHMM_FOLL_LONGTERM |
					  (t.flags & PIN_TEST_USE_WRITE ?
						   UHMM_FOLL_WRITE :
						   0),
				  &pin);
	if (!err && d->mm) {	/* another began and was faster */
		uhmm_unpin_user_pages(pin);
		err = -EINVAL;
	}
	if (err) {
		uhmm_mm_put(mm);
		return err == -ESRCH ? -EFAULT : err;
	}
	*d = (struct gup_driver){ .mm = mm, .pin = pin };
	return 0;
}

/* One pinned page to the caller. */
static int read_page(const struct gup_driver *d, struct uhmm_user *user,
		     uint64_t i, uint64_t addr, void *buf)
{
	uhmm_vpn_t vpn = UHMM_VPN(d->pin->start.val + i);

	if (!uhmm_pin_has(d->pin, vpn) || uhmm_mm_is_gone(d->mm) ||
	    uhmm_mm_read(d->mm, vpn, 1, buf) != 1)
		return -EFAULT;
	return user->copy_to(user, addr, buf, page_bytes_of(d->mm)) ? -EFAULT :
								       0;
}

static int read_pin(struct uhmm_device *dev, struct uhmm_user *user,
		    uint64_t arg)
{
	struct gup_driver *d = dev->driver;
	uint64_t addr, page = uhmm_core_page_bytes(dev->core);
	void *buf;
	int err = 0;

	if (!d->pin)
		return -EINVAL;
	if (user->copy_from(user, &addr, arg, sizeof(addr)))
		return -EFAULT;
	buf = malloc(page);
	if (!buf)
		return -ENOMEM;
	for (uint64_t i = 0; !err && d->pin && i < d->pin->npages; i++)
		err = read_page(d, user, i, addr + i * page, buf);
	free(buf);
	return err;
}

/* ---- the driver ---- */

static int64_t ioctl_gup_test(struct uhmm_file *file, struct uhmm_user *user,
			      uint64_t cmd, uint64_t arg)
{
	switch (cmd) {
	case GUP_FAST_BENCHMARK:
	case PIN_FAST_BENCHMARK:
	case PIN_LONGTERM_BENCHMARK:
	case GUP_BASIC_TEST:
	case PIN_BASIC_TEST:
	case DUMP_USER_PAGES_TEST:
		return run_test(user, cmd, arg);
	case PIN_LONGTERM_TEST_START:
		return start_pin(file->dev, user, arg);
	case PIN_LONGTERM_TEST_STOP:
		stop_pin(file->dev);
		return 0;
	case PIN_LONGTERM_TEST_READ:
		return read_pin(file->dev, user, arg);
	default:
		return -EINVAL;
	}
}

static int start(struct uhmm_device *dev)
{
	dev->driver = calloc(1, sizeof(struct gup_driver));
	return dev->driver ? 0 : -ENOMEM;
}

static void stop(struct uhmm_device *dev)
{
	stop_pin(dev);
	free(dev->driver);
	dev->driver = NULL;
}

static int open_gup_test(struct uhmm_file *file)
{
	file->dev->count.opens++;
	return 0;
}

/* Whichever open goes: the pages are not one open's. */
static void release(struct uhmm_file *file)
{
	stop_pin(file->dev);
}

const struct uhmm_device_ops uhmm_gup_test_ops = {
	.name = "gup_test",
	.start = start,
	.stop = stop,
	.open = open_gup_test,
	.release = release,
	.ioctl = ioctl_gup_test,
};
