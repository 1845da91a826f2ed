/*
 * test_zone.c - local time, by the machine's own zone files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/zone.h"

#define HOUR 3600

static struct zone zone;

static void
load(const char *name)
{
	struct err err;

	if (zone_load(&zone, name, &err) != 0)
		fail_msg("%s", err.text);
}

static void
dates(void **state)
{
	int64_t year;
	int month, day;

	(void)state;
	assert_int_equal(zone_days(1970, 1, 1), 0);
	assert_int_equal(zone_days(2000, 3, 1), 11017);
	for (int64_t days = -200000; days < 200000; days += 13) {
		zone_date(days, &year, &month, &day);
		assert_int_equal(zone_days(year, month, day), days);
	}
}

/* What libc says, for each hour around each change and each week else. */
static void
agrees(const char *name)
{
	time_t from = 0, to = 4102444800 + 40 * 365 * 86400ll;
	struct tm tm;

	load(name);
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
	for (time_t t = from; t < to; t += 31 * 7001) {
		assert_non_null(localtime_r(&t, &tm));
		if (zone_offset(&zone, t) != tm.tm_gmtoff)
			fail_msg("%s at %lld: %d, not %ld", name, (long long)t,
			    zone_offset(&zone, t), tm.tm_gmtoff);
	}
}

static void
agrees_with_libc(void **state)
{
	static const char *const names[] = { "Europe/Budapest", "Asia/Kolkata",
		"America/New_York", "America/St_Johns", "Australia/Lord_Howe",
		"Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran",
		"Europe/Dublin", "Pacific/Apia", "Etc/GMT+5", "UTC" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		agrees(names[i]);
}

/* 2026: 29 March 02:00 -> 03:00, 25 October 03:00 -> 02:00. */
static void
both_changes(void **state)
{
	int64_t spring = 1774746000, autumn = 1792890000;
	int64_t far = 4098000000; /* 2099, by the rule: 8 November */

	(void)state;
	load("Europe/Budapest");
	assert_int_equal(zone_offset(&zone, spring - 1), HOUR);
	assert_int_equal(zone_offset(&zone, spring), 2 * HOUR);
	assert_int_equal(zone_offset(&zone, autumn - 1), 2 * HOUR);
	assert_int_equal(zone_offset(&zone, autumn), HOUR);
	assert_int_equal(zone_offset(&zone, far), HOUR);
	assert_int_equal(zone_offset(&zone, far - 120 * 86400), 2 * HOUR);
}

static void
midnights(void **state)
{
	int64_t day = zone_days(2026, 3, 29);

	(void)state;
	load("Europe/Budapest");
	assert_int_equal(zone_midnight(&zone, day), day * 86400 - HOUR);
	assert_int_equal(
	    zone_midnight(&zone, day + 1), (day + 1) * 86400 - 2 * HOUR);
	load("America/Sao_Paulo"); /* no midnight on 4 November 2018 */
	day = zone_days(2018, 11, 4);
	assert_int_equal(zone_midnight(&zone, day), day * 86400 + 3 * HOUR);
}

/* Every prefix of a file, and every byte of it changed, is read or refused. */
static void
damaged(void **state)
{
	char bytes[8192], copy[8192];
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Budapest", "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	assert_int_equal(zone_parse(&zone, (struct str){ bytes, n }), 0);
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(
		    zone_parse(&zone, (struct str){ bytes, i }), -1);
	for (size_t i = 0; i < n; i++) {
		memcpy(copy, bytes, n);
		copy[i] = (char)(copy[i] ^ 0xff);
		(void)zone_parse(&zone, (struct str){ copy, n });
	}
}

static void
unknown(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(zone_load(&zone, "Europe/Atlantis", &err), -1);
	assert_non_null(strstr(err.text, "Europe/Atlantis"));
	assert_int_equal(zone_load(&zone, "tzdata.zi", &err), -1);
	assert_int_equal(zone_load(&zone, "Europe", &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(agrees_with_libc),
		cmocka_unit_test(both_changes),
		cmocka_unit_test(midnights),
		cmocka_unit_test(damaged),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
