/* SPDX-License-Identifier: MIT */
/* test_co.c - jobs: switching, waiting, waking from elsewhere */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "co.h"
#include "suite.h"

static struct co_sched sched;

static void begin(void)
{
	ck_assert_int_eq(co_sched_init(&sched, NULL, NULL), 0);
}

static void end(void)
{
	ck_assert_uint_eq(sched.njobs, 0);
	co_sched_fini(&sched);
	co_sched_fini(&sched);
}

static void run_all(void)
{
	while (co_run(&sched))
		;
}

/* ---- one job ---- */

static int steps;

static void count(void *arg)
{
	int n = *(int *)arg;
	char local[1024];

	memset(local, n & 0xff, sizeof(local));
	for (int i = 0; i < n; i++) {
		steps++;
		co_pause();
		ck_assert_int_eq(local[i % 1024], (char)(n & 0xff));
	}
}

START_TEST(test_co_run_once)
{
	int n = 3;

	begin();
	ck_assert_ptr_null(co_self());
	ck_assert_int_eq(co_spawn(&sched, count, &n), 0);
	ck_assert_int_eq(steps, 0);
	ck_assert(co_is_runnable(&sched));
	for (int i = 1; i <= 3; i++) {
		ck_assert_uint_eq(co_run(&sched), 1);
		ck_assert_int_eq(steps, i);
		ck_assert_ptr_null(co_self());
	}
	ck_assert_uint_eq(co_run(&sched), 1);
	ck_assert_uint_eq(co_run(&sched), 0);
	ck_assert(!co_is_runnable(&sched));
	end();
}
END_TEST

START_TEST(test_co_many_switches)
{
	int n = 100000;

	begin();
	ck_assert_int_eq(co_spawn(&sched, count, &n), 0);
	run_all();
	ck_assert_int_eq(steps, n);
	end();
}
END_TEST

START_TEST(test_co_many_at_once)
{
	static int n = 20;
	const int many = 1000 * n;

	begin();
	for (int round = 0; round < 2; round++) {
		steps = 0;
		for (int i = 0; i < 1000; i++)
			ck_assert_int_eq(co_spawn(&sched, count, &n), 0);
		run_all();
		ck_assert_int_eq(steps, many);
	}
	end();
}
END_TEST

/* Half the stack is really there. */
static int deep(int n)
{
	volatile char frame[1024];

	frame[0] = (char)n;
	if (n > 0)
		return deep(n - 1) + (frame[0] == (char)n);
	co_pause();
	return 0;
}

static void dive(void *arg)
{
	*(int *)arg = deep(50);
}

START_TEST(test_co_stack)
{
	int result[20];

	begin();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(co_spawn(&sched, dive, &result[i]), 0);
	run_all();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(result[i], 50);
	end();
}
END_TEST

static void check_local(void *arg)
{
	ck_assert_ptr_null(co_local());
	co_set_local(arg);
	co_pause();
	ck_assert_ptr_eq(co_local(), arg);
}

START_TEST(test_co_local)
{
	int a, b;

	begin();
	ck_assert_ptr_null(co_local());
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(co_spawn(&sched, check_local, &a), 0);
		ck_assert_int_eq(co_spawn(&sched, check_local, &b), 0);
		run_all();
	}
	end();
}
END_TEST

/* ---- waiting ---- */

static struct co *waiter;
static int woken;

static void wait_twice(void *arg)
{
	(void)arg;
	waiter = co_self();
	co_yield();
	woken++;
	co_yield();
	woken++;
	waiter = NULL;
}

START_TEST(test_co_wake)
{
	begin();
	ck_assert_int_eq(co_spawn(&sched, wait_twice, NULL), 0);
	run_all();
	ck_assert_int_eq(woken, 0);
	co_wake(waiter);
	co_wake(waiter);	/* the second one ends the next wait */
	run_all();
	ck_assert_int_eq(woken, 2);
	ck_assert_ptr_null(waiter);
	end();
}
END_TEST

static void wake_itself(void *arg)
{
	co_wake(co_self());
	co_yield();
	*(bool *)arg = true;
}

START_TEST(test_co_wake_before_yield)
{
	bool done = false;

	begin();
	ck_assert_int_eq(co_spawn(&sched, wake_itself, &done), 0);
	ck_assert_uint_eq(co_run(&sched), 1);
	ck_assert(done);
	end();
}
END_TEST

