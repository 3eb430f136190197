/* SPDX-License-Identifier: MIT */
/* arena.c - the memory of a world (arena.h) */
#include "arena.h"

#ifndef MODEL_COPIES

void arena_open(void *also, size_t bytes)
{
	(void)also;
	(void)bytes;
}

void arena_close(void)
{
}

struct arena_copy *arena_copy_new(void)
{
	return NULL;
}

void arena_copy_free(struct arena_copy *copy)
{
	(void)copy;
}

void arena_save(struct arena_copy *copy)
{
	(void)copy;
}

void arena_restore(const struct arena_copy *copy)
{
	(void)copy;
}

#else

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "unit.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define PAGE ((size_t)4096)
#define ARENA_PAGES (ARENA_BYTES / PAGE)
#define COPY_PAGES 1024
#define ALSO_BYTES ((size_t)64 << 10)
/* Objects of 32 << n bytes, n below this; larger ones are never free again. */
#define CLASSES 12

/** In front of an object, and, free, its link. */
struct object {
	uint32_t class;
	uint32_t zero;
	struct object *next;
};
#define HEAD sizeof(struct object)

/** The first page of the region. */
struct heap {
	size_t end;		/* nothing behind was ever handed out */
	struct object *free[CLASSES];
};

static unsigned char *region;
static unsigned char *extra;
static size_t extra_bytes;
static bool is_open;

/* Pages of the region that were touched, in that order. */
static uint16_t touched[ARENA_PAGES];
static unsigned int ntouched;

struct arena_copy {
	unsigned int npages;	/* of touched[] */
	unsigned char also[ALSO_BYTES];
	unsigned char page[COPY_PAGES][PAGE];
};

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void __real_free(void *at);
void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *at, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
void __wrap_free(void *at);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *at, size_t bytes);

static struct heap *heap(void)
{
	return (struct heap *)(void *)region;
}

static bool is_ours(const void *at)
{
	return region && (const unsigned char *)at >= region &&
	       (const unsigned char *)at < region + ARENA_BYTES;
}

static unsigned char *page_at(unsigned int i)
{
	return region + touched[i] * PAGE;
}

/* ---- copies ---- */

/* The page at @at is touched for the first time; or else it was a mistake, which
 * happens again and ends the test. */
static void touch(int sig, siginfo_t *info, void *context)
{
	unsigned char *at = info->si_addr;

	(void)context;
	if (!is_ours(at) || ntouched == COPY_PAGES ||
	    mprotect(region + (size_t)(at - region) / PAGE * PAGE, PAGE,
		     PROT_READ | PROT_WRITE)) {
		signal(sig, SIG_DFL);
		return;
	}
	touched[ntouched++] = (uint16_t)((size_t)(at - region) / PAGE);
}

static void catch_touches(void)
{
	static unsigned char stack[64 << 10];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction action = {
		.sa_sigaction = touch,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	unit_expect(sigaltstack(&alternate, NULL) == 0);
	unit_expect(sigaction(SIGSEGV, &action, NULL) == 0);
}

struct arena_copy *arena_copy_new(void)
{
	struct arena_copy *copy = __real_mmap(NULL, sizeof(*copy),
					      PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1,
					      0);

	unit_expect(copy != MAP_FAILED);
	return copy;
}

void arena_copy_free(struct arena_copy *copy)
{
	if (copy)
		__real_munmap(copy, sizeof(*copy));
}

void arena_save(struct arena_copy *copy)
{
	copy->npages = ntouched;
	for (unsigned int i = 0; i < ntouched; i++)
		memcpy(copy->page[i], page_at(i), PAGE);
	memcpy(copy->also, extra, extra_bytes);
}

void arena_restore(const struct arena_copy *copy)
{
	for (unsigned int i = 0; i < copy->npages; i++)
		memcpy(page_at(i), copy->page[i], PAGE);
	/* touched since: it was zeros then */
	for (unsigned int i = copy->npages; i < ntouched; i++)
		memset(page_at(i), 0, PAGE);
	memcpy(extra, copy->also, extra_bytes);
	is_open = true;
}

static void make_region(void)
{
	region = __real_mmap(NULL, ARENA_BYTES, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);
	unit_expect(region != MAP_FAILED);
	catch_touches();
	heap()->end = PAGE;
}

void arena_open(void *also, size_t bytes)
{
	unit_expect(bytes <= ALSO_BYTES);
	if (!region)
		make_region();
	for (unsigned int i = 0; i < ntouched; i++)
		memset(page_at(i), 0, PAGE);
	heap()->end = PAGE;
	extra = also;
	extra_bytes = bytes;
	is_open = true;
}

void arena_close(void)
{
	is_open = false;
}

/* ---- allocation ---- */

static void *take(size_t bytes, size_t align)
{
	size_t at = (heap()->end + align - 1) / align * align;

	unit_expect(at + bytes <= ARENA_BYTES);
	heap()->end = at + bytes;
	return region + at;
}

static uint32_t class_of(size_t bytes)
{
	uint32_t class = 0;

	while (((size_t)32 << class) < bytes)
		class++;
	return class;
}

/* Zeroed, too. */
static void *allocate(size_t bytes)
{
	uint32_t class = class_of(bytes + HEAD);
	struct object *o = class < CLASSES ? heap()->free[class] : NULL;

	if (o)
		heap()->free[class] = o->next;
	else
		o = take((size_t)32 << class, 16);
	o->class = class;
	o->next = NULL;
	return o + 1;
}

static void give_back(void *at)
{
	struct object *o = (struct object *)at - 1;

	if (o->class >= CLASSES)
		return;
	memset(at, 0, ((size_t)32 << o->class) - HEAD);
	o->next = heap()->free[o->class];
	heap()->free[o->class] = o;
}

void *__wrap_malloc(size_t bytes)
{
	return is_open ? allocate(bytes) : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	return is_open ? allocate(n * bytes) : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
	size_t room;
	void *to;

	if (!(at ? is_ours(at) : is_open))
		return __real_realloc(at, bytes);
	to = allocate(bytes);
	if (at) {
		room = ((size_t)32 << ((struct object *)at - 1)->class) - HEAD;
		memcpy(to, at, room < bytes ? room : bytes);
		give_back(at);
	}
	return to;
}

void __wrap_free(void *at)
{
	if (is_ours(at))
		give_back(at);
	else
		__real_free(at);
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd,
		  off_t offset)
{
	return is_open ? take(bytes, PAGE) :
			 __real_mmap(at, bytes, prot, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t bytes)
{
	return is_ours(at) ? 0 : __real_munmap(at, bytes);
}

#endif
