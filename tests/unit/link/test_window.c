/*
 * test_window.c - windows on the clock of Budapest, over both of its changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link/window.h"
#include "settings.h"

#define ZONE "timezone: Europe/Budapest, windows: "

static const struct config_link *link;

static void
is_open(int64_t at, bool expected)
{
	assert_int_equal(window_at(link, at) != NULL, expected);
}

static void
changes(int64_t from, int64_t at)
{
	assert_int_equal(window_next_change(link, from), at);
}

static void
office_hours(void **state)
{
	(void)state;
	link = settings(ZONE "[{days: mon-sat, from: \"08:00\", "
			     "to: \"21:00\", rate: 80Mbit}]");
	is_open(utc(2026, 11, 23, 6, 59), false); /* Monday, 07:59 */
	is_open(utc(2026, 11, 23, 7, 0), true);
	is_open(utc(2026, 11, 23, 19, 59), true);
	is_open(utc(2026, 11, 23, 20, 0), false);
	is_open(utc(2026, 11, 22, 12, 0), false); /* Sunday */
	changes(utc(2026, 11, 21, 20, 0), utc(2026, 11, 23, 7, 0));
	changes(utc(2026, 11, 23, 7, 0), utc(2026, 11, 23, 20, 0));
	/* the same clock on the wall, another in UTC */
	is_open(utc(2026, 7, 20, 5, 59), false);
	is_open(utc(2026, 7, 20, 6, 0), true);
}

static void
over_midnight(void **state)
{
	(void)state;
	link = settings(
	    ZONE "[{days: fri, from: \"22:00\", to: \"06:00\", rate: 1Mbit}]");
	is_open(utc(2026, 11, 20, 20, 59), false); /* Friday */
	is_open(utc(2026, 11, 20, 21, 0), true);
	is_open(utc(2026, 11, 21, 4, 59), true); /* Saturday, 05:59 */
	is_open(utc(2026, 11, 21, 5, 0), false);
	is_open(utc(2026, 11, 20, 4, 0), false); /* Thursday's night */
	is_open(utc(2026, 11, 21, 22, 0), false);
	changes(utc(2026, 11, 20, 21, 0), utc(2026, 11, 21, 5, 0));
	changes(utc(2026, 11, 21, 5, 0), utc(2026, 11, 27, 21, 0));
}

/* A night is 7 hours long in March and 9 in October. */
static void
changes_of_the_clock(void **state)
{
	(void)state;
	link = settings(
	    ZONE "[{days: all, from: \"22:00\", to: \"06:00\", rate: 1Mbit}]");
	changes(utc(2026, 3, 28, 21, 0), utc(2026, 3, 29, 4, 0));
	changes(utc(2026, 10, 24, 20, 0), utc(2026, 10, 25, 5, 0));
	link = settings(
	    ZONE "[{days: all, from: \"02:15\", to: \"02:45\", rate: 1Mbit}]");
	/* skipped in March */
	changes(utc(2026, 3, 28, 1, 45), utc(2026, 3, 30, 0, 15));
	/* twice in October */
	changes(utc(2026, 10, 24, 23, 0), utc(2026, 10, 25, 0, 15));
	changes(utc(2026, 10, 25, 0, 45), utc(2026, 10, 25, 1, 15));
	is_open(utc(2026, 10, 25, 0, 30), true);
	is_open(utc(2026, 10, 25, 1, 30), true);
}

static void
always_and_never(void **state)
{
	(void)state;
	link = settings(ZONE "[{rate: 1Mbit}]");
	is_open(utc(2026, 3, 29, 1, 0), true);
	changes(utc(2026, 3, 28, 0, 0), 0);
	link = settings("rate: 1Mbit");
	is_open(utc(2026, 3, 29, 1, 0), false);
	changes(utc(2026, 3, 28, 0, 0), 0);
}

/* The change that is told is the first minute at which the answer differs. */
static void
told_changes_are_the_changes(void **state)
{
	int64_t at = utc(2026, 3, 1, 0, 0), until = utc(2026, 11, 30, 0, 0);

	(void)state;
	link = settings(ZONE "[{days: mon-fri, from: \"07:30\", to: \"18:00\", "
			     "rate: 1Mbit}, {days: \"mon,wed,sun\", from: "
			     "\"23:30\", to: \"02:30\", rate: 2Mbit}]");
	while (at < until) {
		int64_t next = window_next_change(link, at);

		assert_ptr_equal(
		    window_at(link, next - 1), window_at(link, at));
		assert_ptr_not_equal(
		    window_at(link, next), window_at(link, at));
		at = next;
	}
}

static int
tear_down(void **state)
{
	(void)state;
	settings_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(office_hours),
		cmocka_unit_test(over_midnight),
		cmocka_unit_test(changes_of_the_clock),
		cmocka_unit_test(always_and_never),
		cmocka_unit_test(told_changes_are_the_changes),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, tear_down);
}
