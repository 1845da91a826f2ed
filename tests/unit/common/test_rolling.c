/*
 * test_rolling.c - sums over a moving window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/rolling.h"

#define WINDOW 900

static struct rolling r;

static void
add(int64_t now, uint64_t n)
{
	const uint64_t values[ROLLING_VALUES] = { n, 2 * n, 0, 1 };

	rolling_add(&r, WINDOW, now, values);
}

static void
sums_to(int64_t now, uint64_t n)
{
	uint64_t sums[ROLLING_VALUES];

	rolling_sum(&r, WINDOW, now, sums);
	assert_int_equal(sums[0], n);
	assert_int_equal(sums[1], 2 * n);
}

static void
test_window(void **state)
{
	(void)state;
	r = (struct rolling){ 0 };
	sums_to(10000, 0);
	add(10000, 1);
	add(10005, 2);
	add(10010, 4);
	sums_to(10010, 7);
	sums_to(10000 + WINDOW - 1, 7);
	sums_to(10000 + WINDOW, 4);
	sums_to(10010 + WINDOW, 0);
	add(10000 + WINDOW, 8);
	sums_to(10000 + WINDOW, 12);
	add(1000000, 16);
	sums_to(1000000, 16);
}

static void
test_another_window(void **state)
{
	uint64_t sums[ROLLING_VALUES];

	(void)state;
	r = (struct rolling){ 0 };
	add(10000, 1);
	rolling_sum(&r, 2 * WINDOW, 10000, sums);
	assert_int_equal(sums[0], 0);
	rolling_add(&r, 10, 10001, (const uint64_t[ROLLING_VALUES]){ 3 });
	sums_to(10001, 0);
	rolling_sum(&r, 10, 10010, sums);
	assert_int_equal(sums[0], 3);
	rolling_sum(&r, 10, 10011, sums);
	assert_int_equal(sums[0], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_another_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
