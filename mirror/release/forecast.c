/*
 * forecast.c - walks from one change of a link's rates to the next, and takes
 * off what fits between.
 *
 * The quota of a later month is a whole one; its length is taken as 30 days,
 * since within FORECAST_DAYS at most one more begins.
 */
#include "release/forecast.h"

#include "common/units.h"
#include "link/window.h"

#define DAY_S 86400
#define MONTH_S (30 * DAY_S)
#define MICRO 1000000u

/* What is left to be foretold. */
struct walk {
	const struct forecast_link *l;
	int64_t at;
	int64_t end;
	uint64_t bytes;  /* on the line */
	uint64_t budget; /* of the quota; UINT64_MAX: none */
	int64_t resets_at;
	bool was_open; /* there was a time with a rate */
	bool was_spent;
};

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A * B / C without overflow, for B and C that fit 32 bits. */
static uint64_t
scale(uint64_t a, uint64_t b, uint64_t c)
{
	return a / c * b + a % c * b / c;
}

uint64_t
forecast_line_bytes(const struct forecast_link *l, uint64_t bytes)
{
	if (l->link == NULL)
		return bytes;
	return bytes + scale(bytes, l->link->overhead, MICRO);
}

uint64_t
forecast_rate_in(const struct forecast_link *l, const struct config_window *w)
{
	uint64_t rate, prewarm;

	if (l->link == NULL)
		return RATE_UNLIMITED;
	rate = l->link->rate;
	prewarm = l->link->prewarm;
	if (w != NULL && w->rate != RATE_UNLIMITED)
		rate = w->rate;
	if (w != NULL && w->prewarm != RATE_UNLIMITED)
		prewarm = w->prewarm;
	if (l->has_rate)
		rate = l->rate;
	if (l->has_prewarm)
		prewarm = l->prewarm;
	return least(rate, prewarm);
}

uint64_t
forecast_rate_at(const struct forecast_link *l, int64_t wall_s)
{
	if (l->link == NULL)
		return RATE_UNLIMITED;
	return forecast_rate_in(l, window_at(l->link, wall_s));
}

static int64_t
seconds_for(uint64_t line_bytes, uint64_t rate)
{
	uint64_t s;

	if (line_bytes == 0 || rate == RATE_UNLIMITED)
		return 0;
	if (rate == 0)
		return FORECAST_NEVER;
	s = line_bytes / rate + (line_bytes % rate > 0);
	return s < INT64_MAX ? (int64_t)s : FORECAST_NEVER;
}

int64_t
forecast_seconds(const struct forecast_link *l, uint64_t bytes, uint64_t rate)
{
	return seconds_for(forecast_line_bytes(l, bytes), rate);
}

/* ---- walking ------------------------------------------------------------ */

static uint64_t
above_reserve(const struct config_link *link, uint64_t left)
{
	return left > link->quota_reserve ? left - link->quota_reserve : 0;
}

static void
look_at_quota(struct walk *w)
{
	const struct config_link *link = w->l->link;

	if (link->quota_bytes == 0 || w->at < w->resets_at)
		return;
	w->budget = above_reserve(link, link->quota_bytes);
	w->resets_at += MONTH_S;
}

/* The next moment at which rate or budget may be others. */
static int64_t
next_change(const struct walk *w)
{
	int64_t at = window_next_change(w->l->link, w->at);

	if (at == 0 || at > w->end)
		at = w->end;
	if (w->budget != UINT64_MAX && w->resets_at > w->at &&
	    w->resets_at < at)
		at = w->resets_at;
	return at;
}

/* What this stretch carries goes; true: that was all. */
static bool
pass_stretch(struct walk *w)
{
	uint64_t rate = forecast_rate_at(w->l, w->at);
	uint64_t wanted = least(w->bytes, w->budget), carried;
	int64_t until = next_change(w), takes = seconds_for(wanted, rate);

	w->was_open = w->was_open || rate > 0;
	w->was_spent = w->was_spent || wanted < w->bytes;
	if (wanted == w->bytes && takes <= until - w->at) {
		w->at += takes;
		return true;
	}
	carried =
	    takes <= until - w->at ? wanted : rate * (uint64_t)(until - w->at);
	w->bytes -= carried;
	if (w->budget != UINT64_MAX)
		w->budget -= carried;
	w->at = until;
	return false;
}

static enum forecast_why
walk(struct walk *w)
{
	while (w->at < w->end) {
		look_at_quota(w);
		if (pass_stretch(w))
			return FORECAST_DONE;
	}
	if (!w->was_open)
		return FORECAST_OFF;
	return w->was_spent ? FORECAST_QUOTA : FORECAST_TOO_LONG;
}

struct forecast
forecast_link(const struct forecast_link *l, uint64_t bytes, int64_t from_s)
{
	struct forecast f = { FORECAST_DONE, from_s,
		forecast_line_bytes(l, bytes) };
	struct walk w = { .l = l,
		.at = from_s,
		.end = from_s + (int64_t)FORECAST_DAYS * DAY_S,
		.bytes = f.line_bytes,
		.budget = UINT64_MAX,
		.resets_at = l->quota_resets_at };

	if (bytes == 0 || l->link == NULL)
		return f;
	if (l->link->quota_bytes > 0)
		w.budget = above_reserve(l->link, l->quota_left);
	f.why = l->is_down ? FORECAST_DOWN : walk(&w);
	f.done_at = f.why == FORECAST_DONE ? w.at : FORECAST_NEVER;
	return f;
}

const char *
forecast_why_text(enum forecast_why why)
{
	static const char *const texts[] = {
		[FORECAST_DONE] = "",
		[FORECAST_DOWN] = "the link is out of service",
		[FORECAST_OFF] = "the link's prewarm is off",
		[FORECAST_QUOTA] = "the link's quota leaves nothing for it",
		[FORECAST_TOO_LONG] = "it takes longer than 35 days",
	};

	return texts[why];
}
