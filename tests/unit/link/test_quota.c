/*
 * test_quota.c - months of a metered link, with restarts and lost power.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/quota.h"
#include "settings.h"

#define METERED "rate: 8Mbit, timezone: Europe/Budapest, quota: "
#define PIECE 16384ull
#define MICRO 1000000ull
#define MIB (1ull << 20)

static struct quota quota;
static char disk[QUOTA_TEXT_MAX]; /* what was written last */

static void
write_down(void)
{
	char text[QUOTA_TEXT_MAX];

	if (!quota_wants(&quota, text))
		return;
	memcpy(disk, text, sizeof(disk));
	quota_written(&quota, true);
}

/* Spends as CLASS until there is a no, or MOST bytes; returns how many. */
static uint64_t
spend(enum link_class class, uint64_t most)
{
	uint64_t n = 0;

	while (n < most && quota_may(&quota, class) != QUOTA_NO) {
		write_down();
		assert_int_equal(quota_may(&quota, class), QUOTA_YES);
		quota_spend(&quota, PIECE * MICRO);
		n += PIECE;
	}
	return n;
}

static void
restart(const struct config_link *link, int64_t now)
{
	struct err err;

	quota_init(&quota, link, now);
	assert_int_equal(quota_read(&quota, str_of(disk), now, &err), 0);
}

static void
nothing_before_it_is_written(void **state)
{
	char text[QUOTA_TEXT_MAX];

	(void)state;
	quota_init(&quota, settings(METERED "{bytes: 20GiB}"),
	    utc(2026, 11, 22, 12, 0));
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_LATER);
	assert_true(quota_wants(&quota, text));
	assert_string_equal(
	    text, "railhead quota 1 month 2026-11-01 spent 1250000\n");
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_LATER);
	assert_false(quota_wants(&quota, text)); /* one at a time */
	quota_written(&quota, false);            /* a broken disk */
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_LATER);
	assert_true(quota_wants(&quota, text));
	quota_written(&quota, true);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_YES);
}

static void
the_reserve_is_for_pulls(void **state)
{
	int64_t now = utc(2026, 11, 22, 12, 0);
	uint64_t low, high;

	(void)state;
	quota_init(
	    &quota, settings(METERED "{bytes: 1GiB, reserve: 256MiB}"), now);
	low = spend(CLASS_PREWARM, UINT64_MAX);
	assert_in_range(low, 766 * MIB, 768 * MIB);
	assert_int_equal(quota_may(&quota, CLASS_REPAIR), QUOTA_NO);
	assert_int_equal(quota_may(&quota, CLASS_REFRESH), QUOTA_NO);
	high = spend(CLASS_PULL, UINT64_MAX);
	assert_in_range(low + high, 1022 * MIB, 1024 * MIB);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_NO);
}

/* Power is lost every hour of the month, each time with bytes in the kernel that
 * had crossed the link; never is too little counted. */
static void
a_month_of_lost_power(void **state)
{
	const struct config_link *link = settings(METERED "{bytes: 1GiB}");
	int64_t now = utc(2026, 11, 1, 0, 0);
	uint64_t spent = 0, n;

	(void)state;
	quota_init(&quota, link, now);
	for (; now < utc(2026, 11, 30, 22, 0); now += 3600) {
		quota_look(&quota, now);
		n = spend(CLASS_PULL, MIB);
		spent += n + (n > 0 ? quota_ahead(&quota) : 0);
		restart(link, now);
		assert_true(1024 * MIB - quota_left(&quota) >= spent);
	}
	assert_in_range(spent, 400 * MIB, 1024 * MIB);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_NO);
}

