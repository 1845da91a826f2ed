/*
 * zone.h - what the clock on the wall shows in a time zone.
 *
 * From the machine's zone files (TZif, RFC 8536), without TZ, which is the
 * whole process's: the transitions of the file, and behind the last of them
 * the rule in its footer.  zone_load() reads a file and may block; the rest is
 * pure.  A zone has no pointers inside, so it may be copied.  Any thread.
 */
#ifndef COMMON_ZONE_H
#define COMMON_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

#define ZONE_TRANSITIONS_MAX 512

/* "M3.5.0/2": the N-th (5: last) weekday of a month, or a day of the year. */
struct zone_date {
	enum { ZONE_JULIAN, ZONE_DAY, ZONE_MONTH } kind;
	int month, week, day; /* day: of the week, or of the year */
	int32_t at_s;         /* on the clock then in force */
};

struct zone {
	size_t n;
	int64_t at[ZONE_TRANSITIONS_MAX]; /* s since 1970, rising */
	int32_t offset_s[ZONE_TRANSITIONS_MAX];
	int32_t first_s; /* before the first transition */
	bool has_rule;
	bool has_summer;
	int32_t standard_s, summer_s; /* of the rule, east of UTC */
	struct zone_date begins, ends;
};

/* NAME as in "Europe/Budapest", below /usr/share/zoneinfo; "UTC" always is. */
err_checked int zone_load(struct zone *, const char *name, struct err *err);
/* Of a zone file's bytes; -1: they are no zone, or too long a one. */
int zone_parse(struct zone *, struct str bytes);

/* What is to be added to UTC at WALL_S to have local time. */
int32_t zone_offset(const struct zone *, int64_t wall_s);

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back. */
int64_t zone_days(int64_t year, int month, int day);
void zone_date(int64_t days, int64_t *year, int *month, int *day);
/* When the local day begins: its midnight, or what comes next after it. */
int64_t zone_midnight(const struct zone *, int64_t days);

#endif
