/*
 * test_upstream.c - how endpoints are doing, as cache/ and people see it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/metrics.h"
#include "far.h"
#include "rig.h"
#include "upstream/links.h"

static struct rig rig;
static struct far *far;
static char label[64]; /* of the endpoint over the link "a" */

static int
set_up(void **state)
{
	(void)state;
	rig_start(&rig);
	far = far_start();
	rig_config(&rig,
	    "links:\n"
	    "  a: {rate: 100Mbit}\n"
	    "  b: {rate: 100Mbit}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: a}, "
	    "{url: \"%s\", link: b}]}\n"
	    "  other.test: {endpoints: [{url: \"%s\"}]}\n",
	    far_url(far), far_url(far), far_url(far));
	(void)snprintf(label, sizeof(label), "%s via a", far_host(far));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	far_stop(far);
	return 0;
}

static void
answer(const char *reply)
{
	far_clear(far);
	far_add(far, &(struct far_rule){ .match = "", .reply = reply });
}

static enum fetch_result
pull_from(size_t upstream, size_t endpoint)
{
	struct get g;

	get_init(&g, &rig, FETCH_TAGS, "a", "");
	g.upstream = upstream;
	g.endpoint = endpoint;
	(void)get_run(&g);
	get_done(&g);
	return g.result;
}

static enum fetch_result
pull(size_t endpoint)
{
	return pull_from(0, endpoint);
}

static int64_t
count3(enum metric_id id, const char *what)
{
	const char *const labels[] = { "reg.test", label, what };

	return metric_value(metric_cell(id, labels));
}

static int64_t
gauge(enum metric_id id)
{
	const char *const labels[] = { "reg.test", label };

	return metric_value(metric_cell(id, labels));
}

/* ---- on the loop ------------------------------------------------------- */

struct look {
	size_t upstream, endpoint;
	enum link_class class;
	bool may, is_distrusted;
	uint64_t wait_ms;
	struct endpoint_report reports[4];
	size_t n_reports;
};

static void
look_here(void *arg)
{
	struct look *l = arg;
	const struct config_upstream *u = &rig.config->upstreams[l->upstream];
	const struct config_endpoint *e = &u->endpoints[l->endpoint];

	l->n_reports =
	    upstreams_report(rig.upstreams, rig.config, l->reports, 4);
	l->is_distrusted = upstream_is_distrusted(rig.upstreams, u, e);
	l->may = upstream_may_try(rig.upstreams, u, e, l->class, &l->wait_ms);
}

static struct look
look_at(size_t upstream, size_t endpoint)
{
	struct look l = { .upstream = upstream, .endpoint = endpoint };

	rig_run(&rig, look_here, &l);
	return l;
}

static struct look
look_at_as(size_t upstream, size_t endpoint, enum link_class class)
{
	struct look l = { .upstream = upstream,
		.endpoint = endpoint,
		.class = class };

	rig_run(&rig, look_here, &l);
	return l;
}

struct verdict {
	size_t upstream;
	enum prewarm prewarm;
	bool is_reached;
	struct err why;
};

static void
judge_here(void *arg)
{
	struct verdict *v = arg;
	const struct config_upstream *u = &rig.config->upstreams[v->upstream];
	struct err err;
	int64_t at;

	v->prewarm = upstreams_prewarm(rig.upstreams, u, &at, &err);
	v->is_reached = upstreams_are_reached(rig.upstreams, u, &v->why);
}

static struct verdict
judge(size_t upstream)
{
	struct verdict v = { .upstream = upstream };

	rig_run(&rig, judge_here, &v);
	return v;
}

static void
distrust_here(void *arg)
{
	const struct config_upstream *u = &rig.config->upstreams[0];

	(void)arg;
	upstream_distrust(rig.upstreams, u, &u->endpoints[0]);
}

