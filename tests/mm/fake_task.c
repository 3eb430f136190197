/* SPDX-License-Identifier: MIT */
/* fake_task.c - who runs next (fake_task.h) */
#include "fake_task.h"

#include <stddef.h>

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
		fake_task_stop(t->current);
}

bool fake_task_wait(struct fake_tasks *t, const void *what)
{
	struct fake_task *task = t->current;

	if (task) {
		task->what = what;
		task->state = FAKE_TASK_WAITING;
		fake_task_stop(task);
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
