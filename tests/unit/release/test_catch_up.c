/*
 * test_catch_up.c - being offline while the window passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "release_int.h"

#define NOW 1800000000
#define HOUR 3600
#define DAY (24 * HOUR)

static struct releases releases = { .is_closing = true }; /* writes nothing */
static struct release_list list;
static struct release release;

static int
setup(void **state)
{
	(void)state;
	list = (struct release_list){ .not_before = NOW,
		.deadline = NOW + 4 * HOUR };
	release = (struct release){ .releases = &releases, .list = &list };
	return 0;
}

static void
in_time(void **state)
{
	(void)state;
	catch_up_look(&release, true, NOW + 4 * HOUR);
	assert_false(release.record.has_missed);
	assert_false(release.record.is_caught);
}

static void
under_way_goes_on(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_HOLD;
	catch_up_look(&release, false, NOW + 5 * HOUR);
	assert_false(release.record.has_missed);
	assert_false(release.record.is_on_hold);
	catch_up_look(&release, true, NOW + 6 * HOUR); /* decided once */
	assert_false(release.record.has_missed);
}

static void
immediate(void **state)
{
	(void)state;
	catch_up_look(&release, true, NOW + 5 * HOUR);
	assert_true(release.record.has_missed);
	assert_false(release.record.is_on_hold);
	assert_int_equal(release.record.window_at, 0);
}

static void
hold(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_HOLD;
	catch_up_look(&release, true, NOW + 5 * HOUR);
	assert_true(release.record.has_missed);
	assert_true(release.record.is_on_hold);
}

static void
window(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_WINDOW;
	catch_up_look(&release, true, NOW + 5 * HOUR);
	assert_true(release.record.has_missed);
	assert_int_equal(release.record.window_at, NOW + DAY);
	catch_up_look(&release, true, NOW + DAY + 3 * HOUR);
	assert_int_equal(release.record.window_at, NOW + DAY);
	catch_up_look(&release, true, NOW + DAY + 5 * HOUR);
	assert_int_equal(release.record.window_at, NOW + 2 * DAY);
}

/* Days later, and in the middle of the hours: at once. */
static void
back_inside_a_later_window(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_WINDOW;
	release.is_just_back = true;
	catch_up_look(&release, false, NOW + 3 * DAY + HOUR);
	assert_int_equal(release.record.window_at, NOW + 3 * DAY);
	assert_false(release.is_just_back);
}

static void
back_but_not_walked_yet(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_HOLD;
	release.is_just_back = true;
	release.n_dirty = 1;
	catch_up_look(&release, false, NOW + 5 * HOUR);
	assert_false(release.record.has_missed);
	assert_true(release.is_just_back);
}

static void
complete_misses_nothing(void **state)
{
	(void)state;
	list.catch_up = CATCH_UP_HOLD;
	release.is_just_back = true;
	release.is_complete = true;
	catch_up_look(&release, false, NOW + 5 * HOUR);
	assert_false(release.record.has_missed);
}

static void
no_deadline(void **state)
{
	(void)state;
	list.deadline = 0;
	list.catch_up = CATCH_UP_HOLD;
	catch_up_look(&release, true, NOW + 365 * DAY);
	assert_false(release.record.has_missed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_time, setup),
		cmocka_unit_test_setup(under_way_goes_on, setup),
		cmocka_unit_test_setup(immediate, setup),
		cmocka_unit_test_setup(hold, setup),
		cmocka_unit_test_setup(window, setup),
		cmocka_unit_test_setup(back_inside_a_later_window, setup),
		cmocka_unit_test_setup(back_but_not_walked_yet, setup),
		cmocka_unit_test_setup(complete_misses_nothing, setup),
		cmocka_unit_test_setup(no_deadline, setup),
	};

	return cmocka_run_group_tests_name("catch_up", tests, NULL, NULL);
}
