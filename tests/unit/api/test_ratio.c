/*
 * test_ratio.c - windows of the hit ratio, with totals of the test's own and
 * samples taken by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/ratio.h"
#include "api/traffic.h"
#include "loop/loop.h"

#define MILLION 1000000u

static struct traffic_totals totals;
static struct loop *loop; /* never started: the timer does not fire */
static struct ratio *ratio;

void
traffic_totals(struct traffic_totals *out)
{
	*out = totals;
}

static void
sample(unsigned n)
{
	while (n-- > 0)
		ratio_sample(ratio);
}

static void
expect_requests(uint64_t m5, uint64_t m15, uint64_t h1)
{
	assert_int_equal(ratio_requests(ratio, WINDOW_5M), m5);
	assert_int_equal(ratio_requests(ratio, WINDOW_15M), m15);
	assert_int_equal(ratio_requests(ratio, WINDOW_1H), h1);
}

static void
nothing_had_to_cross(void **state)
{
	(void)state;
	expect_requests(MILLION, MILLION, MILLION);
	assert_int_equal(ratio_bytes(ratio, WINDOW_1H), MILLION);
	totals.requests[RESULT_ERROR] = 9; /* apart */
	expect_requests(MILLION, MILLION, MILLION);
}

static void
every_result_counts(void **state)
{
	(void)state;
	totals.requests[RESULT_HIT] = 5;
	totals.requests[RESULT_STALE] = 1;
	totals.requests[RESULT_JOIN] = 1;
	totals.requests[RESULT_MISS] = 1;
	totals.requests[RESULT_ERROR] = 100;
	expect_requests(750000, 750000, 750000);
	assert_int_equal(ratio_bytes(ratio, WINDOW_5M), MILLION);
	totals.bytes[RESULT_JOIN] = 3;
	totals.bytes[RESULT_HIT] = 1;
	assert_int_equal(ratio_bytes(ratio, WINDOW_5M), 250000);
}

/* What was counted before the mirror's ratio began is not in any window. */
static void
the_start_is_the_first_sample(void **state)
{
	(void)state;
	ratio_free(ratio);
	totals.requests[RESULT_MISS] = 10;
	ratio = ratio_new(loop);
	assert_non_null(ratio);
	expect_requests(MILLION, MILLION, MILLION);
	totals.requests[RESULT_HIT] = 10;
	expect_requests(MILLION, MILLION, MILLION);
	totals.requests[RESULT_MISS] = 20;
	expect_requests(500000, 500000, 500000);
}

/* A miss leaves the windows one after the other, each on its sample. */
static void
windows_forget(void **state)
{
	(void)state;
	totals.requests[RESULT_MISS] = 1;
	sample(30); /* the last sample that 5 min does not reach behind */
	expect_requests(0, 0, 0);
	sample(1);
	expect_requests(MILLION, 0, 0);
	sample(59);
	expect_requests(MILLION, 0, 0);
	sample(1);
	expect_requests(MILLION, MILLION, 0);
	sample(269);
	expect_requests(MILLION, MILLION, 0);
	sample(1);
	expect_requests(MILLION, MILLION, MILLION);
}

/* After many hours the ring has turned several times. */
static void
the_ring_turns(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		totals.requests[RESULT_HIT] += 3;
		totals.requests[RESULT_MISS] += 1;
		sample(1);
	}
	expect_requests(750000, 750000, 750000);
	totals.requests[RESULT_HIT] += 360 * 4; /* now */
	assert_int_equal(ratio_requests(ratio, WINDOW_1H), 875000);
}

static void
very_many_bytes(void **state)
{
	(void)state;
	totals.bytes[RESULT_HIT] = UINT64_MAX / 2;
	totals.bytes[RESULT_MISS] = UINT64_MAX / 2;
	assert_int_equal(ratio_bytes(ratio, WINDOW_1H), 500000);
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	totals = (struct traffic_totals){ .requests = { 0 } };
	loop = loop_new("ratio", &err);
	ratio = ratio_new(loop);
	return ratio != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	ratio_free(ratio);
	loop_free(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    nothing_had_to_cross, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    every_result_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_start_is_the_first_sample, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    windows_forget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_ring_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    very_many_bytes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
