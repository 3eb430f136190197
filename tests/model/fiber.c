/* SPDX-License-Identifier: MIT */
/* fiber.c - a task has a stack of its own (fake_task.h)
 *
 * In the place of tests/mm/fake_thread.c: a thread cannot be copied with the
 * world (arena.h). A stack that was begun runs one task after the other.
 * swapcontext() asks the kernel for the signal mask each time, which would be a
 * third of what a step costs: where no sanitizer has to follow we jump.
 */
#undef _FORTIFY_SOURCE	/* takes a jump to another stack for a mistake */
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include "co_sanitize.h"
#include "fake_task.h"
#include "unit.h"

/* Sanitizers make frames larger; without, it is copied with the world. */
#ifdef MODEL_COPIES
#define STACK_BYTES (64 * 1024)
#else
#define STACK_BYTES (256 * 1024)
#endif

struct fiber {
	ucontext_t ctx;
#ifdef MODEL_COPIES
	jmp_buf at;
#endif
	bool begun;
	struct co_fiber san;
	_Alignas(16) unsigned char stack[STACK_BYTES];
};

/* Part of the world (arena.h). */
static struct fiber *fibers;

static struct co_fiber main_san;

#ifdef MODEL_COPIES

static jmp_buf main_at;

static void go_on(struct fiber *f)
{
	if (_setjmp(main_at))
		return;
	if (f->begun)
		_longjmp(f->at, 1);
	f->begun = true;
	setcontext(&f->ctx);
}

static void go_back(struct fiber *f)
{
	if (!_setjmp(f->at))
		_longjmp(main_at, 1);
}

#else

static ucontext_t main_ctx;

static void go_on(struct fiber *f)
{
	f->begun = true;
	swapcontext(&main_ctx, &f->ctx);
}

static void go_back(struct fiber *f)
{
	swapcontext(&f->ctx, &main_ctx);
}

#endif

static struct fiber *fiber_of(const struct fake_task *task)
{
	return &fibers[task - task->tasks->task];
}

void fake_tasks_init(struct fake_tasks *t)
{
	memset(t, 0, sizeof(*t));
	fibers = mmap(NULL, FAKE_TASKS * sizeof(*fibers),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	unit_expect(fibers != MAP_FAILED);
	for (int i = 0; i < FAKE_TASKS; i++)
		t->task[i].tasks = t;
	co_fiber_adopt(&main_san);
}

void fake_tasks_fini(struct fake_tasks *t)
{
	for (int i = 0; i < FAKE_TASKS; i++)
		unit_expect(t->task[i].state == FAKE_TASK_FREE ||
			    t->task[i].state == FAKE_TASK_DONE);
	unit_expect(munmap(fibers, FAKE_TASKS * sizeof(*fibers)) == 0);
}

void fake_task_stop(struct fake_task *task)
{
	struct fiber *f = fiber_of(task);

	task->tasks->current = NULL;
	co_fiber_leave(&f->san, &main_san);
	go_back(f);
	co_fiber_arrive(&f->san);
}

static struct fake_task *beginning;

static void run(void)
{
	struct fake_task *task = beginning;

	co_fiber_arrive(&fiber_of(task)->san);
	for (;;) {
		task->fn(task->arg);
		task->state = FAKE_TASK_DONE;
		fake_task_stop(task);
	}
}

static void begin(struct fiber *f)
{
	/* the kernel writes to it, too, which is not how to touch memory first
	 * here (arena.c) */
	memset(&f->ctx, 0, sizeof(f->ctx));
	getcontext(&f->ctx);
	f->ctx.uc_stack.ss_sp = f->stack;
	f->ctx.uc_stack.ss_size = sizeof(f->stack);
	f->ctx.uc_link = NULL;
	makecontext(&f->ctx, run, 0);
	memset(&f->san, 0, sizeof(f->san));
	co_fiber_create(&f->san, f->stack, sizeof(f->stack));
}

void fake_task_resume(struct fake_task *task)
{
	struct fiber *f = fiber_of(task);

	unit_expect(!task->tasks->current && task->state == FAKE_TASK_READY);
	task->tasks->current = task;
	co_fiber_leave(&main_san, &f->san);
	go_on(f);
	co_fiber_arrive(&main_san);
}

struct fake_task *fake_task_start(struct fake_tasks *t, void (*fn)(void *arg),
				  void *arg)
{
	struct fake_task *task = t->task;
	struct fiber *f;

	while (task < t->task + FAKE_TASKS &&
	       task->state != FAKE_TASK_FREE && task->state != FAKE_TASK_DONE)
		task++;
	unit_expect(task < t->task + FAKE_TASKS);
	f = fiber_of(task);
	task->fn = fn;
	task->arg = arg;
	task->state = FAKE_TASK_READY;
	if (!f->begun)
		begin(f);
	beginning = task;
	fake_task_resume(task);
	return task;
}
