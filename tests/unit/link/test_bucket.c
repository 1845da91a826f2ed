/*
 * test_bucket.c - a bucket is exact over time, whatever is taken at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/units.h"
#include "link/bucket.h"

#define SECOND 1000000ull
#define MICRO 1000000ll

/* Takes pieces of N whenever it may, looking every STEP_US; returns bytes. */
static uint64_t
drain(
    struct bucket *b, uint64_t n, uint64_t from, uint64_t to, uint64_t step_us)
{
	uint64_t took = 0;

	for (uint64_t t = from; t < to; t += step_us)
		while (bucket_has(b, 0, t)) {
			bucket_take(b, (int64_t)n * MICRO, t);
			took += n;
		}
	return took;
}

static void
rates(void **state)
{
	static const uint64_t of[] = { 125000, 1000000, 6250000, 25000000,
		112500000, 12500000000 };
	struct bucket b;

	(void)state;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		uint64_t want = of[i] * 10, got;

		bucket_init(&b, of[i], 0);
		got = drain(&b, 16384, 0, 10 * SECOND, 3000);
		assert_in_range(got, want * 98 / 100, want * 102 / 100);
	}
}

static void
a_burst_is_100_ms(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000000, 0);
	assert_false(bucket_has(&b, 0, 0));
	assert_int_equal(
	    drain(&b, 1000, 3600 * SECOND, 3600 * SECOND + 1, 1), 100000);
}

static void
debt_is_paid(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000, 0);
	bucket_take(&b, 1000 * MICRO, 0);
	assert_false(bucket_has(&b, 0, SECOND));
	assert_true(bucket_has(&b, 0, SECOND + 1000));
	assert_int_equal(bucket_wait_us(&b, 0, 0), 4000); /* clocks go on */
}

static void
live_changes(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, RATE_UNLIMITED, 0);
	assert_true(bucket_has(&b, 0, 0));
	assert_int_equal(bucket_wait_us(&b, 0, 0), 0);
	bucket_take(&b, INT64_MAX, 0);
	bucket_set_rate(&b, 0, SECOND);
	assert_false(bucket_has(&b, 0, 2 * SECOND));
	assert_true(bucket_wait_us(&b, 0, 2 * SECOND) == UINT64_MAX);
	bucket_set_rate(&b, 1000000, 3 * SECOND);
	assert_false(bucket_has(&b, 0, 3 * SECOND));
	assert_int_equal(bucket_wait_us(&b, 0, 3 * SECOND), 5000);
	assert_int_equal(bucket_wait_us(&b, 20000, 3 * SECOND), 25000);
	assert_in_range(
	    drain(&b, 1000, 3 * SECOND, 13 * SECOND, 1000), 9900000, 10100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(a_burst_is_100_ms),
		cmocka_unit_test(debt_is_paid),
		cmocka_unit_test(live_changes),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