static void
months(void **state)
{
	const struct config_link *link =
	    settings(METERED "{bytes: 1GiB, resets_on: 15}");

	(void)state;
	quota_init(&quota, link, utc(2026, 12, 20, 0, 0));
	(void)spend(CLASS_PULL, 100 * MIB);
	assert_int_equal(quota.next_at, utc(2027, 1, 14, 23, 0));
	quota_look(&quota, utc(2027, 1, 14, 22, 59));
	assert_int_equal(quota_left(&quota), 924 * MIB);
	quota_look(&quota, utc(2027, 1, 14, 23, 0));
	assert_int_equal(quota_left(&quota), 1024 * MIB);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_LATER);
	/* a clock that is set back */
	(void)spend(CLASS_PULL, 100 * MIB);
	quota_look(&quota, utc(2026, 12, 25, 0, 0));
	assert_int_equal(quota_left(&quota), 924 * MIB);
	quota_look(&quota, utc(2027, 1, 20, 0, 0));
	assert_int_equal(quota_left(&quota), 924 * MIB);
	/* down over the reset: in summer, at its own midnight */
	(void)spend(CLASS_PULL, MIB);
	restart(link, utc(2027, 7, 14, 21, 59));
	assert_int_equal(quota_left(&quota), 1024 * MIB);
	assert_int_equal(quota.next_at, utc(2027, 7, 14, 22, 0));
}

/* An advance that was asked for in the old month is worth nothing. */
static void
an_advance_over_the_reset(void **state)
{
	char text[QUOTA_TEXT_MAX];

	(void)state;
	quota_init(&quota, settings(METERED "{bytes: 1GiB}"),
	    utc(2026, 11, 30, 22, 59));
	assert_true(quota_wants(&quota, text));
	quota_look(&quota, utc(2026, 11, 30, 23, 0));
	quota_written(&quota, true);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_LATER);
	assert_true(quota_wants(&quota, text));
	assert_non_null(strstr(text, "2026-12-01 "));
}

static void
another_configuration(void **state)
{
	(void)state;
	quota_init(
	    &quota, settings(METERED "{bytes: 1GiB}"), utc(2026, 11, 20, 0, 0));
	(void)spend(CLASS_PULL, 100 * MIB);
	quota_set(&quota, settings(METERED "{bytes: 1GiB, resets_on: 15}"),
	    utc(2026, 11, 20, 0, 0));
	assert_int_equal(quota_left(&quota), 924 * MIB);
	quota_set(&quota, settings(METERED "{bytes: 50MiB, resets_on: 25}"),
	    utc(2026, 11, 20, 0, 0));
	assert_int_equal(quota_left(&quota), 0);
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_NO);
	quota_set(&quota, settings("rate: 8Mbit"), utc(2026, 11, 20, 0, 0));
	assert_int_equal(quota_may(&quota, CLASS_PULL), QUOTA_YES);
	quota_set(
	    &quota, settings(METERED "{bytes: 1GiB}"), utc(2027, 1, 20, 0, 0));
	assert_int_equal(quota_left(&quota), 1024 * MIB);
}

static void
damaged_texts(void **state)
{
	static const char *const texts[] = { "", "\n", "0",
		"railhead quota 1 month 2026-11-01 spent \n",
		"railhead quota 1 month 2026-11-01 spent 5",
		"railhead quota 1 month 2026-13-01 spent 5\n",
		"railhead quota 1 month 2026-11-31 spent 5\n",
		"railhead quota 2 month 2026-11-01 spent 5\n",
		"railhead quota 1 month 2026-11-01 spent 5\nx",
		"railhead quota 1 month 2026-11-01 spent "
		"99999999999999999999999999999999999999999999999999999999\n" };
	struct err err;

	(void)state;
	quota_init(
	    &quota, settings(METERED "{bytes: 1GiB}"), utc(2026, 11, 20, 0, 0));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (quota_read(&quota, str_of(texts[i]),
			utc(2026, 11, 20, 0, 0), &err) == 0)
			fail_msg("taken: %s", texts[i]);
	assert_int_equal(quota_left(&quota), 1024 * MIB);
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
		cmocka_unit_test(nothing_before_it_is_written),
		cmocka_unit_test(the_reserve_is_for_pulls),
		cmocka_unit_test(a_month_of_lost_power),
		cmocka_unit_test(months),
		cmocka_unit_test(an_advance_over_the_reset),
		cmocka_unit_test(another_configuration),
		cmocka_unit_test(damaged_texts),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, tear_down);
}
