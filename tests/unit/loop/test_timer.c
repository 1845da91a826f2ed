/*
 * test_timer.c - when timers run, and that stopped ones do not.
 *
 * The loop has no thread here: the test turns its event base itself.
 */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "loop/timer.h"

static struct loop *l;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	l = loop_new("test", &err);
	return l == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

/* Lets one round of events happen; waits for it. */
static void
turn(void)
{
	assert_int_equal(event_base_loop(loop_base(l), EVLOOP_ONCE), 0);
}

struct count {
	struct timer t;
	struct count *other; /* stopped, or set, by on_*_other() */
	unsigned n;
	unsigned place; /* among all callbacks */
};

static unsigned n_calls;

static void
on_count(void *arg)
{
	struct count *c = arg;

	c->n++;
	c->place = ++n_calls;
}

static void
once_and_not_early(void **state)
{
	struct count c = { .n = 0 };
	uint64_t start = loop_now_ms(l);

	(void)state;
	timer_init(&c.t, l, on_count, &c);
	assert_false(timer_is_set(&c.t));
	timer_set(&c.t, 30);
	assert_true(timer_is_set(&c.t));
	while (c.n == 0)
		turn();
	assert_true(loop_now_ms(l) >= start + 30);
	assert_false(timer_is_set(&c.t));
	(void)event_base_loop(loop_base(l), EVLOOP_NONBLOCK);
	assert_int_equal(c.n, 1);
}

/* Zero means soon, not now. */
static void
never_inside_the_call(void **state)
{
	struct count c = { .n = 0 };

	(void)state;
	timer_init(&c.t, l, on_count, &c);
	timer_set(&c.t, 0);
	assert_int_equal(c.n, 0);
	turn();
	assert_int_equal(c.n, 1);
}

static void
the_latest_set_counts(void **state)
{
	struct count later = { .n = 0 }, sooner = { .n = 0 };

	(void)state;
	n_calls = 0;
	timer_init(&later.t, l, on_count, &later);
	timer_init(&sooner.t, l, on_count, &sooner);
	timer_set(&later.t, 1);
	timer_set(&later.t, 60);
	timer_set(&sooner.t, 100000000);
	timer_set(&sooner.t, 10);
	while (later.n == 0)
		turn();
	assert_int_equal(sooner.place, 1);
	assert_int_equal(later.place, 2);
}

static void
stopped_timers_do_not_run(void **state)
{
	struct count stopped = { .n = 0 }, last = { .n = 0 };

	(void)state;
	timer_init(&stopped.t, l, on_count, &stopped);
	timer_init(&last.t, l, on_count, &last);
	timer_stop(&stopped.t); /* was never set */
	timer_set(&stopped.t, 1);
	timer_set(&last.t, 20);
	timer_stop(&stopped.t);
	timer_stop(&stopped.t);
	assert_false(timer_is_set(&stopped.t));
	while (last.n == 0)
		turn();
	assert_int_equal(stopped.n, 0);
}

static void
on_stop_other(void *arg)
{
	struct count *c = arg;

	on_count(arg);
	timer_stop(&c->other->t);
}

/* Both are due in the same round; the first to run stops the other. */
static void
stopped_when_already_due(void **state)
{
	struct count a = { .n = 0 }, b = { .n = 0, .other = &a };

	(void)state;
	a.other = &b;
	timer_init(&a.t, l, on_stop_other, &a);
	timer_init(&b.t, l, on_stop_other, &b);
	timer_set(&a.t, 0);
	timer_set(&b.t, 0);
	turn();
	(void)event_base_loop(loop_base(l), EVLOOP_NONBLOCK);
	assert_int_equal(a.n + b.n, 1);
}

static void
on_set_again(void *arg)
{
	struct count *c = arg;

	on_count(arg);
	if (c->n < 3)
		timer_set(&c->t, 0);
}

static void
set_again_from_the_callback(void **state)
{
	struct count c = { .n = 0 };

	(void)state;
	timer_init(&c.t, l, on_set_again, &c);
	timer_set(&c.t, 0);
	while (c.n < 3)
		turn();
	assert_false(timer_is_set(&c.t));
}

static bool was_freed;

static void
on_free(void *arg)
{
	struct count *c = arg;

	timer_stop(&c->t);
	free(c);
	was_freed = true;
}

static void
the_owner_may_go(void **state)
{
	struct count *c = calloc(1, sizeof(*c));

	(void)state;
	timer_init(&c->t, l, on_free, c);
	timer_set(&c->t, 0);
	turn();
	assert_true(was_freed);
}

/* Times that overflow somewhere must not run at once. */
static void
far_times(void **state)
{
	static const uint64_t far[] = { UINT64_MAX, UINT64_MAX / 1000,
		INT64_MAX, (uint64_t)INT32_MAX * 1000, 1ull << 33 };
	struct count c = { .n = 0 }, soon = { .n = 0 };

	(void)state;
	timer_init(&c.t, l, on_count, &c);
	timer_init(&soon.t, l, on_count, &soon);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		timer_set(&c.t, far[i]);
		timer_set(&soon.t, 5);
		soon.n = 0;
		while (soon.n == 0)
			turn();
		assert_int_equal(c.n, 0);
		assert_true(timer_is_set(&c.t));
	}
	timer_stop(&c.t);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(once_and_not_early),
		TEST(never_inside_the_call),
		TEST(the_latest_set_counts),
		TEST(stopped_timers_do_not_run),
		TEST(stopped_when_already_due),
		TEST(set_again_from_the_callback),
		TEST(the_owner_may_go),
		TEST(far_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
