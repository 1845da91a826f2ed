/*
 * zone.c - TZif files and the rules of POSIX's TZ that stand in their footers.
 *
 * A file has the same twice: with 32-bit times for old readers, and, from
 * version 2 on, with 64-bit times and the footer; only the second is read.
 */
#include "common/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/usr/share/zoneinfo"
#define FILE_MAX_BYTES (64u << 10)
#define HEADER_BYTES 44
#define TYPES_MAX 256
#define DAY_S 86400

/* ---- the calendar (proleptic Gregorian, from 1 March on) ----------------- */

int64_t
zone_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

	of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1;
	return era * 146097 + of_era - 719468;
}

void
zone_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static bool
is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* 0: Sunday, as in TZ. */
static int
weekday(int64_t days)
{
	return (int)(((days + 4) % 7 + 7) % 7);
}

/* ---- rules: "CET-1CEST,M3.5.0,M10.5.0/3" -------------------------------- */

static bool
eat(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

static bool
read_number(struct str *s, int max, int *out)
{
	int n = 0;
	size_t digits = 0;

	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		n = n * 10 + (s->p[0] - '0');
		if (n > max)
			return false;
		*s = str_from(*s, 1);
		digits++;
	}
	*out = n;
	return digits > 0;
}

/* "CET" or "<+0330>" */
static bool
skip_name(struct str *s)
{
	size_t n = 0;

	if (eat(s, '<')) {
		n = str_index(*s, '>');
		if (n == s->n)
			return false;
		*s = str_from(*s, n + 1);
		return true;
	}
	while (n < s->n &&
	    ((s->p[n] >= 'A' && s->p[n] <= 'Z') ||
		(s->p[n] >= 'a' && s->p[n] <= 'z')))
		n++;
	*s = str_from(*s, n);
	return n > 0;
}

/* "[+-]hh[:mm[:ss]]" */
static bool
read_clock(struct str *s, int32_t *out)
{
	int h = 0, m = 0, sec = 0;
	int sign = eat(s, '-') ? -1 : 1;

	if (sign > 0)
		(void)eat(s, '+');
	if (!read_number(s, 167, &h))
		return false;
	if (eat(s, ':') && !read_number(s, 59, &m))
		return false;
	if (eat(s, ':') && !read_number(s, 59, &sec))
		return false;
	*out = sign * (h * 3600 + m * 60 + sec);
	return true;
}

static bool
read_month_day(struct str *s, struct zone_date *d)
{
	d->kind = ZONE_MONTH;
	return read_number(s, 12, &d->month) && d->month > 0 && eat(s, '.') &&
	    read_number(s, 5, &d->week) && d->week > 0 && eat(s, '.') &&
	    read_number(s, 6, &d->day);
}

static bool
read_date(struct str *s, struct zone_date *d)
{
	bool is_good;

	d->at_s = 2 * 3600;
	if (!eat(s, ','))
		return false;
	if (eat(s, 'M')) {
		is_good = read_month_day(s, d);
	} else {
		d->kind = eat(s, 'J') ? ZONE_JULIAN : ZONE_DAY;
		is_good = read_number(s, 365, &d->day);
	}
	return is_good && (!eat(s, '/') || read_clock(s, &d->at_s));
}

static bool
read_rule(struct zone *z, struct str s)
{
	int32_t west;

	if (!skip_name(&s) || !read_clock(&s, &west))
		return false;
	z->standard_s = -west;
	if (s.n == 0)
		return true;
	if (!skip_name(&s))
		return false;
	z->summer_s = z->standard_s + 3600;
	if (s.n > 0 && s.p[0] != ',') {
		if (!read_clock(&s, &west))
			return false;
		z->summer_s = -west;
	}
	z->has_summer = true;
	return read_date(&s, &z->begins) && read_date(&s, &z->ends) && s.n == 0;
}

static int64_t
day_of(const struct zone_date *d, int64_t year)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	int64_t first;
	int length, day;

	if (d->kind == ZONE_DAY)
		return zone_days(year, 1, 1) + d->day;
	if (d->kind == ZONE_JULIAN) /* 29 February is never counted */
		return zone_days(year, 1, 1) + d->day - 1 +
		    (is_leap(year) && d->day >= 60);
	first = zone_days(year, d->month, 1);
	length = lengths[d->month - 1] + (d->month == 2 && is_leap(year));
	day = (d->day - weekday(first) + 7) % 7 + 7 * (d->week - 1);
	return first + (day < length ? day : day - 7);
}

static int32_t
rule_offset(const struct zone *z, int64_t wall_s)
{
	int64_t local = wall_s + z->standard_s;
	int64_t days = (local >= 0 ? local : local - DAY_S + 1) / DAY_S;
	int64_t year, begins, ends;
	int month, day;
	bool is_summer;

	if (!z->has_summer)
		return z->standard_s;
	zone_date(days, &year, &month, &day);
	begins =
	    day_of(&z->begins, year) * DAY_S + z->begins.at_s - z->standard_s;
	ends = day_of(&z->ends, year) * DAY_S + z->ends.at_s - z->summer_s;
	is_summer = begins < ends ? wall_s >= begins && wall_s < ends
				  : wall_s >= begins || wall_s < ends;
	return is_summer ? z->summer_s : z->standard_s;
}

