/*
 * amount.c - amounts as people read them.
 */
#include "common/amount.h"

#include <stdio.h>

#include "common/units.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

/* Three digits that count, in the largest unit that leaves one before the
 * point. */
static const char *
scaled(double n, double step, const char *const *units, char *out)
{
	while (n >= step && units[1] != NULL) {
		n /= step;
		units++;
	}
	if (n >= 100)
		(void)snprintf(out, AMOUNT_TEXT_MAX, "%.0f %s", n, *units);
	else
		(void)snprintf(out, AMOUNT_TEXT_MAX, "%.3g %s", n, *units);
	return out;
}

const char *
amount_bytes(uint64_t bytes, char out[AMOUNT_TEXT_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
		"PiB", NULL };

	return scaled((double)bytes, 1024, units, out);
}

const char *
amount_rate(uint64_t rate, char out[AMOUNT_TEXT_MAX])
{
	static const char *const units[] = { "bit", "kbit", "Mbit", "Gbit",
		"Tbit", NULL };

	if (rate == 0 || rate == RATE_UNLIMITED) {
		(void)snprintf(out, AMOUNT_TEXT_MAX, "%s",
		    rate == 0 ? "off" : "unlimited");
		return out;
	}
	return scaled((double)rate * 8, 1000, units, out);
}

static int64_t
up(int64_t n, int64_t step)
{
	return (n + step - 1) / step;
}

static const char *
two(int64_t a, const char *a_unit, int64_t b, const char *b_unit, char *out)
{
	if (b == 0)
		(void)snprintf(
		    out, AMOUNT_TEXT_MAX, "%lld %s", (long long)a, a_unit);
	else
		(void)snprintf(out, AMOUNT_TEXT_MAX, "%lld %s %lld %s",
		    (long long)a, a_unit, (long long)b, b_unit);
	return out;
}

const char *
amount_duration(int64_t s, char out[AMOUNT_TEXT_MAX])
{
	int64_t minutes, hours;

	if (s < 0)
		s = 0;
	if (s > INT64_MAX - DAY)
		s = INT64_MAX - DAY;
	minutes = up(s, MINUTE);
	hours = up(s, HOUR);
	if (s < 2 * MINUTE)
		return two(s, "s", 0, "", out);
	if (minutes < 60)
		return two(minutes, "min", 0, "", out);
	if (minutes < 48 * 60)
		return two(minutes / 60, "h", minutes % 60, "min", out);
	return two(hours / 24, "d", hours % 24, "h", out);
}

const char *
amount_percent(uint64_t millionths, char out[AMOUNT_TEXT_MAX])
{
	uint64_t whole = millionths / 10000, part = millionths % 10000 / 100;

	if (part == 0)
		(void)snprintf(
		    out, AMOUNT_TEXT_MAX, "%llu %%", (unsigned long long)whole);
	else
		(void)snprintf(out, AMOUNT_TEXT_MAX, "%llu.%02llu %%",
		    (unsigned long long)whole, (unsigned long long)part);
	return out;
}
