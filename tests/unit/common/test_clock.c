/*
 * test_clock.c - how times are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"

static void
rfc3339(void **state)
{
	char out[CLOCK_TEXT_MAX];

	(void)state;
	assert_ptr_equal(clock_rfc3339(0, out), out);
	assert_string_equal(out, "1970-01-01T00:00:00.000Z");
	assert_string_equal(
	    clock_rfc3339(1795312800000, out), "2026-11-22T02:00:00.000Z");
	assert_string_equal(
	    clock_rfc3339(951782399999, out), "2000-02-28T23:59:59.999Z");
	assert_string_equal(
	    clock_rfc3339(951782400007, out), "2000-02-29T00:00:00.007Z");
}

/* Never more than the text has room for, whatever an upstream claims. */
static void
times_beyond_four_digits_of_a_year(void **state)
{
	char out[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(
	    clock_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.807Z");
	assert_string_equal(
	    clock_rfc3339(INT64_MIN, out), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_rfc3339(-1, out), "1970-01-01T00:00:00.000Z");
	assert_string_equal(
	    clock_http_date(INT64_MAX, out), "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_string_equal(
	    clock_http_date(INT64_MIN, out), "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void
http_date(void **state)
{
	char out[CLOCK_TEXT_MAX], want[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_http_date(784111777, out),
	    "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110's example */
	for (int64_t day = 0; day < 800; day++) {
		time_t t = 1704067200 + day * 86400 + 3723;
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		(void)strftime(
		    want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(clock_http_date(t, out), want);
	}
}

/* The coarse clock is never ahead of the exact one, and not far behind. */
static void
clocks_agree(void **state)
{
	uint64_t fine_before = clock_mono_us() / 1000;
	uint64_t coarse = clock_mono_ms();
	uint64_t fine_after = clock_mono_us() / 1000;
	int64_t wall_s = clock_wall_s();
	int64_t wall_ms = clock_wall_ms();

	(void)state;
	assert_true(coarse <= fine_after);
	assert_true(coarse + 1000 >= fine_before);
	assert_true(wall_ms / 1000 >= wall_s && wall_ms / 1000 <= wall_s + 60);
	assert_true(wall_s > 1700000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3339),
		cmocka_unit_test(times_beyond_four_digits_of_a_year),
		cmocka_unit_test(http_date),
		cmocka_unit_test(clocks_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
