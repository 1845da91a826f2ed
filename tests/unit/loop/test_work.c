/*
 * test_work.c - what runs where, in which order, and until when.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "loop/loop.h"
#include "loop/work.h"

struct job {
	struct work work;
	pthread_t ran_on;
	unsigned place; /* among all that ran */
	bool ran_at_home;
	bool done_at_home;
	bool is_done;
	struct work_pool *pool; /* where `next` goes; NULL: nowhere */
	struct job *next;       /* submitted by run() */
};

static struct loop *home;
static atomic_uint n_ran;
static sem_t n_done;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	atomic_store(&n_ran, 0);
	(void)sem_init(&n_done, 0, 0);
	home = loop_new("home", &err);
	return home == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(home);
	(void)sem_destroy(&n_done);
	return 0;
}

static void
run_job(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->ran_on = pthread_self();
	j->ran_at_home = loop_is_here(home);
	j->place = atomic_fetch_add(&n_ran, 1);
	if (j->pool != NULL)
		work_submit(j->pool, &j->next->work);
}

static void
job_done(struct work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->done_at_home = loop_is_here(home);
	j->is_done = true;
	(void)sem_post(&n_done);
}

static struct job
new_job(void)
{
	return (struct job){
		.work = { .home = home, .run = run_job, .done = job_done }
	};
}

static struct work_pool *
new_pool(unsigned n_threads)
{
	struct err err;
	struct work_pool *p = work_pool_new("work", n_threads, &err);

	assert_non_null(p);
	return p;
}

static void
runs_there_is_done_here(void **state)
{
	struct work_pool *p = new_pool(1);
	struct job j = new_job();
	struct err err;

	(void)state;
	assert_int_equal(loop_start(home, &err), 0);
	for (int i = 0; i < 3; i++) { /* one struct may be lent again */
		j.is_done = false;
		work_submit(p, &j.work);
		(void)sem_wait(&n_done);
		assert_true(j.is_done);
		assert_true(j.done_at_home);
		assert_false(j.ran_at_home);
		assert_false(pthread_equal(j.ran_on, pthread_self()));
	}
	work_pool_free(p);
	loop_stop(home);
	loop_join(home);
}

#define N_JOBS 1000

/* One thread takes first what came first; freeing runs all of it. */
static void
freeing_runs_what_is_queued(void **state)
{
	static struct job jobs[N_JOBS];
	struct work_pool *p = new_pool(1);

	(void)state;
	for (int i = 0; i < N_JOBS; i++) {
		jobs[i] = new_job();
		work_submit(p, &jobs[i].work);
	}
	work_pool_free(p);
	for (unsigned i = 0; i < N_JOBS; i++) {
		assert_int_equal(jobs[i].place, i);
		assert_false(jobs[i].is_done);
	}
	assert_int_equal(loop_drain(home), N_JOBS);
	for (int i = 0; i < N_JOBS; i++)
		assert_true(jobs[i].is_done);
	work_pool_free(NULL);
}

/* Work that submits work while the pool is being freed. */
static void
chains_end(void **state)
{
	static struct job jobs[N_JOBS];
	struct work_pool *p = new_pool(3);

	(void)state;
	for (int i = 0; i < N_JOBS; i++) {
		jobs[i] = new_job();
		jobs[i].pool = i + 1 < N_JOBS ? p : NULL;
		jobs[i].next = i + 1 < N_JOBS ? &jobs[i + 1] : NULL;
	}
	work_submit(p, &jobs[0].work);
	work_pool_free(p);
	assert_int_equal(loop_drain(home), N_JOBS);
}

static pthread_barrier_t together;

static void
run_together(struct work *w)
{
	run_job(w);
	(void)pthread_barrier_wait(&together);
}

/* As many run at once as there are threads, each on a thread of its own. */
static void
all_threads_work(void **state)
{
	struct work_pool *p = new_pool(4);
	struct job jobs[4];

	(void)state;
	(void)pthread_barrier_init(&together, NULL, 4);
	for (int i = 0; i < 4; i++) {
		jobs[i] = new_job();
		jobs[i].work.run = run_together;
		work_submit(p, &jobs[i].work);
	}
	work_pool_free(p);
	assert_int_equal(loop_drain(home), 4);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < i; k++)
			assert_false(
			    pthread_equal(jobs[i].ran_on, jobs[k].ran_on));
	(void)pthread_barrier_destroy(&together);
}

static char name_seen[16];
static sigset_t mask_seen;

static void
run_look(struct work *w)
{
	(void)w;
	(void)pthread_getname_np(pthread_self(), name_seen, sizeof(name_seen));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask_seen);
}

static void
threads_have_a_name_and_no_signals(void **state)
{
	struct work_pool *p = new_pool(1);
	struct job jobs[2] = { new_job(), new_job() };

	(void)state;
	jobs[0].work.run = run_look;
	work_submit(p, &jobs[0].work);
	work_pool_free(p);
	assert_string_equal(name_seen, "work");
	assert_true(sigismember(&mask_seen, SIGTERM) == 1);
	assert_int_equal(loop_drain(home), 1);
}

#define N_SUBMITTERS 4

static void *
submit_all(void *arg)
{
	struct job *jobs = arg;

	for (int i = 0; i < N_JOBS; i++)
		work_submit(jobs[i].pool, &jobs[i].work);
	return NULL;
}

static void
run_plain(struct work *w)
{
	(void)w;
	atomic_fetch_add(&n_ran, 1);
}

static void
from_many_threads(void **state)
{
	static struct job jobs[N_SUBMITTERS][N_JOBS];
	struct work_pool *p = new_pool(3);
	pthread_t threads[N_SUBMITTERS];
	struct err err;

	(void)state;
	assert_int_equal(loop_start(home, &err), 0);
	for (int t = 0; t < N_SUBMITTERS; t++) {
		for (int i = 0; i < N_JOBS; i++) {
			jobs[t][i] = new_job();
			jobs[t][i].work.run = run_plain;
			jobs[t][i].pool = p;
		}
		assert_int_equal(
		    pthread_create(&threads[t], NULL, submit_all, jobs[t]), 0);
	}
	for (int t = 0; t < N_SUBMITTERS; t++)
		assert_int_equal(pthread_join(threads[t], NULL), 0);
	for (int i = 0; i < N_SUBMITTERS * N_JOBS; i++)
		(void)sem_wait(&n_done);
	assert_int_equal(atomic_load(&n_ran), N_SUBMITTERS * N_JOBS);
	work_pool_free(p);
	loop_stop(home);
	loop_join(home);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(runs_there_is_done_here),
		TEST(freeing_runs_what_is_queued),
		TEST(chains_end),
		TEST(all_threads_work),
		TEST(threads_have_a_name_and_no_signals),
		TEST(from_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