static void wait_until(void *arg)
{
	*(bool *)arg = co_yield_until(co_now_ns() + 20000000);
}

START_TEST(test_co_deadline)
{
	bool in_time = true;
	int64_t ns;

	begin();
	ck_assert_int_eq(co_timeout_ns(&sched), -1);
	ck_assert_int_eq(co_spawn(&sched, wait_until, &in_time), 0);
	run_all();
	ns = co_timeout_ns(&sched);
	ck_assert_int_gt(ns, 0);
	ck_assert_int_le(ns, 20000000);
	ck_assert(!co_is_runnable(&sched));
	while (co_timeout_ns(&sched) > 0)
		;
	run_all();
	ck_assert(!in_time);
	ck_assert_int_eq(co_timeout_ns(&sched), -1);
	end();
}
END_TEST

static struct co_queue queue;

static void wait_in_queue(void *arg)
{
	co_queue_wait(&queue, *(uint64_t *)arg);
	woken++;
}

START_TEST(test_co_queue)
{
	uint64_t never = 0, later = co_now_ns() + 3600000000000u;

	begin();
	co_queue_init(&queue);
	ck_assert_int_eq(co_spawn(&sched, wait_in_queue, &never), 0);
	ck_assert_int_eq(co_spawn(&sched, wait_in_queue, &later), 0);
	run_all();
	ck_assert_int_eq(woken, 0);
	co_queue_wake(&queue);
	run_all();
	ck_assert_int_eq(woken, 2);
	co_queue_wake(&queue);
	end();
}
END_TEST

/* ---- from another thread ---- */

#define ROUNDS 2000

static sem_t kicked;

static void kick(void *arg)
{
	sem_post(arg);
}

/** Two schedulers that wake each other's job in turn. */
struct side {
	struct co_sched sched;
	sem_t kicked;
	struct co *_Atomic job;
	struct side *other;
	int turns;
};

static struct side sides[2];

static void play(void *arg)
{
	struct side *me = arg;

	me->job = co_self();
	while (me->turns < ROUNDS) {
		while (!me->other->job)
			co_pause();
		co_wake(me->other->job);
		co_yield_until(co_now_ns() + 1000000);
		me->turns++;
	}
}

static void *side_main(void *arg)
{
	struct side *me = arg;

	sem_init(&me->kicked, 0, 0);
	ck_assert_int_eq(co_sched_init(&me->sched, kick, &me->kicked), 0);
	ck_assert_int_eq(co_spawn(&me->sched, play, me), 0);
	while (me->turns < ROUNDS || me->sched.njobs) {
		co_timeout_ns(&me->sched);
		if (!co_run(&me->sched) && me->turns < ROUNDS)
			sem_trywait(&me->kicked);
	}
	return NULL;
}

START_TEST(test_co_wake_across)
{
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		sides[i].other = &sides[!i];
		pthread_create(&thread[i], NULL, side_main, &sides[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sides[i].turns, ROUNDS);
		co_sched_fini(&sides[i].sched);
	}
}
END_TEST

static int spawned;

static void note(void *arg)
{
	(void)arg;
	spawned++;
}

static void *spawn_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		ck_assert_int_eq(co_spawn(arg, note, NULL), 0);
	return NULL;
}

START_TEST(test_co_spawn_across)
{
	pthread_t thread;

	sem_init(&kicked, 0, 0);
	ck_assert_int_eq(co_sched_init(&sched, kick, &kicked), 0);
	pthread_create(&thread, NULL, spawn_many, &sched);
	while (spawned < ROUNDS) {
		sem_wait(&kicked);
		run_all();
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(spawned, ROUNDS);
	end();
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_co_run_once, 1 },
		{ test_co_many_switches, 1 },
		{ test_co_many_at_once, 1 },
		{ test_co_stack, 1 },
		{ test_co_local, 1 },
		{ test_co_wake, 1 },
		{ test_co_wake_before_yield, 1 },
		{ test_co_deadline, 1 },
		{ test_co_queue, 1 },
		{ test_co_wake_across, 1 },
		{ test_co_spawn_across, 1 },
	};

	return suite_main("co", tests, SUITE_COUNT(tests));
}
