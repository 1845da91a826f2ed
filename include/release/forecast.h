/*
 * forecast.h - when so many bytes would be over a link, by its windows.
 *
 * A release may take the smaller of a link's rate and its `prewarm`, as the
 * windows have them from minute to minute, and of a quota what is above its
 * reserve.  That nobody else uses the link is supposed: stores' pulls go first,
 * so it may take longer, never shorter.  Pure arithmetic; any thread.
 */
#ifndef RELEASE_FORECAST_H
#define RELEASE_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

#define FORECAST_DAYS 35 /* nothing is foretold beyond */
#define FORECAST_NEVER INT64_MAX

struct forecast_link {
	const struct config_link *link; /* NULL: there is none, so no limit */
	bool is_down;                   /* an operator took it out of service */
	bool has_rate, has_prewarm;     /* an operator's word, over windows */
	uint64_t rate, prewarm;         /* bytes/s */
	uint64_t quota_left;            /* where it has a quota */
	int64_t quota_resets_at;        /* s, wall */
};

enum forecast_why {
	FORECAST_DONE,
	FORECAST_DOWN,     /* the link is out of service */
	FORECAST_OFF,      /* its prewarm is off, at all times */
	FORECAST_QUOTA,    /* the quota leaves nothing for releases */
	FORECAST_TOO_LONG, /* not within FORECAST_DAYS */
};

struct forecast {
	enum forecast_why why;
	int64_t done_at;     /* s, wall; FORECAST_NEVER unless why is DONE */
	uint64_t line_bytes; /* with the link's overhead */
};

/* BYTES of content, from FROM_S on. */
struct forecast forecast_link(
    const struct forecast_link *, uint64_t bytes, int64_t from_s);
const char *forecast_why_text(enum forecast_why); /* "prewarm is off" */

/* What releases may take at a time; 0: nothing. */
uint64_t forecast_rate_at(const struct forecast_link *, int64_t wall_s);
/* Of a window of it; NULL: outside of windows. */
uint64_t forecast_rate_in(
    const struct forecast_link *, const struct config_window *);
/* Seconds for BYTES of content at RATE; FORECAST_NEVER: never. */
int64_t forecast_seconds(
    const struct forecast_link *, uint64_t bytes, uint64_t rate);
uint64_t forecast_line_bytes(const struct forecast_link *, uint64_t bytes);

#endif
