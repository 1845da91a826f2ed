/*
 * clock.c - what time it is, and how to write it down.
 *
 * No strftime(): names of days and months must not follow a locale, and the
 * log writes a time with every line.
 */
#include "common/clock.h"

#include <string.h>
#include <time.h>

#include "common/check.h"

/* What four digits of a year can show: until 9999-12-31T23:59:59Z. */
#define WALL_MAX_S 253402300799

static struct timespec
clock_read(clockid_t id)
{
	struct timespec t;

	check(clock_gettime(id, &t) == 0);
	return t;
}

uint64_t
clock_mono_ms(void)
{
	struct timespec t = clock_read(CLOCK_MONOTONIC_COARSE);

	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
clock_mono_us(void)
{
	struct timespec t = clock_read(CLOCK_MONOTONIC);

	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t
clock_wall_s(void)
{
	return clock_read(CLOCK_REALTIME).tv_sec;
}

int64_t
clock_wall_ms(void)
{
	struct timespec t = clock_read(CLOCK_REALTIME);

	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct tm
utc(int64_t wall_s)
{
	time_t t = wall_s;
	struct tm tm;

	if (wall_s < 0)
		t = 0;
	if (wall_s > WALL_MAX_S)
		t = WALL_MAX_S;
	check(gmtime_r(&t, &tm) != NULL);
	return tm;
}

/* The last N decimal digits of VALUE; no NUL. */
static void
put_digits(char *at, int n, int value)
{
	for (; n > 0; value /= 10)
		at[--n] = (char)('0' + value % 10);
}

static void
put_time(char *at, const struct tm *tm)
{
	memcpy(at, "00:00:00", 8);
	put_digits(at, 2, tm->tm_hour);
	put_digits(at + 3, 2, tm->tm_min);
	put_digits(at + 6, 2, tm->tm_sec);
}

const char *
clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	struct tm tm = utc(wall_ms / 1000);

	memcpy(out, "0000-00-00T00:00:00.000Z", 25);
	put_digits(out, 4, tm.tm_year + 1900);
	put_digits(out + 5, 2, tm.tm_mon + 1);
	put_digits(out + 8, 2, tm.tm_mday);
	put_time(out + 11, &tm);
	put_digits(out + 20, 3, wall_ms < 0 ? 0 : (int)(wall_ms % 1000));
	return out;
}

const char *
clock_http_date(int64_t wall_s, char out[CLOCK_TEXT_MAX])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = utc(wall_s);

	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", 30);
	memcpy(out, days + 3 * tm.tm_wday, 3);
	put_digits(out + 5, 2, tm.tm_mday);
	memcpy(out + 8, months + 3 * tm.tm_mon, 3);
	put_digits(out + 12, 4, tm.tm_year + 1900);
	put_time(out + 17, &tm);
	return out;
}