/* ---- files -------------------------------------------------------------- */

static int64_t
big_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return n == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

struct counts {
	size_t utc, standard, leaps, times, types, chars;
};

static bool
read_header(struct str s, struct counts *c)
{
	size_t *const all[] = { &c->utc, &c->standard, &c->leaps, &c->times,
		&c->types, &c->chars };

	if (s.n < HEADER_BYTES || memcmp(s.p, "TZif", 4) != 0 || s.p[4] < '2')
		return false;
	for (size_t i = 0; i < 6; i++) {
		int64_t n = big_endian(s.p + 20 + 4 * i, 4);

		if (n < 0 || n > FILE_MAX_BYTES)
			return false;
		*all[i] = (size_t)n;
	}
	return c->types > 0 && c->types <= TYPES_MAX;
}

static size_t
body_bytes(const struct counts *c, size_t time_bytes)
{
	return c->times * (time_bytes + 1) + c->types * 6 + c->chars +
	    c->leaps * (time_bytes + 4) + c->standard + c->utc;
}

static bool
read_times(struct zone *z, struct str s, const struct counts *c)
{
	const char *kinds = s.p + c->times * 8, *types = kinds + c->times;

	if (c->times > ZONE_TRANSITIONS_MAX)
		return false;
	z->n = c->times;
	z->first_s = (int32_t)big_endian(types, 4);
	for (size_t i = 0; i < z->n; i++) {
		size_t kind = (unsigned char)kinds[i];

		if (kind >= c->types)
			return false;
		z->at[i] = big_endian(s.p + i * 8, 8);
		z->offset_s[i] = (int32_t)big_endian(types + kind * 6, 4);
		if (i > 0 && z->at[i] <= z->at[i - 1])
			return false;
	}
	return true;
}

static bool
are_sane(const struct zone *z)
{
	int32_t max = DAY_S;

	for (size_t i = 0; i < z->n; i++)
		if (z->offset_s[i] < -max || z->offset_s[i] > max)
			return false;
	return z->first_s >= -max && z->first_s <= max &&
	    z->standard_s >= -max && z->standard_s <= max &&
	    z->summer_s >= -max && z->summer_s <= max;
}

int
zone_parse(struct zone *z, struct str bytes)
{
	struct counts c;
	struct str s = bytes;

	memset(z, 0, sizeof(*z));
	if (!read_header(s, &c) || s.n < HEADER_BYTES + body_bytes(&c, 4))
		return -1;
	s = str_from(s, HEADER_BYTES + body_bytes(&c, 4));
	if (!read_header(s, &c) || s.n < HEADER_BYTES + body_bytes(&c, 8))
		return -1;
	s = str_from(s, HEADER_BYTES);
	if (!read_times(z, s, &c))
		return -1;
	s = str_from(s, body_bytes(&c, 8));
	if (!eat(&s, '\n'))
		return -1;
	if (str_index(s, '\n') == s.n)
		return -1;
	s.n = str_index(s, '\n');
	z->has_rule = s.n > 0;
	if (z->has_rule && !read_rule(z, s))
		return -1;
	return are_sane(z) ? 0 : -1;
}

static ssize_t
read_file(const char *path, char *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got, n = 0;

	if (fd < 0)
		return -1;
	while (
	    (size_t)n < max && (got = read(fd, out + n, max - (size_t)n)) > 0)
		n += got;
	(void)close(fd);
	return n;
}

int
zone_load(struct zone *z, const char *name, struct err *err)
{
	char path[512], bytes[FILE_MAX_BYTES];
	ssize_t n;

	if (strcmp(name, "UTC") == 0) {
		memset(z, 0, sizeof(*z));
		return 0;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", FOLDER, name);
	n = read_file(path, bytes, sizeof(bytes));
	if (n < 0)
		return err_errno(err, ERR_CONFIG, "time zone %s", path);
	if (zone_parse(z, (struct str){ bytes, (size_t)n }) != 0)
		return err_set(err, ERR_CONFIG,
		    "%s is no time zone that can be read", path);
	return 0;
}

/* ---- asking ------------------------------------------------------------- */

int32_t
zone_offset(const struct zone *z, int64_t wall_s)
{
	size_t low = 0, high = z->n; /* the first transition behind WALL_S */

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->at[mid] <= wall_s)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->has_rule)
		return rule_offset(z, wall_s);
	return low == 0 ? z->first_s : z->offset_s[low - 1];
}

int64_t
zone_midnight(const struct zone *z, int64_t days)
{
	int64_t local = days * DAY_S;
	int64_t before = local - zone_offset(z, local - DAY_S);
	int64_t after = local - zone_offset(z, local + DAY_S);
	int64_t first = before < after ? before : after;

	/* Of two midnights the first; of none the moment of the change. */
	if (first + zone_offset(z, first) >= local)
		return first;
	return before < after ? after : before;
}
