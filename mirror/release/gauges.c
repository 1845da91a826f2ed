/*
 * gauges.c - what Prometheus sees of releases; looked at once a second.
 */
#include <stdlib.h>

#include "common/metrics.h"
#include "release_int.h"

struct gauges {
	struct metric *lag, *missing, *ready;
	struct metric *images[RELEASE_STATE_COUNT];
};

static struct gauges *
gauges_of(struct release *r)
{
	const char *const name[] = { r->name };
	struct gauges *g = r->gauges;

	if (g != NULL || (g = calloc(1, sizeof(*g))) == NULL)
		return g;
	g->lag = metric_cell(M_release_lag_seconds, name);
	g->missing = metric_cell(M_release_missing_bytes, name);
	g->ready = metric_cell(M_release_ready_timestamp_seconds, name);
	for (enum release_state s = 0; s < RELEASE_STATE_COUNT; s++) {
		const char *const both[] = { r->name, release_state_name(s) };

		g->images[s] = metric_cell(M_release_images, both);
	}
	r->gauges = g;
	return g;
}

void
gauges_drop(struct release *r)
{
	struct gauges *g = r->gauges;

	if (g == NULL)
		return;
	metric_drop(g->lag);
	metric_drop(g->missing);
	metric_drop(g->ready);
	for (int s = 0; s < RELEASE_STATE_COUNT; s++)
		metric_drop(g->images[s]);
	free(g);
	r->gauges = NULL;
}

static void
show(struct release *r, const struct release_summary *s)
{
	struct gauges *g = gauges_of(r);

	if (g == NULL)
		return;
	metric_set(g->lag, s->lag_s);
	metric_set(g->missing, (int64_t)s->counts.missing_bytes);
	metric_set(g->ready, s->ready_at);
	for (int i = 0; i < RELEASE_STATE_COUNT; i++)
		metric_set(g->images[i], (int64_t)s->n_in_state[i]);
}

void
gauges_show(struct releases *rs)
{
	struct release_summary s;
	struct release *r;
	int64_t most = 0;
	size_t of;

	TAILQ_FOREACH (r, &rs->all, entry) {
		int64_t lag;

		if (r->plan != NULL)
			continue;
		report_summary(r, &s);
		show(r, &s);
		lag = lag_of_mirror(&s, 1, &of);
		most = lag > most ? lag : most;
	}
	metric_set(metric_get(M_mirror_lag_seconds), most);
	metric_set(metric_get(M_frozen), rs->freeze.is_on);
}
