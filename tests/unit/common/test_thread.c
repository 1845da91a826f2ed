/*
 * test_thread.c - threads have a name and take no signals.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/thread.h"

static pthread_barrier_t named;

static void *
see(void *arg)
{
	sigset_t *mask = arg;

	(void)pthread_sigmask(SIG_SETMASK, NULL, mask);
	(void)pthread_barrier_wait(&named); /* until the name was looked at */
	return arg;
}

static void
name_and_mask(void **state)
{
	sigset_t before, after, inside;
	pthread_t thread;
	struct err err;
	char name[32];
	void *got;

	(void)state;
	(void)pthread_barrier_init(&named, NULL, 2);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start(&thread, "a-name-that-is-too-long", see,
			     &inside, &err),
	    0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(pthread_getname_np(thread, name, sizeof(name)), 0);
	assert_string_equal(name, "a-name-that-is-");
	(void)pthread_barrier_wait(&named);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_ptr_equal(got, &inside);
	assert_true(sigismember(&inside, SIGTERM) == 1);
	assert_true(sigismember(&inside, SIGHUP) == 1);
	assert_true(sigismember(&inside, SIGPIPE) == 1);
	assert_int_equal(
	    sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	(void)pthread_barrier_destroy(&named);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_and_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
