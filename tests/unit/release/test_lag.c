/*
 * test_lag.c - how far behind, with clocks that differ and times not said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "release/lag.h"

#define NOW 1800000000

static void
of_a_release(void **state)
{
	struct lag_times t = { .published_at = NOW - 600,
		.accepted_at = NOW - 60 };

	(void)state;
	assert_int_equal(lag_of(&t, false, NOW), 600);
	assert_int_equal(lag_of(&t, true, NOW), 0);
	t.published_at = 0;
	assert_int_equal(lag_of(&t, false, NOW), 60);
}

static void
of_a_loss(void **state)
{
	struct lag_times t = { NOW - 600, NOW - 500, NOW - 400, NOW - 30 };

	(void)state;
	assert_int_equal(lag_of(&t, false, NOW), 30);
	t.ready_at = 0; /* never was complete: what is lost is not the point */
	assert_int_equal(lag_of(&t, false, NOW), 600);
}

static void
in_the_future(void **state)
{
	struct lag_times t = { .published_at = NOW + 600,
		.accepted_at = NOW - 60 };

	(void)state;
	assert_int_equal(lag_of(&t, false, NOW), 0);
	assert_true(lag_is_in_future(&t, NOW));
	assert_false(lag_is_in_future(&t, NOW + 600));
}

static void
of_the_mirror(void **state)
{
	struct release_summary all[4] = {
		{ .state = RELEASE_HELD, .lag_s = 9000 },
		{ .state = RELEASE_WARMING, .lag_s = 20 },
		{ .state = RELEASE_WAITING, .lag_s = 300 },
		{ .state = RELEASE_FAILED, .lag_s = 8000 },
	};
	size_t of;

	(void)state;
	assert_int_equal(lag_of_mirror(all, 4, &of), 300);
	assert_int_equal(of, 2);
	assert_int_equal(lag_of_mirror(all, 1, &of), 0);
	assert_int_equal(of, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_release),
		cmocka_unit_test(of_a_loss),
		cmocka_unit_test(in_the_future),
		cmocka_unit_test(of_the_mirror),
	};

	return cmocka_run_group_tests_name("lag", tests, NULL, NULL);
}
