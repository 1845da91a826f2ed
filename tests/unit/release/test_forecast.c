/*
 * test_forecast.c - when bytes would be over a link, by its windows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../link/settings.h"
#include "common/units.h"
#include "release/forecast.h"

#define MB 1000000u
#define DAY 86400

/* A Monday, midnight. */
static int64_t
monday(void)
{
	return utc(2026, 11, 23, 0, 0);
}

static struct forecast_link
link_of(const char *yaml)
{
	return (struct forecast_link){ .link = settings(yaml) };
}

static void
takes(const struct forecast_link *l, uint64_t bytes, int64_t from, int64_t s)
{
	struct forecast f = forecast_link(l, bytes, from);

	assert_int_equal(f.why, FORECAST_DONE);
	assert_int_equal(f.done_at - from, s);
}

static void
never(const struct forecast_link *l, uint64_t bytes, enum forecast_why why)
{
	struct forecast f = forecast_link(l, bytes, monday());

	assert_int_equal(f.why, why);
	assert_true(f.done_at == FORECAST_NEVER);
	assert_true(forecast_why_text(why)[0] != '\0');
}

static void
test_rates(void **state)
{
	struct forecast_link none = { .link = NULL }, l;

	(void)state;
	takes(&none, 1000 * MB, monday(), 0);
	l = link_of("rate: 8Mbit, overhead: 0%");
	takes(&l, 10 * MB, monday(), 10);
	takes(&l, 10 * MB + 1, monday(), 11);
	takes(&l, 0, monday(), 0);
	l = link_of("rate: 8Mbit, overhead: 10%");
	takes(&l, 10 * MB, monday(), 11);
	l = link_of("rate: 80Mbit, prewarm: 8Mbit, overhead: 0%");
	takes(&l, 10 * MB, monday(), 10);
	l = link_of("rate: 8Mbit, prewarm: 80Mbit, overhead: 0%");
	takes(&l, 10 * MB, monday(), 10);
	l = link_of("rate: unlimited");
	takes(&l, UINT64_MAX / 4, monday(), 0);
}

#define OFFICE                                                                 \
	"rate: 80Mbit, overhead: 0%, windows: [{days: mon-fri, from: "         \
	"\"08:00\", to: \"20:00\", prewarm: off}]"

static void
test_windows(void **state)
{
	struct forecast_link l = link_of(OFFICE);
	int64_t at_seven = monday() + 7 * 3600;

	(void)state;
	/* 10 MB a second: an hour is 36 GB. */
	takes(&l, 36000ull * MB, at_seven, 3600);
	takes(&l, 36000ull * MB + 1, at_seven, 13 * 3600 + 1);
	takes(&l, 10 * MB, at_seven + 3600, 12 * 3600 + 1);
	assert_int_equal(forecast_rate_at(&l, at_seven), 10 * MB);
	assert_int_equal(forecast_rate_at(&l, at_seven + 3600), 0);
	assert_int_equal(forecast_rate_in(&l, &l.link->windows[0]), 0);
	assert_int_equal(forecast_rate_in(&l, NULL), 10 * MB);
}

static void
test_only_in_a_window(void **state)
{
	struct forecast_link l = link_of(
	    "rate: 80Mbit, prewarm: off, overhead: 0%, timezone: "
	    "Europe/Budapest, windows: [{days: sat, from: \"22:00\", to: "
	    "\"02:00\", prewarm: 8Mbit}]");
	int64_t saturday = utc(2026, 11, 28, 21, 0);

	(void)state;
	takes(&l, 60 * MB, monday(), saturday + 60 - monday());
	/* Four hours a week are 14,400 MB. */
	takes(&l, 14401ull * MB, monday(), saturday + 7 * DAY + 1 - monday());
}

static void
test_operators_word(void **state)
{
	struct forecast_link l = link_of(OFFICE);

	(void)state;
	l.has_prewarm = true;
	l.prewarm = 1 * MB;
	takes(&l, 10 * MB, monday() + 12 * 3600, 10);
	l.has_rate = true;
	l.rate = MB / 2;
	takes(&l, 10 * MB, monday() + 12 * 3600, 20);
	l.is_down = true;
	never(&l, MB, FORECAST_DOWN);
}

static void
test_never(void **state)
{
	struct forecast_link l = link_of("rate: 8Mbit, prewarm: off");

	(void)state;
	never(&l, 1, FORECAST_OFF);
	assert_int_equal(forecast_link(&l, 0, monday()).why, FORECAST_DONE);
	l = link_of("rate: 8bit");
	never(&l, 10 * MB, FORECAST_TOO_LONG);
}

static void
test_quota(void **state)
{
	struct forecast_link l = link_of(
	    "rate: 8Mbit, overhead: 0%, quota: {bytes: 100MB, reserve: 20MB}");

	(void)state;
	l.quota_left = 50 * MB;
	l.quota_resets_at = monday() + 5 * DAY;
	takes(&l, 30 * MB, monday(), 30);
	takes(&l, 31 * MB, monday(), 5 * DAY + 1);
	takes(&l, 110 * MB, monday(), 5 * DAY + 80);
	l.quota_left = 10 * MB;
	takes(&l, 1 * MB, monday(), 5 * DAY + 1);
	never(&l, 400 * MB, FORECAST_QUOTA);
}

static int
teardown(void **state)
{
	(void)state;
	settings_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_only_in_a_window),
		cmocka_unit_test(test_operators_word),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_quota),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