/* ---- tests ------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAIL(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static void
it_opens_and_says_why(void **state)
{
	struct look l;

	(void)state;
	answer(FAIL("500 Oops"));
	for (int i = 0; i < 3; i++) {
		assert_true(look_at(0, 0).may);
		assert_int_equal(pull(0), FETCH_FAILED);
	}
	l = look_at(0, 0);
	assert_false(l.may);
	assert_in_range(l.wait_ms, 1, 1250);
	assert_int_equal(l.n_reports, 3);
	assert_string_equal(l.reports[0].upstream, "reg.test");
	assert_string_equal(l.reports[0].endpoint, label);
	assert_true(l.reports[0].was_tried);
	assert_false(l.reports[0].is_up);
	assert_int_equal(l.reports[0].breaker, BREAKER_OPEN);
	assert_true(l.reports[0].last_fail_at > 0);
	assert_int_equal(l.reports[0].last_ok_at, 0);
	assert_int_equal(l.reports[0].ratelimit_remaining, -1);
	assert_non_null(strstr(l.reports[0].last_error, "answered 500"));
	/* the same server over the other link, and for others, is open */
	assert_true(look_at(0, 1).may);
	assert_true(look_at(1, 0).may);
	assert_false(l.reports[1].was_tried);
	assert_int_equal(gauge(M_breaker_state), BREAKER_OPEN);
	assert_int_equal(gauge(M_upstream_up), 0);
	/* well again */
	answer(OK);
	assert_int_equal(pull(0), FETCH_DONE);
	l = look_at(0, 0);
	assert_true(l.may && l.reports[0].is_up);
	assert_int_equal(l.reports[0].breaker, BREAKER_CLOSED);
	assert_int_equal(gauge(M_breaker_state), BREAKER_CLOSED);
	assert_int_equal(gauge(M_upstream_up), 1);
}

static void
what_counts_as_a_failure(void **state)
{
	static const struct {
		const char *reply, *code, *reason; /* NULL: no error */
		bool opens;
	} cases[] = {
		{ FAIL("404 No"), "404", NULL, false },
		{ FAIL("403 No"), "403", "denied", false },
		{ FAIL("400 No"), "400", NULL, false },
		{ FAIL("429 No"), "429", "limited", true },
		{ FAIL("502 No"), "502", "failed", true },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		  "Content-Length: 9\r\n\r\nshort",
		    "200", "broken", true },
		{ "garbage\r\nConnection: close", "0", "failed", true },
		{ "", "0", "unreachable", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t n = count3(M_upstream_requests_total, cases[i].code);

		answer(OK);
		assert_int_equal(pull(0), FETCH_DONE);
		answer(cases[i].reply);
		for (int k = 0; k < 3; k++)
			(void)pull(0);
		if (look_at(0, 0).may == cases[i].opens)
			fail_msg("%s", cases[i].reply);
		/* a request on a dead connection is made again by libcurl */
		if (strcmp(cases[i].code, "200") != 0)
			assert_int_equal(
			    count3(M_upstream_requests_total, cases[i].code),
			    n + 3);
		if (cases[i].reason != NULL)
			assert_true(count3(M_upstream_errors_total,
					cases[i].reason) >= 3);
	}
}

static void
rate_limits(void **state)
{
	static const struct {
		const char *header;
		int64_t remaining;
	} cases[] = {
		{ "ratelimit-remaining: 93;w=21600", 93 },
		{ "RateLimit-Remaining: 7", 7 },
		{ "RateLimit-Remaining: many", 7 },
		{ "RateLimit-Remaining: ", 7 },
		{ "X: y", 7 },
		{ "ratelimit-remaining: 0;w=21600", 0 },
	};
	char reply[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 200 OK\r\n%s\r\nContent-Length: 0\r\n\r\n",
		    cases[i].header);
		answer(reply);
		assert_int_equal(pull(0), FETCH_DONE);
		assert_int_equal(look_at(0, 0).reports[0].ratelimit_remaining,
		    cases[i].remaining);
		assert_int_equal(
		    gauge(M_upstream_ratelimit_remaining), cases[i].remaining);
	}
}

/* Once a breaker's time has passed a release may try again; that alone does not
 * make the upstream one that is reached. */
static void
nobody_is_reached_by_waiting(void **state)
{
	struct verdict v = judge(0);

	(void)state;
	assert_true(v.is_reached); /* untried */
	answer("");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pull(0), FETCH_UNREACHABLE);
		assert_int_equal(judge(0).is_reached, true); /* the other */
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(pull(1), FETCH_UNREACHABLE);
	v = judge(0);
	assert_int_equal(v.prewarm, PREWARM_DOWN);
	assert_false(v.is_reached);
	assert_non_null(strstr(v.why.text, label));
	while (judge(0).prewarm == PREWARM_DOWN)
		;
	assert_int_equal(judge(0).prewarm, PREWARM_YES);
	assert_false(judge(0).is_reached);
	answer(OK);
	assert_int_equal(pull(1), FETCH_DONE);
	assert_true(judge(0).is_reached);
}

