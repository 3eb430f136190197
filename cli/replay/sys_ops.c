/* SPDX-License-Identifier: MIT */
/* sys_ops.c - system calls read, write and describe pages
 *
 * Data goes through a pipe, so that the kernel, not this program, touches it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ops.h"
#include "player.h"

/**
 * struct transfer - pages through a pipe
 * @page:  ours, for the other end
 * @done:  bytes
 * @error: that ended it; 0 none
 */
struct transfer {
	struct replay_player *p;
	int pipe[2];
	uint64_t page[REPLAY_PAGE_WORDS];
	size_t done;
	int error;
	struct replay_sum sum;
};

static void begin(struct transfer *t, struct replay_player *p)
{
	memset(t, 0, sizeof(*t));
	t->p = p;
	t->sum = REPLAY_SUM_INIT;
	if (pipe2(t->pipe, O_CLOEXEC))
		replay_player_broken(p, "no pipe");
}

static void end(struct transfer *t)
{
	close(t->pipe[0]);
	close(t->pipe[1]);
	replay_answer_word(&t->p->answer, "bytes=%zu", t->done);
	if (t->error)
		replay_answer_word(&t->p->answer, "err=-%s",
				   replay_error_name(t->error));
}

static void count(struct transfer *t, ssize_t n)
{
	if (n < 0)
		t->error = errno;
	else
		t->done += (size_t)n;
}

static unsigned char *page_of(const struct replay_op *op, uint64_t i)
{
	return (unsigned char *)(uintptr_t)(op->addr[0] +
					    i * REPLAY_PAGE_BYTES);
}

static void read_into(struct transfer *t, unsigned char *page)
{
	if (write(t->pipe[1], t->page, sizeof(t->page)) !=
	    (ssize_t)sizeof(t->page))
		replay_player_broken(t->p, "the pipe takes no page");
	count(t, read(t->pipe[0], page, REPLAY_PAGE_BYTES));
}

static void write_from(struct transfer *t, const unsigned char *page)
{
	ssize_t n = write(t->pipe[1], page, REPLAY_PAGE_BYTES);

	count(t, n);
	if (n <= 0)
		return;
	memset(t->page, 0, sizeof(t->page));
	if (read(t->pipe[0], t->page, sizeof(t->page)) != n)
		replay_player_broken(t->p, "the pipe lost data");
	replay_sum_add(&t->sum, t->page, REPLAY_PAGE_WORDS);
}

REPLAY_OP(sysread)
{
	struct transfer t;

	begin(&t, p);
	for (uint64_t i = 0; i < op->npages[0] && !t.error; i++) {
		replay_pattern_page(t.page, op->seed, i);
		read_into(&t, page_of(op, i));
	}
	end(&t);
}

REPLAY_OP(syswrite)
{
	struct transfer t;

	begin(&t, p);
	for (uint64_t i = 0; i < op->npages[0] && !t.error; i++)
		write_from(&t, page_of(op, i));
	end(&t);
	replay_answer_sum(&p->answer, "data", &t.sum);
}

/* The two sides of a process_vm_*() on ourselves. */
static void sides(struct replay_player *p, const struct replay_op *op,
		  struct iovec *data, struct iovec *range)
{
	if (op->npages[0] > REPLAY_BUFFER_PAGES)
		replay_player_broken(p, "too many pages");
	data->iov_base = p->buffers.data;
	data->iov_len = op->npages[0] * REPLAY_PAGE_BYTES;
	range->iov_base = page_of(op, 0);
	range->iov_len = data->iov_len;
}

REPLAY_OP(pvread)
{
	struct replay_sum sum = REPLAY_SUM_INIT;
	struct iovec data, range;
	ssize_t n;

	sides(p, op, &data, &range);
	memset(data.iov_base, 0, data.iov_len);
	n = process_vm_readv(getpid(), &data, 1, &range, 1, 0);
	replay_answer_ret(&p->answer, n);
	if (n <= 0)
		return;
	replay_sum_add(&sum, data.iov_base, (size_t)n / sizeof(uint64_t));
	replay_answer_sum(&p->answer, "data", &sum);
}

REPLAY_OP(pvwrite)
{
	struct iovec data, range;

	sides(p, op, &data, &range);
	for (uint64_t i = 0; i < op->npages[0]; i++)
		replay_pattern_page((uint64_t *)data.iov_base +
					    i * REPLAY_PAGE_WORDS,
				    op->seed, i);
	replay_answer_ret(&p->answer, process_vm_writev(getpid(), &data, 1,
							&range, 1, 0));
}

#define PAGEMAP_PRESENT 63
#define PAGEMAP_SWAP 62

static unsigned char pagemap_bits(int fd, uint64_t page)
{
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) !=
	    (ssize_t)sizeof(entry))
		return 0;
	return (unsigned char)((entry >> PAGEMAP_PRESENT & 1) |
			       (entry >> PAGEMAP_SWAP & 1) << 1);
}

REPLAY_OP(pagemap)
{
	static const char *const names[] = { "none", "P", "S", "PS" };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		replay_answer_ret(&p->answer, -1);
		return;
	}
	for (uint64_t i = 0; i < op->npages[0]; i++)
		p->per_page[i] = pagemap_bits(
			fd, op->addr[0] / REPLAY_PAGE_BYTES + i);
	close(fd);
	replay_answer_runs(&p->answer, "pm", p->per_page, op->npages[0], names);
}

REPLAY_OP(mincore)
{
	static const char *const names[] = { "0", "1" };
	int ret = mincore(page_of(op, 0), op->npages[0] * REPLAY_PAGE_BYTES,
			  p->per_page);

	replay_answer_ret(&p->answer, ret);
	if (ret)
		return;
	for (uint64_t i = 0; i < op->npages[0]; i++)
		p->per_page[i] &= 1;
	replay_answer_runs(&p->answer, "in", p->per_page, op->npages[0], names);
}
