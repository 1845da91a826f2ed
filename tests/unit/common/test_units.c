/*
 * test_units.c - amounts as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/units.h"

#define UNTOUCHED 4711

typedef bool parse_fn(struct str, uint64_t *);

static void
gives(parse_fn *parse, const char *text, uint64_t expected)
{
	uint64_t value = UNTOUCHED;

	if (!parse(str_of(text), &value))
		fail_msg("\"%s\" is refused", text);
	if (value != expected)
		fail_msg("\"%s\" gives %ju, not %ju", text, (uintmax_t)value,
		    (uintmax_t)expected);
}

static void
refuses(parse_fn *parse, const char *const *texts)
{
	uint64_t value = UNTOUCHED;

	for (; *texts != NULL; texts++) {
		if (parse(str_of(*texts), &value))
			fail_msg("\"%s\" is taken", *texts);
		assert_int_equal(value, UNTOUCHED);
	}
}

static void
test_rates(void **state)
{
	static const char *const wrong[] = { "", "fast", "200", "Mbit", "-1bit",
		"1.Mbit", ".5Mbit", "200MBit/s", "200Mbps", "200 Mbit",
		"200Mbit ", "8Mib", "99999999Tbit", "18446744073709551616bit",
		"Unlimited", "1Mbit1bit", NULL };

	(void)state;
	gives(units_rate, "200Mbit", 25000000);
	gives(units_rate, "8Mbit", 1000000);
	gives(units_rate, "1Gbit", 125000000);
	gives(units_rate, "500kbit", 62500);
	gives(units_rate, "500Kbit", 62500);
	gives(units_rate, "1TBIT", 125000000000);
	gives(units_rate, "10bit", 1);
	gives(units_rate, "0bit", 0);
	gives(units_rate, "0", 0);
	gives(units_rate, "off", 0);
	gives(units_rate, "2.5Gbit", 312500000);
	gives(units_rate, "0.000001Mbit", 0);
	gives(units_rate, "unlimited", RATE_UNLIMITED);
	refuses(units_rate, wrong);
}

static void
test_sizes(void **state)
{
	static const char *const wrong[] = { "", "big", "GiB", "1G", "1Gi",
		"1gib", "1Mb", "-1", "1.5.5MB", "1 MB", "18446744073709551616",
		"16384PiB", "18446744073709551615.5kB", NULL };

	(void)state;
	gives(units_size, "60MB", 60000000);
	gives(units_size, "200GiB", 200ull << 30);
	gives(units_size, "16KiB", 16384);
	gives(units_size, "1kB", 1000);
	gives(units_size, "1KB", 1000);
	gives(units_size, "512", 512);
	gives(units_size, "512B", 512);
	gives(units_size, "0", 0);
	gives(units_size, "1.5KiB", 1536);
	gives(units_size, "0.9999999B", 0);
	gives(units_size, "2.000001MB", 2000001);
	gives(units_size, "16383PiB", 16383ull << 50);
	gives(units_size, "18446744073709551615", UINT64_MAX);
	refuses(units_size, wrong);
}

static void
test_durations(void **state)
{
	static const char *const wrong[] = { "", "soon", "30", "s", "5min",
		"1w", "-5s", "1h 30m", "00", "1h30", "5M", "213503982335d",
		NULL };
	static const char *const no_seconds[] = { "500ms", "1.5s", "5", "",
		NULL };

	(void)state;
	gives(units_duration, "30s", 30000);
	gives(units_duration, "500ms", 500);
	gives(units_duration, "5m", 300000);
	gives(units_duration, "2h", 7200000);
	gives(units_duration, "7d", 604800000);
	gives(units_duration, "0s", 0);
	gives(units_duration, "0", 0);
	gives(units_duration, "1h30m", 5400000);
	gives(units_duration, "1.5h", 5400000);
	gives(units_duration, "213503982334d", 213503982334u * 86400000u);
	refuses(units_duration, wrong);

	gives(units_seconds, "5m", 300);
	gives(units_seconds, "0s", 0);
	gives(units_seconds, "1000ms", 1);
	refuses(units_seconds, no_seconds);
}

static void
test_shares(void **state)
{
	static const char *const no_percent[] = { "", "5", "%", "-5%", "5 %",
		"5%%", "18446744073709551615%", NULL };
	static const char *const no_ratio[] = { "", "1.1", "2", "98%", "0,5",
		"1.000001", "one", NULL };

	(void)state;
	gives(units_percent, "5%", 50000);
	gives(units_percent, "0%", 0);
	gives(units_percent, "0.5%", 5000);
	gives(units_percent, "150%", 1500000);
	refuses(units_percent, no_percent);

	gives(units_ratio, "0.98", 980000);
	gives(units_ratio, "0", 0);
	gives(units_ratio, "1", 1000000);
	gives(units_ratio, "1.0", 1000000);
	gives(units_ratio, "0.9999999", 999999);
	refuses(units_ratio, no_ratio);
}

static void
test_times(void **state)
{
	static const char *const wrong[] = { "", "8:00", "08:60", "24:01",
		"25:00", "0800", "08-00", "08:0a", "08:00:00", "+8:00", NULL };

	(void)state;
	gives(units_time, "00:00", 0);
	gives(units_time, "08:00", 480);
	gives(units_time, "23:59", 1439);
	gives(units_time, "24:00", 1440);
	refuses(units_time, wrong);
}

static void
test_days(void **state)
{
	static const char *const wrong[] = { "", "monday", "mon-", "-mon",
		"mon,", ",mon", "mon-tue-wed", "mon;tue", "al", NULL };

	(void)state;
	gives(units_days, "mon", 0x01);
	gives(units_days, "sun", 0x40);
	gives(units_days, "mon-sat", 0x3f);
	gives(units_days, "mon,wed", 0x05);
	gives(units_days, "mon, wed , fri-sat", 0x35);
	gives(units_days, "sat-mon", 0x61);
	gives(units_days, "tue-tue", 0x02);
	gives(units_days, "Mon-Sun", 0x7f);
	gives(units_days, "all", 0x7f);
	refuses(units_days, wrong);
}

static void
test_bools(void **state)
{
	static const char *const wrong[] = { "", "1", "0", "y", "enabled",
		"null", NULL };

	(void)state;
	gives(units_bool, "on", 1);
	gives(units_bool, "off", 0);
	gives(units_bool, "true", 1);
	gives(units_bool, "False", 0);
	gives(units_bool, "YES", 1);
	gives(units_bool, "no", 0);
	refuses(units_bool, wrong);
}

static void
moment_is(const char *text, int64_t expected)
{
	int64_t out = 0;

	if (!units_moment(str_of(text), &out))
		fail_msg("%s is refused", text);
	assert_int_equal(out, expected);
}

static void
test_moments(void **state)
{
	static const char *const wrong[] = { "", "2026-11-22",
		"2026-11-22T02:00:00", "2026-11-31T02:00:00Z",
		"2026-13-01T02:00:00Z", "2026-11-22T24:00:00Z",
		"2026-11-22T02:00Z", "2026-11-22T02:00:00.Z",
		"2026-11-22T02:00:00+1:00", "2026-11-22T02:00:00Zx",
		"1970-01-01T00:00:00Z", "soon", NULL };
	int64_t out = 7;

	(void)state;
	moment_is("2026-11-22T02:00:00Z", 1795312800);
	moment_is("2026-11-22 03:00:00.999+01:00", 1795312800);
	moment_is("2026-11-21T20:30:00-05:30", 1795312800);
	moment_is("2028-02-29T00:00:00z", 1835395200);
	for (int i = 0; wrong[i] != NULL; i++)
		if (units_moment(str_of(wrong[i]), &out))
			fail_msg("%s is taken", wrong[i]);
	assert_int_equal(out, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_bools),
		cmocka_unit_test(test_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
