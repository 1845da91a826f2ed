/*
 * window.c - windows are looked at minute by minute: a week has 10,080, which
 * is little for something that is asked a few times a day, and no change of the
 * clock needs a thought.
 */
#include "link/window.h"

#include "common/zone.h"

#define DAY_MIN 1440
#define LOOK_AHEAD_MIN (8 * DAY_MIN)

static bool
holds(const struct config_window *w, unsigned day, unsigned minute)
{
	unsigned yesterday = (day + 6) % 7;

	if (w->from_min < w->to_min)
		return (w->days >> day & 1) != 0 && minute >= w->from_min &&
		    minute < w->to_min;
	return ((w->days >> day & 1) != 0 && minute >= w->from_min) ||
	    ((w->days >> yesterday & 1) != 0 && minute < w->to_min);
}

const struct config_window *
window_at(const struct config_link *link, int64_t wall_s)
{
	int64_t local = wall_s + zone_offset(link->zone, wall_s);
	int64_t minutes = (local >= 0 ? local : local - 59) / 60;
	int64_t days =
	    (minutes >= 0 ? minutes : minutes - DAY_MIN + 1) / DAY_MIN;
	unsigned minute = (unsigned)(minutes - days * DAY_MIN);
	unsigned day = (unsigned)(((days + 3) % 7 + 7) % 7); /* 0: Monday */

	for (size_t i = 0; i < link->n_windows; i++)
		if (holds(&link->windows[i], day, minute))
			return &link->windows[i];
	return NULL;
}

int64_t
window_next_change(const struct config_link *link, int64_t wall_s)
{
	const struct config_window *now = window_at(link, wall_s);
	int64_t minute = wall_s - (wall_s % 60 + 60) % 60;

	if (link->n_windows == 0)
		return 0;
	for (int i = 0; i < LOOK_AHEAD_MIN; i++) {
		minute += 60;
		if (window_at(link, minute) != now)
			return minute;
	}
	return 0;
}
