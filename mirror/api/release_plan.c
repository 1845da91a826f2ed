/*
 * release_plan.c - what a release would cost: bytes by image and by upstream,
 * time on each link at each of its rates, and whether the deadline holds.
 *
 * Upstreams behind the same link come one after the other, so their bytes add
 * up; links run side by side.  What stores would cost without the mirror is
 * every byte of it for each of them, over the link as it is outside of windows.
 */
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/units.h"
#include "releases_int.h"

struct road {
	const char *name; /* NULL: none, so not limited */
	struct forecast_link link;
	uint64_t bytes, missing_bytes;
};

struct roads {
	size_t n;
	struct road all[LOOK_UPSTREAMS_MAX + 1]; /* one each, and none */
};

/* ---- which bytes cross which link --------------------------------------- */

static struct road *
road_of(struct roads *r, const struct forecast_link *link)
{
	struct road *road;

	for (size_t i = 0; i < r->n; i++)
		if (r->all[i].link.link == link->link)
			return &r->all[i];
	check(r->n <= LOOK_UPSTREAMS_MAX);
	road = &r->all[r->n++];
	*road = (struct road){ .link = *link };
	road->name = link->link != NULL ? link->link->name : NULL;
	return road;
}

static const struct look_upstream *
find_upstream(const struct link_look *l, const char *name)
{
	for (size_t i = 0; i < l->n_upstreams; i++)
		if (strcmp(l->upstreams[i].name, name) == 0)
			return &l->upstreams[i];
	return NULL;
}

static void
find_roads(const struct link_look *look, struct roads *out)
{
	const struct release_view *v = look->ask->call.view;

	out->n = 0;
	for (size_t i = 0; i < v->n_shares; i++) {
		const struct look_upstream *u =
		    find_upstream(look, v->shares[i].upstream);
		struct forecast_link none = { .link = NULL };
		struct forecast_link link =
		    u != NULL ? look_link(look, u) : none;
		struct road *road = road_of(out, &link);

		road->bytes += v->shares[i].counts.bytes;
		road->missing_bytes += v->shares[i].counts.missing_bytes;
	}
}

/* ---- as JSON ------------------------------------------------------------ */

static json_t *
json_seconds(int64_t s)
{
	return s == FORECAST_NEVER ? json_null() : json_integer(s);
}

static json_t *
json_stretch(const struct road *road, const struct config_window *w)
{
	uint64_t rate = forecast_rate_in(&road->link, w);
	char name[64] = "outside of windows";

	if (w != NULL)
		(void)snprintf(name, sizeof(name), "%02u:%02u-%02u:%02u",
		    w->from_min / 60, w->from_min % 60, w->to_min / 60,
		    w->to_min % 60);
	return json_pack("{s:s, s:o, s:o}", "when", name, "bytes_per_second",
	    admin_json_rate(rate), "seconds",
	    json_seconds(
		forecast_seconds(&road->link, road->missing_bytes, rate)));
}

static json_t *
json_stretches(const struct road *road)
{
	const struct config_link *link = road->link.link;
	json_t *all = json_array();

	(void)json_array_append_new(all, json_stretch(road, NULL));
	for (size_t i = 0; link != NULL && i < link->n_windows; i++)
		(void)json_array_append_new(
		    all, json_stretch(road, &link->windows[i]));
	return all;
}

/* What N stores would take off the line without the mirror. */
static json_t *
json_without(const struct road *road, uint64_t n_stores)
{
	uint64_t bytes = road->bytes > UINT64_MAX / 4 / (n_stores + 1)
	    ? UINT64_MAX / 4
	    : road->bytes * n_stores;
	uint64_t rate =
	    road->link.link != NULL ? road->link.link->rate : RATE_UNLIMITED;

	return json_pack("{s:I, s:I, s:o}", "stores", (json_int_t)n_stores,
	    "line_bytes", (json_int_t)forecast_line_bytes(&road->link, bytes),
	    "seconds",
	    json_seconds(forecast_seconds(&road->link, bytes, rate)));
}

