/*
 * quota.c - months, advances, and the text that keeps them.
 */
#include "link/quota.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/zone.h"

#define MICRO 1000000u
#define DAY_S 86400
#define PIECE_MAX (64u << 10) /* of what is taken at once */
#define ADVANCE_MIN (256u << 10)
#define HEAD "railhead quota 1 month "

/* ---- months ------------------------------------------------------------- */

/* The first day of the month in which DAYS lies. */
static int64_t
month_of(const struct quota *q, int64_t days)
{
	int first = (int)q->link->quota_resets_on;
	int64_t year;
	int month, day;

	zone_date(days, &year, &month, &day);
	if (day < first && --month == 0) {
		month = 12;
		year--;
	}
	return zone_days(year, month, first);
}

static int64_t
local_day(const struct quota *q, int64_t wall_s)
{
	int64_t local = wall_s + zone_offset(q->link->zone, wall_s);

	return (local >= 0 ? local : local - DAY_S + 1) / DAY_S;
}

void
quota_look(struct quota *q, int64_t wall_s)
{
	int64_t month = month_of(q, local_day(q, wall_s));

	if (month > q->month) {
		q->month = month;
		q->spent = q->part = q->written = 0;
	}
	q->next_at = zone_midnight(q->link->zone, month_of(q, q->month + 40));
}

/* Another day of reset gives nothing back: what was spent stays spent until
 * the month that it was spent in is surely over. */
static void
adopt_day(struct quota *q, int64_t wall_s)
{
	int64_t today = local_day(q, wall_s), year;
	int month, day;

	zone_date(q->month, &year, &month, &day);
	if (day != (int)q->link->quota_resets_on && today < q->month + 31)
		q->month = month_of(q, today);
	quota_look(q, wall_s);
}

void
quota_set(struct quota *q, const struct config_link *link, int64_t wall_s)
{
	q->link = link;
	adopt_day(q, wall_s);
}

void
quota_init(struct quota *q, const struct config_link *link, int64_t wall_s)
{
	memset(q, 0, sizeof(*q));
	q->link = link;
	q->month = month_of(q, local_day(q, wall_s));
	quota_look(q, wall_s);
}

/* ---- spending ----------------------------------------------------------- */

bool
quota_is_on(const struct quota *q)
{
	return q->link->quota_bytes > 0;
}

/* A quarter of a second of the link, as far as that is a small portion of the
 * quota. */
uint64_t
quota_ahead(const struct quota *q)
{
	uint64_t rate = q->link->rate, most = q->link->quota_bytes / 64;

	return rate / 4 < most ? rate / 4 : most;
}

uint64_t
quota_left(const struct quota *q)
{
	uint64_t bytes = q->link->quota_bytes;

	return q->spent < bytes ? bytes - q->spent : 0;
}

enum quota_answer
quota_may(const struct quota *q, enum link_class class)
{
	uint64_t kept = quota_ahead(q);

	if (!quota_is_on(q))
		return QUOTA_YES;
	if (class != CLASS_PULL)
		kept += q->link->quota_reserve;
	if (quota_left(q) <= kept)
		return QUOTA_NO;
	return q->spent + PIECE_MAX <= q->written ? QUOTA_YES : QUOTA_LATER;
}

void
quota_spend(struct quota *q, uint64_t micro)
{
	q->part += micro;
	q->spent += q->part / MICRO;
	q->part %= MICRO;
}

/* ---- what is written down ----------------------------------------------- */

/* A second's worth of the link, as far as that is a small portion of the
 * quota: it is what a crash costs. */
static uint64_t
advance(const struct quota *q)
{
	uint64_t bytes = q->link->rate, most = q->link->quota_bytes / 256;

	if (bytes > most)
		bytes = most;
	return bytes < ADVANCE_MIN ? ADVANCE_MIN : bytes;
}

bool
quota_is_due(const struct quota *q)
{
	return quota_is_on(q) && q->asked == 0 &&
	    q->spent + advance(q) / 2 >= q->written &&
	    q->written < q->link->quota_bytes + PIECE_MAX;
}

bool
quota_wants(struct quota *q, char out[QUOTA_TEXT_MAX])
{
	int64_t year;
	int month, day;

	if (!quota_is_due(q))
		return false;
	q->asked = q->spent + advance(q);
	q->asked_month = q->month;
	zone_date(q->month, &year, &month, &day);
	(void)snprintf(out, QUOTA_TEXT_MAX, HEAD "%04d-%02d-%02d spent %llu\n",
	    (int)year, month, day,
	    (unsigned long long)(q->asked + quota_ahead(q)));
	return true;
}

void
quota_written(struct quota *q, bool is_written)
{
	check(q->asked > 0);
	if (is_written && q->asked_month == q->month)
		q->written = q->asked;
	q->asked = 0;
}

int
quota_read(struct quota *q, struct str text, int64_t wall_s, struct err *err)
{
	char copy[QUOTA_TEXT_MAX];
	unsigned long long spent;
	int year, month, day, end = 0;

	(void)snprintf(copy, sizeof(copy), "%.*s", STR_ARG(text));
	if (text.n >= sizeof(copy) ||
	    sscanf(copy, HEAD "%4d-%2d-%2d spent %20llu%n", &year, &month, &day,
		&spent, &end) != 4 ||
	    strcmp(copy + end, "\n") != 0 || month < 1 || month > 12 ||
	    day < 1 || day > 28 || spent > INT64_MAX)
		return err_set(err, ERR_CONFIG,
		    "this does not say how much of a quota is spent");
	q->month = zone_days(year, month, day);
	q->spent = q->written = spent;
	q->part = 0;
	adopt_day(q, wall_s);
	return 0;
}

void
quota_lose(struct quota *q)
{
	q->spent = q->written = INT64_MAX;
}
