/*
 * link_look.c - how the upstreams of a release are, and the links they are
 * reached over: asked of the origin loop by letter.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "loop/loop.h"
#include "releases_int.h"

/* ---- there and back ----------------------------------------------------- */

static void
on_home(struct letter *letter)
{
	struct link_look *l = container_of(letter, struct link_look, letter);
	struct release_ask *ask = l->ask;

	if (ask->exchange != NULL) {
		ask->exchange->owner = NULL;
		ask->exchange->on_end = NULL;
		l->done(l);
	}
	config_unref(l->config);
	free(l->links);
	free(l);
	ask_free(ask);
}

static void
look_at(struct link_look *l, struct look_upstream *u)
{
	const struct admin_spec *s = &l->admin->spec;
	struct err err = { .code = ERR_NONE };

	if (u->upstream == NULL) {
		(void)snprintf(u->why, sizeof(u->why),
		    "it is not in the configuration any more");
		return;
	}
	upstreams_recent(s->upstreams, u->upstream, &u->recent);
	u->is_up = upstreams_are_reached(s->upstreams, u->upstream, &err);
	if (u->is_up)
		return;
	(void)snprintf(u->why, sizeof(u->why), "%s", err.text);
	releases_probe(s->releases, l->ask->call.view->summary.name, u->name);
}

static void
on_origin(struct letter *letter)
{
	struct link_look *l = container_of(letter, struct link_look, letter);
	struct upstreams *us = l->admin->spec.upstreams;

	for (size_t i = 0; i < l->n_upstreams; i++)
		look_at(l, &l->upstreams[i]);
	l->links = upstreams_report_links(us, &l->n_links);
	letter->deliver = on_home;
	loop_post(l->admin->spec.admin, letter);
}

/* Names are shared by the images of a list, so most are known by their
 * place. */
static void
add_upstream(struct link_look *l, const char *name)
{
	struct look_upstream *u;

	for (size_t i = l->n_upstreams; i > 0; i--)
		if (l->upstreams[i - 1].name == name ||
		    strcmp(l->upstreams[i - 1].name, name) == 0)
			return;
	if (l->n_upstreams == LOOK_UPSTREAMS_MAX) {
		l->has_more = true;
		return;
	}
	u = &l->upstreams[l->n_upstreams++];
	u->name = name;
	u->upstream = config_find_upstream(l->config, str_of(name));
}

void
look_at_links(struct release_ask *ask, void (*done)(struct link_look *))
{
	const struct release_list *list = ask->call.view->list;
	struct link_look *l = calloc(1, sizeof(*l));
	struct err err;

	if (l == NULL) {
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for an answer");
		admin_fail(ask->exchange, &err, NULL);
		return;
	}
	l->letter.deliver = on_origin;
	l->admin = ask->admin;
	l->config = config_now();
	l->ask = ask;
	l->done = done;
	for (size_t i = 0; i < list->n_images; i++)
		add_upstream(l, list->images[i].upstream);
	ask_keep(ask);
	loop_post(ask->admin->spec.origin, &l->letter);
}

/* ---- forecasts ---------------------------------------------------------- */

static const struct link_report *
find_report(const struct link_look *l, const char *name)
{
	for (size_t i = 0; i < l->n_links; i++)
		if (strcmp(l->links[i].name, name) == 0)
			return &l->links[i];
	return NULL;
}

static struct forecast_link
forecast_of(const struct link_look *l, const struct config_link *link)
{
	struct forecast_link f = { .link = link };
	const struct link_report *r =
	    link != NULL ? find_report(l, link->name) : NULL;

	if (r == NULL)
		return f;
	f.is_down = !r->is_up;
	f.has_rate = f.has_prewarm = r->is_changed;
	f.rate = r->rate;
	f.prewarm = r->prewarm;
	f.quota_left = r->quota_left;
	f.quota_resets_at = r->quota_resets_at;
	return f;
}

/* Of the endpoints the first whose link is in service, else the first. */
struct forecast_link
look_link(const struct link_look *l, const struct look_upstream *u)
{
	struct forecast_link first = { .link = NULL }, each;

	for (size_t i = 0; u->upstream != NULL && i < u->upstream->n_endpoints;
	     i++) {
		each = forecast_of(l, u->upstream->endpoints[i].link);
		if (!each.is_down)
			return each;
		if (i == 0)
			first = each;
	}
	return first;
}

int64_t
look_done_at(const struct link_look *l, uint64_t bytes, int64_t from_s)
{
	int64_t last = from_s;

	if (l->has_more)
		return 0;
	for (size_t i = 0; i < l->n_upstreams; i++) {
		struct forecast_link link = look_link(l, &l->upstreams[i]);
		struct forecast f = forecast_link(&link, bytes, from_s);

		if (f.why != FORECAST_DONE)
			return 0;
		if (f.done_at > last)
			last = f.done_at;
	}
	return last;
}