static json_t *
json_road(const struct road *road, const struct forecast *f,
    const struct plan_question *q)
{
	json_t *o = json_pack("{s:s?, s:I, s:I, s:I, s:o, s:o, s:o}", "link",
	    road->name, "bytes", (json_int_t)road->bytes, "bytes_missing",
	    (json_int_t)road->missing_bytes, "line_bytes",
	    (json_int_t)f->line_bytes, "rates", json_stretches(road),
	    "ready_at",
	    f->why == FORECAST_DONE ? admin_json_time(f->done_at) : json_null(),
	    "never_because",
	    f->why == FORECAST_DONE ? json_null()
				    : json_string(forecast_why_text(f->why)));

	if (q->n_stores > 0)
		(void)json_object_set_new(
		    o, "without_mirror", json_without(road, q->n_stores));
	return o;
}

/* Adds up when all of it is here; FORECAST_NEVER: it will not be. */
static json_t *
json_roads(const struct roads *roads, const struct plan_question *q,
    int64_t from_s, int64_t *ready_at)
{
	json_t *all = json_array();

	*ready_at = from_s;
	for (size_t i = 0; i < roads->n; i++) {
		const struct road *road = &roads->all[i];
		struct forecast f =
		    forecast_link(&road->link, road->missing_bytes, from_s);

		if (f.done_at > *ready_at)
			*ready_at = f.done_at;
		(void)json_array_append_new(all, json_road(road, &f, q));
	}
	return all;
}

static json_t *
json_images(const struct release_view *v)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->n_images; i++)
		(void)json_array_append_new(all, json_image(&v->images[i]));
	return all;
}

static json_t *
json_shares(const struct release_view *v)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->n_shares; i++) {
		const struct release_share *s = &v->shares[i];

		(void)json_array_append_new(all,
		    json_pack("{s:s, s:I, s:I, s:I, s:I}", "upstream",
			s->upstream, "digests", (json_int_t)s->counts.n_digests,
			"digests_missing", (json_int_t)s->counts.n_missing,
			"bytes", (json_int_t)s->counts.bytes, "bytes_missing",
			(json_int_t)s->counts.missing_bytes));
	}
	return all;
}

/* Every image's bytes for itself: what is shared counts again. */
static uint64_t
bytes_of_images(const struct release_view *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->n_images; i++)
		sum += v->images[i].bytes;
	return sum;
}

json_t *
json_plan(const struct link_look *look, const struct plan_question *q)
{
	const struct release_view *v = look->ask->call.view;
	const struct release_summary *s = &v->summary;
	int64_t now = clock_wall_s(), ready_at;
	int64_t from = s->not_before > now ? s->not_before : now;
	struct roads roads;
	json_t *o = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:b}", "release",
	    s->name, "dry_run", true, "bytes", (json_int_t)bytes_of_images(v),
	    "bytes_unique", (json_int_t)s->counts.bytes, "bytes_here",
	    (json_int_t)(s->counts.bytes - s->counts.missing_bytes),
	    "bytes_missing", (json_int_t)s->counts.missing_bytes, "bytes_known",
	    s->is_known);

	find_roads(look, &roads);
	(void)json_object_set_new(
	    o, "links", json_roads(&roads, q, from, &ready_at));
	(void)json_object_set_new(o, "upstreams", json_shares(v));
	(void)json_object_set_new(o, "images", json_images(v));
	(void)json_object_set_new(o, "starts_at", admin_json_time(from));
	(void)json_object_set_new(o, "ready_at",
	    ready_at != FORECAST_NEVER ? admin_json_time(ready_at)
				       : json_null());
	(void)json_object_set_new(o, "deadline", admin_json_time(s->deadline));
	(void)json_object_set_new(o, "deadline_holds",
	    s->deadline == 0 ? json_null()
			     : json_boolean(ready_at <= s->deadline));
	return o;
}
