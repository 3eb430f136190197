/* SPDX-License-Identifier: MIT */
/*
 * wp_stops_writers - when WRITEPROTECT has returned, no write to the page is
 * under way any more: not by another thread, not by the kernel on its behalf.
 * What is read through /proc/PID/mem then is final until the protection is
 * lifted, and no write is lost.
 */
#include "fact_uffd.h"

#define ROUNDS 200

/**
 * struct writer - a thread that counts up a word of the page
 * @word: where
 * @put:  how a value gets there
 * @stop: set to end it
 * @last: the value stored last, when it has ended
 */
struct writer {
	volatile uint64_t *word;
	void (*put)(struct writer *w, uint64_t value);
	int stop;
	uint64_t last;
	int pipe[2];
};

static void put_by_store(struct writer *w, uint64_t value)
{
	*w->word = value;
}

static void put_by_kernel(struct writer *w, uint64_t value)
{
	NEED(write(w->pipe[1], &value, sizeof(value)) == sizeof(value),
	     "write");
	NEED(read(w->pipe[0], (void *)w->word, sizeof(value)) == sizeof(value),
	     "read");
}

static long write_on(void *arg)
{
	struct writer *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		w->put(w, ++w->last);
	return 0;
}

static uint64_t seen(int mem, const struct writer *w)
{
	uint64_t value = 0;

	NEED(pread(mem, &value, sizeof(value), (off_t)(uintptr_t)w->word) ==
		     sizeof(value),
	     "mem");
	return value;
}

static void protect_and_look(int uffd, int mem, struct writer *w)
{
	char *p = (char *)w->word;
	uint64_t before;

	NEED(!fact_wp(uffd, p, 1), "write-protect");
	before = seen(mem, w);
	usleep(100);
	FACT_IS(seen(mem, w), before,
		"a write-protected page does not change any more");
	NEED(!fact_unwp(uffd, p, 1), "lift the protection");
	usleep(100);
}

static void hammer(int uffd, int mem,
		   void (*put)(struct writer *w, uint64_t value))
{
	struct writer w = { .put = put };
	struct fact_thread t;

	NEED(!pipe2(w.pipe, O_CLOEXEC), "pipe");
	w.word = (volatile uint64_t *)fact_map_registered(uffd, 1);
	NEED(!fact_copy(uffd, (char *)w.word, fact_fill(1), 1), "copy");
	fact_start(&t, write_on, &w);
	for (int i = 0; i < ROUNDS; i++)
		protect_and_look(uffd, mem, &w);
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	FACT(fact_gets_through(&t), "the writer gets through");
	FACT_IS(*w.word, w.last, "no write is lost");
}

int main(void)
{
	int uffd;
	int mem;

	fact_begin();
	mem = fact_open_proc("mem", O_RDONLY);
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	hammer(uffd, mem, put_by_store);
	hammer(uffd, mem, put_by_kernel);
	return 0;
}
