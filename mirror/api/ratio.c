/*
 * ratio.c - a ring of samples, one every 10 s, an hour deep.
 *
 * A window's ratio is made from now minus the sample that lies as far back as
 * the window is long (the first one while we run for less).  So windows are
 * exact to 10 s, and reading costs two subtractions.
 */
#include "api/ratio.h"

#include <stdlib.h>

#include "api/traffic.h"
#include "common/check.h"
#include "loop/timer.h"

#define SAMPLE_MS 10000
#define SAMPLES 361 /* an hour, and where it began */
#define MILLION 1000000u

static const size_t window_samples[WINDOW_COUNT] = {
	[WINDOW_5M] = 30,
	[WINDOW_15M] = 90,
	[WINDOW_1H] = 360,
};

struct ratio {
	struct timer timer;
	struct traffic_totals samples[SAMPLES]; /* a ring */
	size_t n_taken;
};

static void
on_timer(void *arg)
{
	struct ratio *r = arg;

	ratio_sample(r);
	timer_set(&r->timer, SAMPLE_MS);
}

struct ratio *
ratio_new(struct loop *admin)
{
	struct ratio *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	timer_init(&r->timer, admin, on_timer, r);
	on_timer(r);
	return r;
}

void
ratio_free(struct ratio *r)
{
	if (r == NULL)
		return;
	timer_stop(&r->timer);
	free(r);
}

void
ratio_sample(struct ratio *r)
{
	traffic_totals(&r->samples[r->n_taken % SAMPLES]);
	r->n_taken++;
}

static const struct traffic_totals *
window_start(const struct ratio *r, enum ratio_window w)
{
	size_t last = r->n_taken - 1;
	size_t back;

	check(w < WINDOW_COUNT);
	back = window_samples[w];
	return &r->samples[(last > back ? last - back : 0) % SAMPLES];
}

static uint64_t
share(const uint64_t now[RESULT_COUNT], const uint64_t then[RESULT_COUNT])
{
	uint64_t local = now[RESULT_HIT] - then[RESULT_HIT] +
	    now[RESULT_STALE] - then[RESULT_STALE];
	uint64_t all = local + now[RESULT_JOIN] - then[RESULT_JOIN] +
	    now[RESULT_MISS] - then[RESULT_MISS];

	if (all == 0)
		return MILLION;
	return local <= UINT64_MAX / MILLION ? local * MILLION / all
					     : local / (all / MILLION);
}

uint64_t
ratio_requests(const struct ratio *r, enum ratio_window w)
{
	struct traffic_totals now;

	traffic_totals(&now);
	return share(now.requests, window_start(r, w)->requests);
}

uint64_t
ratio_bytes(const struct ratio *r, enum ratio_window w)
{
	struct traffic_totals now;

	traffic_totals(&now);
	return share(now.bytes, window_start(r, w)->bytes);
}