/* Below the floor (20) only pulls may spend, until the window has passed. */
static void
the_rest_is_for_pulls(void **state)
{
	static const struct {
		const char *remaining;
		bool may;
	} cases[] = {
		{ "20;w=21600", true },
		{ "19;w=21600", false },
		{ "19", false },
		{ "0;w=3600", false },
		{ "21;w=21600", true },
	};
	struct look l;
	char reply[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 200 OK\r\nRateLimit-Limit: 100;w=21600\r\n"
		    "RateLimit-Remaining: %s\r\nContent-Length: 0\r\n\r\n",
		    cases[i].remaining);
		answer(reply);
		assert_int_equal(pull(0), FETCH_DONE);
		l = look_at_as(0, 0, CLASS_PREWARM);
		assert_int_equal(l.may, cases[i].may);
		assert_int_equal(pull_from(1, 0), FETCH_DONE);
		assert_int_equal(judge(1).prewarm,
		    cases[i].may ? PREWARM_YES : PREWARM_LATER);
		assert_int_equal(l.wait_ms > 0, !cases[i].may);
		assert_true(look_at(0, 0).may);
		assert_true(look_at_as(0, 1, CLASS_REFRESH).may);
		assert_int_equal(l.reports[0].ratelimit, 100);
	}
}

static void
a_window_passes(void **state)
{
	(void)state;
	answer("HTTP/1.1 200 OK\r\nRateLimit-Remaining: 0;w=1\r\n"
	       "Content-Length: 0\r\n\r\n");
	assert_int_equal(pull(0), FETCH_DONE);
	assert_false(look_at_as(0, 0, CLASS_REFRESH).may);
	while (!look_at_as(0, 0, CLASS_REFRESH).may)
		;
}

/* What cannot be reached is offline; it has not failed. */
static void
standings(void **state)
{
	(void)state;
	assert_int_equal(look_at(0, 0).reports[0].standing, STANDING_UNTRIED);
	answer(FAIL("500 Oops"));
	(void)pull(0);
	assert_int_equal(look_at(0, 0).reports[0].standing, STANDING_ERRORS);
	far_clear(far);
	far_add(far,
	    &(struct far_rule){ .match = "",
		.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		.then = FAR_CLOSE });
	assert_int_equal(pull(0), FETCH_BROKEN);
	assert_int_equal(look_at(0, 0).reports[0].standing, STANDING_OFFLINE);
	answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(pull(0), FETCH_DONE);
	assert_int_equal(look_at(0, 0).reports[0].standing, STANDING_ONLINE);
	answer(FAIL("429 Much"));
	assert_int_equal(pull(0), FETCH_LIMITED);
	assert_int_equal(look_at(0, 0).reports[0].standing, STANDING_LIMITED);
	assert_int_equal(look_at(0, 0).reports[0].breaker, BREAKER_OPEN);
	assert_false(look_at(0, 0).may);
}

static void
wrong_bytes(void **state)
{
	(void)state;
	assert_false(look_at(0, 0).is_distrusted);
	rig_run(&rig, distrust_here, NULL);
	assert_true(look_at(0, 0).is_distrusted);
	assert_true(look_at(0, 0).reports[0].is_distrusted);
	assert_false(look_at(0, 1).is_distrusted);
	assert_false(look_at(1, 0).is_distrusted);
}

/* State is kept by name: a new snapshot of the configuration sees it. */
static void
a_reload(void **state)
{
	(void)state;
	answer(FAIL("500 Oops"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(pull(1), FETCH_FAILED);
	rig_config(&rig,
	    "links:\n"
	    "  a: {rate: 1Mbit}\n"
	    "  b: {rate: 1Mbit}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: b}, "
	    "{url: \"%s\", link: a}]}\n",
	    far_url(far), far_url(far));
	assert_false(look_at(0, 0).may);
	assert_true(look_at(0, 1).may);
}

/* A probe that is closed lets the next one through. */
static void
a_probe_that_is_closed(void **state)
{
	struct look l;
	struct get g;

	(void)state;
	answer("HTTP/1.1 500 Oops\r\nRetry-After: 1\r\n"
	       "Content-Length: 0\r\n\r\n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(pull(0), FETCH_FAILED);
	do
		l = look_at(0, 0);
	while (!l.may);
	assert_int_equal(look_at(0, 0).reports[0].breaker, BREAKER_HALF_OPEN);
	assert_false(look_at(0, 0).may);
	far_clear(far);
	far_add(far, &(struct far_rule){ .match = "", .then = FAR_HANG });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	get_start(&g);
	get_close(&g);
	get_done(&g);
	assert_true(look_at(0, 0).may);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(it_opens_and_says_why),
		t(what_counts_as_a_failure),
		t(rate_limits),
		t(nobody_is_reached_by_waiting),
		t(the_rest_is_for_pulls),
		t(a_window_passes),
		t(standings),
		t(wrong_bytes),
		t(a_reload),
		t(a_probe_that_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
