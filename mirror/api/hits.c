/*
 * hits.c - a rolling sum for each release that was asked for.
 *
 * The window is that of the configuration when something is counted; after a
 * reload with another one counting begins anew.
 */
#include "hits.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/map.h"
#include "common/rolling.h"
#include "site/pulls.h"
#include "site/site.h"
#include "store/index.h"

#define HITS_RELEASES_MAX 2000

enum { HITS_REQUESTS, HITS_HITS, HITS_BYTES, HITS_HIT_BYTES };

struct hits {
	struct sites *sites;         /* borrowed; outlives us */
	struct index_reader *reader; /* owned */
	struct map *by_release;      /* of struct rolling; owned */
};

/* What one note says, and of which releases it was said already. */
struct note {
	struct hits *hits;
	uint64_t values[ROLLING_VALUES];
	int64_t now_s, window_s;
	char last[RELEASE_NAME_MAX + 1];
};

static void
forget_idle(const void *key, size_t n, void *value, void *arg)
{
	const struct note *note = arg;
	uint64_t sums[ROLLING_VALUES];

	rolling_sum(value, note->window_s, note->now_s, sums);
	if (sums[HITS_REQUESTS] == 0)
		free(map_take(note->hits->by_release, key, n));
}

/* Where there is no room, those that nobody asks for any more make some. */
static struct rolling *
rolling_of(struct note *note, struct str name)
{
	struct map *all = note->hits->by_release;
	struct rolling *r = map_find(all, name.p, name.n);

	if (r != NULL)
		return r;
	if (map_count(all) == HITS_RELEASES_MAX)
		map_each(all, forget_idle, note);
	r = calloc(1, sizeof(*r));
	if (r != NULL && map_put(all, name.p, name.n, r) == 0)
		return r;
	free(r);
	return NULL;
}

/* PINS is "NAME:GENERATION"; those of one name come one after the other. */
static void
on_pinner(void *arg, struct str pins)
{
	struct note *n = arg;
	struct str name = { pins.p, str_index(pins, ':') };
	struct rolling *r;

	if (name.n > RELEASE_NAME_MAX || str_eqz(name, n->last))
		return;
	memcpy(n->last, name.p, name.n);
	n->last[name.n] = '\0';
	r = rolling_of(n, name);
	if (r != NULL)
		rolling_add(r, n->window_s, n->now_s, n->values);
}

static void
on_note(void *arg, const struct digest *digest, const struct pull_tally *t)
{
	struct config *config = config_now();
	struct note n = { .hits = arg, .now_s = clock_wall_s() };

	n.values[HITS_REQUESTS] = t->n_gets;
	n.values[HITS_HITS] = t->n_hits;
	n.values[HITS_BYTES] = t->bytes;
	n.values[HITS_HIT_BYTES] = t->hit_bytes;
	n.window_s = (int64_t)(config->gate.window_ms / 1000);
	config_unref(config);
	index_each_pinner(n.hits->reader, digest, on_pinner, &n);
	index_release(n.hits->reader);
}

struct gate_traffic
hits_of(
    const struct hits *h, const char *release, int64_t window_s, int64_t now_s)
{
	const struct rolling *r =
	    map_find(h->by_release, release, strlen(release));
	uint64_t sums[ROLLING_VALUES] = { 0 };

	if (r != NULL)
		rolling_sum(r, window_s, now_s, sums);
	return (struct gate_traffic){ .is_known = true,
		.requests = sums[HITS_REQUESTS],
		.hits = sums[HITS_HITS],
		.bytes = sums[HITS_BYTES],
		.hit_bytes = sums[HITS_HIT_BYTES] };
}

struct hits *
hits_new(struct sites *sites, struct store *store, struct err *err)
{
	struct hits *h = calloc(1, sizeof(*h));

	if (h == NULL || (h->by_release = map_new(HITS_RELEASES_MAX)) == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory to count hits in");
		hits_free(h);
		return NULL;
	}
	h->reader = index_reader_new(store, err);
	if (h->reader == NULL) {
		hits_free(h);
		return NULL;
	}
	h->sites = sites;
	sites_set_tap(sites, on_note, h);
	return h;
}

static void
free_rolling(const void *key, size_t n, void *value, void *arg)
{
	(void)key;
	(void)n;
	(void)arg;
	free(value);
}

void
hits_free(struct hits *h)
{
	if (h == NULL)
		return;
	if (h->sites != NULL)
		sites_set_tap(h->sites, NULL, NULL);
	if (h->by_release != NULL)
		map_each(h->by_release, free_rolling, NULL);
	map_free(h->by_release);
	index_reader_free(h->reader);
	free(h);
}
