/*
 * test_gate.c - every rule of the gate, at its edge and beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "release/gate.h"

#define NOW 1800000000

static struct gate_rules rules;
static struct release_summary release;
static struct freeze frozen;
static struct gate_upstream upstream;
static struct gate_facts facts;
static struct gate gate;

static int
setup(void **state)
{
	(void)state;
	rules = (struct gate_rules){ .max_lag_ms = 0,
		.min_hit_ratio = 980000,
		.window_ms = 900000,
		.min_requests = 50,
		.max_error_ratio = 50000,
		.require_links = true };
	release = (struct release_summary){ .state = RELEASE_READY,
		.n_images = 14,
		.is_known = true,
		.published_at = NOW - 600 };
	release.n_in_state[RELEASE_READY] = 14;
	frozen = (struct freeze){ .is_on = false };
	upstream = (struct gate_upstream){ .name = "docker.io",
		.is_up = true,
		.is_counted = true,
		.requests = 100 };
	facts = (struct gate_facts){ .release = &release,
		.freeze = &frozen,
		.is_read = true,
		.traffic = { true, 100, 98, 1000, 980 },
		.upstreams = &upstream,
		.n_upstreams = 1,
		.now_s = NOW };
	return 0;
}

static void
is_open(void)
{
	gate_decide(&rules, &facts, &gate);
	if (!gate.is_open)
		fail_msg("closed: %s", gate.reasons[0].text);
	assert_int_equal(gate.n_reasons, 0);
}

/* For that reason alone, whose sentence holds TEXT. */
static void
is_closed(const char *code, const char *text)
{
	gate_decide(&rules, &facts, &gate);
	assert_false(gate.is_open);
	assert_int_equal(gate.n_reasons, 1);
	assert_string_equal(gate_code_name(gate.reasons[0].code), code);
	if (strstr(gate.reasons[0].text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, gate.reasons[0].text);
}

static void
is_skipped(size_t n, const char *rule, const char *text)
{
	is_open();
	assert_int_equal(gate.n_skipped, n);
	assert_string_equal(gate_code_rule(gate.skipped[0].code), rule);
	if (strstr(gate.skipped[0].text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, gate.skipped[0].text);
}

static void
miss(size_t n_images)
{
	release.state = RELEASE_WARMING;
	release.n_in_state[RELEASE_READY] -= n_images;
	release.n_in_state[RELEASE_WARMING] += n_images;
	release.counts.n_missing = 5;
	release.counts.missing_bytes = 312ull << 20;
	release.coming_bytes = 1u << 20;
}

static void
test_open(void **state)
{
	(void)state;
	is_open();
	assert_int_equal(gate.n_skipped, 0);
}

static void
test_missing(void **state)
{
	(void)state;
	miss(2);
	facts.done_at = NOW + 240;
	is_closed("bytes_missing",
	    "2 of 14 images incomplete, 311 MiB to go, about 4 min");
	facts.done_at = 0;
	release.is_known = false;
	is_closed("bytes_missing", "at least 311 MiB to go");
}

static void
test_unread(void **state)
{
	struct release_verified verified = { .n_digests = 9, .n_unread = 2 };

	(void)state;
	(void)snprintf(verified.why, sizeof(verified.why), "reading x: EIO");
	facts.verified = &verified;
	is_closed("bytes_unread", "2 of its digests could not be read");
	is_closed("bytes_unread", "(reading x: EIO)");
	verified.n_unread = 0;
	is_open();
}

static void
test_not_walked(void **state)
{
	(void)state;
	release.is_known = false;
	is_closed("bytes_unknown", "14 images");
	facts.is_read = false;
	is_closed("state_unknown", "just started");
}

/* Its pins are still being written. */
static void
test_not_pinned(void **state)
{
	(void)state;
	release.state = RELEASE_WARMING;
	is_closed("not_pinned", "all of its 14 images are here");
}

static void
test_failed(void **state)
{
	(void)state;
	release.state = RELEASE_FAILED;
	release.n_in_state[RELEASE_READY] = 13;
	release.n_in_state[RELEASE_FAILED] = 1;
	release.counts.n_missing = 1;
	(void)snprintf(
	    release.why.text, sizeof(release.why.text), "x is unknown there");
	gate_decide(&rules, &facts, &gate);
	assert_false(gate.is_open);
	assert_int_equal(gate.reasons[0].code, GATE_IMAGES_FAILED);
	assert_string_equal(
	    gate.reasons[0].text, "1 of 14 images failed: x is unknown there");
	assert_int_equal(gate.reasons[1].code, GATE_BYTES_MISSING);
}

static void
test_held(void **state)
{
	(void)state;
	(void)snprintf(release.held_by, sizeof(release.held_by), "anna");
	is_closed("held", "held by anna");
	release.held_by[0] = '\0';
	release.state = RELEASE_HELD;
	(void)snprintf(
	    release.why.text, sizeof(release.why.text), "missed its window");
	is_closed("held", "missed its window");
}

static void
test_frozen(void **state)
{
	(void)state;
	frozen = (struct freeze){ .is_on = true, .reason = "storm" };
	release.state = RELEASE_HELD; /* by the freeze: not told twice */
	is_closed("frozen", "until lifted: storm");
	frozen.until = NOW;
	is_closed("frozen", "until 2027-01-15T08:00:00.000Z: storm");
}

static void
test_lag(void **state)
{
	(void)state;
	rules.max_lag_ms = 60000;
	release.lag_s = 60;
	is_open();
	release.lag_s = 61;
	is_closed("lag_high", "61 s behind its publication, at most 60 s");
}

static void
test_clock_skew(void **state)
{
	(void)state;
	release.is_in_future = true;
	release.published_at = NOW + 300;
	is_open(); /* it is complete, whatever the clocks say */
	miss(1);
	gate_decide(&rules, &facts, &gate);
	assert_int_equal(gate.n_reasons, 2);
	assert_int_equal(gate.reasons[1].code, GATE_CLOCK_SKEW);
	assert_non_null(strstr(gate.reasons[1].text, "5 min ahead"));
}

static void
test_ratio(void **state)
{
	(void)state;
	facts.traffic.hits = 97;
	is_closed(
	    "hit_ratio_low", "97 % over 15 min (100 requests), at least 98 %");
	facts.traffic = (struct gate_traffic){ true, 1000000, 979999, 1, 1 };
	is_closed("hit_ratio_low", "97.99 %");
	facts.traffic = (struct gate_traffic){ true, 100, 100, 1000, 979 };
	is_closed("byte_ratio_low", "by bytes 97.9");
	facts.traffic.is_known = false;
	is_closed("ratio_unknown", "not counted");
}

static void
test_few_requests(void **state)
{
	(void)state;
	facts.traffic = (struct gate_traffic){ true, 49, 0, 49, 0 };
	is_skipped(2, "hit_ratio", "49 requests for it in 15 min, 50 are");
	facts.traffic = (struct gate_traffic){ true, 50, 49, 50, 49 };
	is_open();
	assert_int_equal(gate.n_skipped, 0);
	facts.traffic = (struct gate_traffic){ true, 0, 0, 0, 0 };
	rules.min_requests = 0;
	is_skipped(2, "hit_ratio", "0 requests");
	rules.require_ratio = true;
	is_closed("requests_few", "0 requests");
}

static void
test_errors(void **state)
{
	(void)state;
	upstream.errors = 5;
	is_open();
	upstream.errors = 6;
	is_closed("upstream_errors",
	    "6 of 100 requests to docker.io failed over 15 min (6 %), at most "
	    "5 %");
	upstream.requests = 49;
	upstream.errors = 49;
	is_skipped(1, "upstream_errors", "49 requests to docker.io");
	upstream.is_counted = false;
	is_closed("errors_unknown", "docker.io");
}

static void
test_links(void **state)
{
	(void)state;
	upstream.is_up = false;
	upstream.why = "link fibre is out of service";
	is_closed("link_down", "docker.io can't be reached: link fibre");
	rules.require_links = false;
	is_skipped(1, "links", "which is not asked");
}

static void
test_all_at_once(void **state)
{
	struct gate_upstream many[100];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		many[i] = upstream;
		many[i].is_up = false;
		many[i].why = "down";
	}
	facts.upstreams = many;
	facts.n_upstreams = 100;
	miss(3);
	frozen.is_on = true;
	release.lag_s = 1;
	facts.traffic.hits = 1;
	gate_decide(&rules, &facts, &gate);
	assert_int_equal(gate.n_reasons, GATE_REASONS_MAX);
	assert_int_equal(gate.reasons[0].code, GATE_BYTES_MISSING);
	assert_int_equal(gate.reasons[1].code, GATE_FROZEN);
	assert_int_equal(gate.reasons[2].code, GATE_LAG_HIGH);
	assert_int_equal(gate.reasons[3].code, GATE_RATIO_LOW);
	assert_int_equal(gate.reasons[4].code, GATE_LINK_DOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open, setup),
		cmocka_unit_test_setup(test_missing, setup),
		cmocka_unit_test_setup(test_unread, setup),
		cmocka_unit_test_setup(test_not_walked, setup),
		cmocka_unit_test_setup(test_not_pinned, setup),
		cmocka_unit_test_setup(test_failed, setup),
		cmocka_unit_test_setup(test_held, setup),
		cmocka_unit_test_setup(test_frozen, setup),
		cmocka_unit_test_setup(test_lag, setup),
		cmocka_unit_test_setup(test_clock_skew, setup),
		cmocka_unit_test_setup(test_ratio, setup),
		cmocka_unit_test_setup(test_few_requests, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_links, setup),
		cmocka_unit_test_setup(test_all_at_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
