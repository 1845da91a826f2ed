/*
 * test_breaker.c - a breaker's life on a clock of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "upstream/breaker.h"

#define MIDDLE 500 /* jitter that changes nothing */

enum act { ASK, FAIL, LIMIT, OK, DROP };

static const struct {
	uint64_t now_ms;
	enum act act;
	uint64_t retry_after_ms;
	bool may; /* for ASK */
	uint64_t wait_ms;
	enum breaker_state state;
} life[] = {
	{ 0, ASK, 0, true, 0, BREAKER_CLOSED },
	{ 10, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 20, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 30, OK, 0, false, 0, BREAKER_CLOSED },
	/* three in a row */
	{ 40, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 50, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 60, ASK, 0, true, 0, BREAKER_CLOSED },
	{ 100, FAIL, 0, false, 0, BREAKER_OPEN },
	{ 100, ASK, 0, false, 1000, BREAKER_OPEN },
	{ 600, ASK, 0, false, 500, BREAKER_OPEN },
	/* of requests from before: the wait stays what it is */
	{ 700, FAIL, 0, false, 0, BREAKER_OPEN },
	{ 1099, ASK, 0, false, 1, BREAKER_OPEN },
	/* one probe */
	{ 1100, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	{ 1100, ASK, 0, false, 500, BREAKER_HALF_OPEN },
	{ 1200, FAIL, 0, false, 0, BREAKER_OPEN },
	{ 1200, ASK, 0, false, 2000, BREAKER_OPEN },
	{ 3200, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	/* it lost interest: another may try */
	{ 3300, DROP, 0, false, 0, BREAKER_HALF_OPEN },
	{ 3300, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	/* it was never heard of again */
	{ 63299, ASK, 0, false, 1, BREAKER_HALF_OPEN },
	{ 63300, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	{ 63400, FAIL, 7000, false, 0, BREAKER_OPEN },
	{ 63400, ASK, 0, false, 7000, BREAKER_OPEN },
	{ 70400, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	{ 70500, OK, 0, false, 0, BREAKER_CLOSED },
	/* and all is forgotten */
	{ 70600, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 70600, FAIL, 0, false, 0, BREAKER_CLOSED },
	{ 70600, FAIL, 0, false, 0, BREAKER_OPEN },
	{ 70600, ASK, 0, false, 1000, BREAKER_OPEN },
	/* a straggler got through */
	{ 70700, OK, 0, false, 0, BREAKER_CLOSED },
	{ 70700, ASK, 0, true, 0, BREAKER_CLOSED },
	/* it says when to come again: believed the first time */
	{ 70800, FAIL, 5000, false, 0, BREAKER_OPEN },
	{ 70800, ASK, 0, false, 5000, BREAKER_OPEN },
	{ 75800, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	{ 75900, OK, 0, false, 0, BREAKER_CLOSED },
	/* or only that it is too much */
	{ 76000, LIMIT, 0, false, 0, BREAKER_OPEN },
	{ 76000, ASK, 0, false, 1000, BREAKER_OPEN },
	{ 77000, ASK, 0, true, 0, BREAKER_HALF_OPEN },
	{ 77100, LIMIT, 3600000, false, 0, BREAKER_OPEN },
	{ 77100, ASK, 0, false, 3600000, BREAKER_OPEN },
	{ 3677100, ASK, 0, true, 0, BREAKER_HALF_OPEN },
};

static void
a_life(void **state)
{
	struct breaker b = { 0 };
	uint64_t wait_ms;

	(void)state;
	for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++) {
		uint64_t now = life[i].now_ms;

		if (life[i].act == FAIL)
			breaker_failed(&b, now, MIDDLE, life[i].retry_after_ms);
		else if (life[i].act == LIMIT)
			breaker_limited(
			    &b, now, MIDDLE, life[i].retry_after_ms);
		else if (life[i].act == OK)
			breaker_succeeded(&b);
		else if (life[i].act == DROP)
			breaker_abandoned(&b);
		else if (breaker_allows(&b, now, &wait_ms) != life[i].may ||
		    wait_ms != life[i].wait_ms)
			fail_msg(
			    "step %zu: %llu", i, (unsigned long long)wait_ms);
		if (b.state != life[i].state)
			fail_msg("step %zu: state %d", i, b.state);
	}
}

static void
the_wait_doubles(void **state)
{
	static const uint64_t waits[] = { 1000, 2000, 4000, 8000, 16000, 32000,
		60000, 60000, 60000, 60000, 60000 };
	struct breaker b = { 0 };
	uint64_t now = 0, wait_ms;

	(void)state;
	breaker_failed(&b, now, MIDDLE, 0);
	breaker_failed(&b, now, MIDDLE, 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		breaker_failed(&b, now, MIDDLE, 0);
		assert_false(breaker_allows(&b, now, &wait_ms));
		assert_int_equal(wait_ms, waits[i]);
		now += wait_ms;
		assert_true(breaker_allows(&b, now, &wait_ms));
	}
}

static void
jitter_and_retry_after_have_bounds(void **state)
{
	static const struct {
		unsigned jitter;
		uint64_t retry_after_ms, wait_ms;
	} cases[] = {
		{ 0, 0, 750 },
		{ 999, 0, 1249 },
		{ 0, 1, 1 },
		{ 999, 90000, 90000 },
		{ 0, 600000, 600000 },
		{ 0, 600001, 600000 },
		{ 0, UINT64_MAX, 600000 },
	};
	uint64_t wait_ms;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct breaker b = { 0 };

		for (unsigned n = 0; n < BREAKER_FAILURES; n++)
			breaker_failed(
			    &b, 5, cases[i].jitter, cases[i].retry_after_ms);
		assert_false(breaker_allows(&b, 5, &wait_ms));
		assert_int_equal(wait_ms, cases[i].wait_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life),
		cmocka_unit_test(the_wait_doubles),
		cmocka_unit_test(jitter_and_retry_after_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
