/* SPDX-License-Identifier: MIT */
/* fake_thread.c - a task is a thread that has the baton (fake_task.h) */
#include <string.h>

#include "fake_task.h"
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

void fake_task_stop(struct fake_task *task)
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
