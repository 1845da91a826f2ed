/*
 * test_attempt.c - which endpoint is asked next, with upstreams of the real
 * kind that nothing is sent to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attempt.h"
#include "loop/work.h"

struct bench {
	struct loop *loop;
	struct work_pool *pool;
	struct upstreams *upstreams;
	struct config *config;
	struct attempt attempt;
};

static int
set_up(void **state)
{
	static struct bench b;
	static const char yaml[] = "upstreams:\n"
				   "  registry.example.com:\n"
				   "    endpoints:\n"
				   "      - {url: \"http://one.example\"}\n"
				   "      - {url: \"http://one.example\"}\n"
				   "      - {url: \"http://two.example\"}\n";
	struct err err;

	b.loop = loop_new("test", &err);
	b.pool = work_pool_new("test", 1, &err);
	b.upstreams = upstreams_new(b.loop, b.pool, &err);
	b.config = config_parse("test.yaml", STR(yaml), &err);
	assert_non_null(b.upstreams);
	assert_non_null(b.config);
	attempt_init(&b.attempt, b.upstreams, &b.config->upstreams[0]);
	*state = &b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	work_pool_free(b->pool);
	(void)loop_drain(b->loop);
	upstreams_free(b->upstreams);
	loop_free(b->loop);
	config_unref(b->config);
	return 0;
}

static size_t
next_index(struct bench *b)
{
	const struct config_endpoint *e = NULL;
	uint64_t wait_ms;

	assert_int_equal(attempt_next(&b->attempt, &e, &wait_ms), ATTEMPT_GO);
	return (size_t)(e - b->config->upstreams[0].endpoints);
}

static void
failed(struct bench *b, size_t i, enum fetch_result result, const char *text)
{
	struct err err;

	(void)err_set(&err, ERR_UPSTREAM_DOWN, "%s", text);
	attempt_failed(
	    &b->attempt, &b->config->upstreams[0].endpoints[i], result, &err);
}

static void
endpoints_come_in_their_order(void **state)
{
	struct bench *b = *state;
	const struct config_endpoint *e;
	uint64_t wait_ms = 0;

	assert_int_equal(next_index(b), 0);
	failed(b, 0, FETCH_UNREACHABLE, "a");
	assert_int_equal(next_index(b), 1);
	failed(b, 1, FETCH_UNREACHABLE, "b");
	assert_int_equal(next_index(b), 2);
	failed(b, 2, FETCH_BROKEN, "c");
	assert_int_equal(attempt_next(&b->attempt, &e, &wait_ms), ATTEMPT_WAIT);
	assert_in_range(wait_ms, 50, 100);
	assert_int_equal(next_index(b), 0);
}

static void
a_no_speaks_for_the_whole_address(void **state)
{
	struct bench *b = *state;

	assert_int_equal(next_index(b), 0);
	failed(b, 0, FETCH_NOT_FOUND, "not there");
	assert_int_equal(next_index(b), 2);
}

static void
over_when_all_said_no(void **state)
{
	struct bench *b = *state;
	const struct config_endpoint *e;
	uint64_t wait_ms;

	failed(b, 0, FETCH_NOT_FOUND, "not there");
	failed(b, 2, FETCH_NOT_FOUND, "nor there");
	assert_int_equal(attempt_next(&b->attempt, &e, &wait_ms), ATTEMPT_OVER);
	assert_int_equal(b->attempt.result, FETCH_NOT_FOUND);
}

/* Who did not answer might have said yes: that is no 404. */
static void
a_failure_tells_more_than_a_no(void **state)
{
	struct bench *b = *state;

	failed(b, 2, FETCH_UNREACHABLE, "no route");
	failed(b, 0, FETCH_NOT_FOUND, "not there");
	assert_int_equal(b->attempt.result, FETCH_UNREACHABLE);
	assert_string_equal(b->attempt.error.text, "no route");
}

static void
wrong_bytes_are_asked_for_once(void **state)
{
	struct bench *b = *state;
	const struct config_endpoint *all = b->config->upstreams[0].endpoints;
	struct err err;

	(void)err_set(&err, ERR_DIGEST_MISMATCH, "wrong");
	assert_int_equal(next_index(b), 0);
	attempt_exclude(&b->attempt, &all[0], &err);
	assert_true(upstream_is_distrusted(
	    b->upstreams, &b->config->upstreams[0], &all[0]));
	attempt_progressed(&b->attempt);
	assert_int_equal(next_index(b), 1);
}

static void
progress_begins_a_new_round(void **state)
{
	struct bench *b = *state;

	assert_int_equal(next_index(b), 0);
	failed(b, 0, FETCH_BROKEN, "cut");
	attempt_progressed(&b->attempt);
	assert_int_equal(next_index(b), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(endpoints_come_in_their_order),
		test(a_no_speaks_for_the_whole_address),
		test(over_when_all_said_no),
		test(a_failure_tells_more_than_a_no),
		test(wrong_bytes_are_asked_for_once),
		test(progress_begins_a_new_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
