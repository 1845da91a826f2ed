/*
 * test_amount.c - amounts as people read them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/amount.h"
#include "common/units.h"

static void
test_bytes(void **state)
{
	char out[AMOUNT_TEXT_MAX];

	(void)state;
	assert_string_equal(amount_bytes(0, out), "0 B");
	assert_string_equal(amount_bytes(1023, out), "1023 B");
	assert_string_equal(amount_bytes(1536, out), "1.5 KiB");
	assert_string_equal(amount_bytes(311u << 20, out), "311 MiB");
	assert_string_equal(amount_bytes((1u << 30) - 1, out), "1024 MiB");
	assert_string_equal(amount_bytes(UINT64_MAX, out), "16384 PiB");
}

static void
test_durations(void **state)
{
	char out[AMOUNT_TEXT_MAX];

	(void)state;
	assert_string_equal(amount_duration(-5, out), "0 s");
	assert_string_equal(amount_duration(119, out), "119 s");
	assert_string_equal(amount_duration(120, out), "2 min");
	assert_string_equal(amount_duration(121, out), "3 min");
	assert_string_equal(amount_duration(3600, out), "1 h");
	assert_string_equal(amount_duration(7801, out), "2 h 11 min");
	assert_string_equal(amount_duration(3 * 86400 + 1, out), "3 d 1 h");
	assert_non_null(amount_duration(INT64_MAX, out));
}

static void
test_percents(void **state)
{
	char out[AMOUNT_TEXT_MAX];

	(void)state;
	assert_string_equal(amount_percent(1000000, out), "100 %");
	assert_string_equal(amount_percent(979999, out), "97.99 %");
	assert_string_equal(amount_percent(50000, out), "5 %");
}

static void
test_rates(void **state)
{
	char out[AMOUNT_TEXT_MAX];

	(void)state;
	assert_string_equal(amount_rate(2500000, out), "20 Mbit");
	assert_string_equal(amount_rate(0, out), "off");
	assert_string_equal(amount_rate(RATE_UNLIMITED, out), "unlimited");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_percents),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
