/* SPDX-License-Identifier: MIT */
/* fake_task.h - jobs that stop in the middle, one running at a time
 *
 * A task is a thread that runs only while it was handed the baton, so all of
 * it is as deterministic as a coroutine, and every sanitizer understands it.
 * The main task (the test itself) starts and resumes; a task gives the baton
 * back when it waits, pauses or ends.
 */
#ifndef UHMM_TESTS_FAKE_TASK_H
#define UHMM_TESTS_FAKE_TASK_H

#include <pthread.h>
#include <stdbool.h>

#define FAKE_TASKS 8

enum fake_task_state {
	FAKE_TASK_FREE,
	FAKE_TASK_READY,	/* to be resumed */
	FAKE_TASK_WAITING,	/* until fake_task_wake() */
	FAKE_TASK_DONE,
};

struct fake_tasks;

struct fake_task {
	struct fake_tasks *tasks;
	pthread_t thread;
	pthread_cond_t turn;
	enum fake_task_state state;
	void (*fn)(void *arg);
	void *arg;
	const void *what;	/* it waits for */
};

/** struct fake_tasks - owned by whoever made it, the main task */
struct fake_tasks {
	pthread_mutex_t lock;	/* held by the one who runs */
	pthread_cond_t main_turn;
	struct fake_task *current;	/* NULL: the main task */
	struct fake_task task[FAKE_TASKS];
	bool woken;		/* somebody was, for the main task's waits */
	const void *main_what;
};

void fake_tasks_init(struct fake_tasks *t);

/** fake_tasks_fini() - every task has ended */
void fake_tasks_fini(struct fake_tasks *t);

/** fake_task_start() - run @fn(@arg) until it stops. Main task only.
 *  Return: which one it is */
struct fake_task *fake_task_start(struct fake_tasks *t, void (*fn)(void *arg),
				  void *arg);

/** fake_task_resume() - let a READY task run until it stops again */
void fake_task_resume(struct fake_task *task);

/** fake_tasks_run() - resume tasks until none is READY. Return: all ended */
bool fake_tasks_run(struct fake_tasks *t);

/** fake_tasks_ready() - the @nth (modulo) READY task, or NULL */
struct fake_task *fake_tasks_ready(struct fake_tasks *t, unsigned int nth);

/** fake_task_pause() - the task stops, READY. In the main task: nothing. */
void fake_task_pause(struct fake_tasks *t);

/**
 * fake_task_wait() - the running one stops until @what is woken. The main task
 * lets others run instead.
 * Return: false when it is the main task and nobody is left to wake it
 */
bool fake_task_wait(struct fake_tasks *t, const void *what);

/** fake_task_wake() - who waits for @what is READY */
void fake_task_wake(struct fake_tasks *t, const void *what);

/** fake_task_stop() - for these files only: the running one gives the baton
 *  back until it is resumed */
void fake_task_stop(struct fake_task *task);

#endif
