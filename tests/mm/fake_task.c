/* SPDX-License-Identifier: MIT */
/* fake_task.c - jobs that stop in the middle (fake_task.h) */
#include "fake_task.h"

#include <string.h>

#include "unit.h"

void fake_tasks_init(struct fake_tasks *t)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->main_turn, NULL);
	for (int i = 0; i < FAKE_TASKS; i++) {
		t->task[i].tasks = t;
		pthread_cond_init(&t->task[i].turn, NULL);
	}
	pthread_mutex_lock(&t->lock);
}

/* A task that has ended is a free one. */
static void reap(struct fake_tasks *t)
{
	for (int i = 0; i < FAKE_TASKS; i++) {
		struct fake_task *task = &t->task[i];

		if (task->state != FAKE_TASK_DONE)
			continue;
		pthread_mutex_unlock(&t->lock);
		pthread_join(task->thread, NULL);
		pthread_mutex_lock(&t->lock);
		task->state = FAKE_TASK_FREE;
	}
}

void fake_tasks_fini(struct fake_tasks *t)
{
	reap(t);
	for (int i = 0; i < FAKE_TASKS; i++) {
		if (t->task[i].state != FAKE_TASK_FREE)
			ck_abort_msg("task %d has not ended", i);
		pthread_cond_destroy(&t->task[i].turn);
	}
	pthread_mutex_unlock(&t->lock);
	pthread_cond_destroy(&t->main_turn);
	pthread_mutex_destroy(&t->lock);
}

/* The baton goes back to the main task until it is handed over again. */
static void stop(struct fake_task *task)
{
	struct fake_tasks *t = task->tasks;

	t->current = NULL;
	pthread_cond_signal(&t->main_turn);
	while (t->current != task)
		pthread_cond_wait(&task->turn, &t->lock);
}

static void *run(void *arg)
{
	struct fake_task *task = arg;
	struct fake_tasks *t = task->tasks;

	pthread_mutex_lock(&t->lock);
	while (t->current != task)
		pthread_cond_wait(&task->turn, &t->lock);
	task->fn(task->arg);
	task->state = FAKE_TASK_DONE;
	t->current = NULL;
	pthread_cond_signal(&t->main_turn);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

void fake_task_resume(struct fake_task *task)
{
	struct fake_tasks *t = task->tasks;

	unit_expect(!t->current && task->state == FAKE_TASK_READY);
	t->current = task;
	pthread_cond_signal(&task->turn);
	while (t->current)
		pthread_cond_wait(&t->main_turn, &t->lock);
}

struct fake_task *fake_task_start(struct fake_tasks *t, void (*fn)(void *arg),
				  void *arg)
{
	struct fake_task *task = t->task;

	reap(t);
	while (task < t->task + FAKE_TASKS && task->state != FAKE_TASK_FREE)
		task++;
	unit_expect(task < t->task + FAKE_TASKS);
	task->fn = fn;
	task->arg = arg;
	task->state = FAKE_TASK_READY;
	unit_expect(pthread_create(&task->thread, NULL, run, task) == 0);
	fake_task_resume(task);
	return task;
}

struct fake_task *fake_tasks_ready(struct fake_tasks *t, unsigned int nth)
{
	unsigned int n = 0, k = 0;

	for (int i = 0; i < FAKE_TASKS; i++)
		n += t->task[i].state == FAKE_TASK_READY;
	for (int i = 0; n && i < FAKE_TASKS; i++)
		if (t->task[i].state == FAKE_TASK_READY && k++ == nth % n)
			return &t->task[i];
	return NULL;
}

bool fake_tasks_run(struct fake_tasks *t)
{
	struct fake_task *task;

	while ((task = fake_tasks_ready(t, 0)))
		fake_task_resume(task);
	for (int i = 0; i < FAKE_TASKS; i++)
		if (t->task[i].state == FAKE_TASK_WAITING)
			return false;
	return true;
}

void fake_task_pause(struct fake_tasks *t)
{
	if (t->current)
		stop(t->current);
}

bool fake_task_wait(struct fake_tasks *t, const void *what)
{
	struct fake_task *task = t->current;

	if (task) {
		task->what = what;
		task->state = FAKE_TASK_WAITING;
		stop(task);
		return true;
	}
	t->woken = false;
	t->main_what = what;
	while (!t->woken && (task = fake_tasks_ready(t, 0)))
		fake_task_resume(task);
	return t->woken;
}

void fake_task_wake(struct fake_tasks *t, const void *what)
{
	for (int i = 0; i < FAKE_TASKS; i++)
		if (t->task[i].state == FAKE_TASK_WAITING &&
		    t->task[i].what == what)
			t->task[i].state = FAKE_TASK_READY;
	if (t->main_what == what)
		t->woken = true;
}
