/*
 * walk.c - walking over the sites.
 */
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define SLICE 500

/* ---- birth and death ---------------------------------------------------- */

static void
walk_free(struct walk *w)
{
	timer_stop(&w->timer);
	if (w->kind->done != NULL)
		w->kind->done(w);
	json_decref(w->page);
	json_decref(w->answer);
	config_unref(w->config);
	free(w->counts);
	free(w);
}

static void
on_ended(struct exchange *e, enum exchange_end end)
{
	(void)end;
	walk_free(e->owner);
}

static void
let_go(struct walk *w)
{
	w->exchange->owner = NULL;
	w->exchange->on_end = NULL;
	walk_free(w);
}

/* ---- what is asked ------------------------------------------------------ */

static int
set_state(struct walk *w, struct str value, struct err *err)
{
	char names[128] = "";
	size_t used = 0;

	for (w->state = 0; w->state < w->kind->n_states; w->state++) {
		const char *name = w->kind->states[w->state];

		if (str_eqz(value, name))
			return 0;
		used += (size_t)snprintf(names + used, sizeof(names) - used,
		    "%s%s", used > 0 ? ", " : "", name);
	}
	return err_set(err, ERR_BAD_REQUEST, "state is one of %s", names);
}

static int
set_pair(void *to, struct str key, struct str value, struct err *err)
{
	struct walk *w = to;

	if (str_eqz(key, "state"))
		return set_state(w, value, err);
	if (str_eqz(key, "ring")) {
		w->ring = value.n > 0 ? value : STR("");
		return 0;
	}
	if (str_eqz(key, "after")) {
		w->after = value;
		return 0;
	}
	if (str_eqz(key, "limit"))
		return admin_query_limit(value, &w->limit, err);
	if (w->kind->set != NULL)
		return w->kind->set(w, key, value, err);
	return admin_query_unknown(key, w->kind->keys, err);
}

int
walk_query(struct walk *w)
{
	struct exchange *e = w->exchange;

	e->owner = NULL;
	e->on_end = NULL;
	if (admin_query(e, set_pair, w) != 0) {
		walk_free(w);
		return -1;
	}
	e->owner = w;
	e->on_end = on_ended;
	return 0;
}

/* ---- one site ----------------------------------------------------------- */

static json_t *
json_event(const char *reference, int64_t at)
{
	if (at == 0)
		return json_null();
	return json_pack("{s:o, s:o}", "reference",
	    admin_json_text(reference != NULL ? reference : ""), "at",
	    admin_json_time(at));
}

static json_t *
json_site(const struct walk *w, const struct site *s, const char *ring)
{
	char address[SITE_TEXT_MAX];
	unsigned state = w->kind->state_of(w, s);
	json_t *failed = json_event(s->failed, s->failed_at);
	json_t *site;

	if (json_is_object(failed))
		(void)json_object_set_new(
		    failed, "status", json_integer(s->failed_status));
	site = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", s->name,
	    "named_by", site_origin_name(s->origin), "address",
	    site_address_text(s->address, address), "ring", ring, "state",
	    w->kind->states[state]);
	(void)json_object_set_new(
	    site, "first_seen_at", admin_json_time(s->first_seen_at));
	(void)json_object_set_new(
	    site, "last_seen_at", admin_json_time(s->last_seen_at));
	(void)json_object_set_new(
	    site, "requests", json_integer((json_int_t)s->n_requests));
	(void)json_object_set_new(
	    site, "errors", json_integer((json_int_t)s->n_errors));
	(void)json_object_set_new(
	    site, "bytes", json_integer((json_int_t)s->bytes));
	(void)json_object_set_new(
	    site, "last_pulled", json_event(s->pulled, s->pulled_at));
	(void)json_object_set_new(site, "last_error", failed);
	if (w->kind->show != NULL)
		w->kind->show(w, s, site);
	return site;
}

static bool
is_behind(struct str after, const char *name)
{
	struct str mine = str_of(name);
	size_t n = after.n < mine.n ? after.n : mine.n;
	int order = n > 0 ? memcmp(mine.p, after.p, n) : 0;

	return order > 0 || (order == 0 && mine.n > after.n);
}

static bool
is_wanted(const struct walk *w, const struct site *s, unsigned state,
    const char *ring)
{
	if (w->after.p != NULL && !is_behind(w->after, s->name))
		return false;
	if (w->ring.p != NULL && !str_eqz(w->ring, ring))
		return false;
	if (w->state != w->kind->n_states && w->state != state)
		return false;
	return w->kind->is_asked == NULL || w->kind->is_asked(w, s);
}

static void
visit(struct walk *w, struct site *s)
{
	const char *ring = sites_ring(w->admin->spec.sites, s, w->config);
	unsigned state = w->kind->state_of(w, s);

	w->counts[s->ring][state]++;
	if (w->has_more || !is_wanted(w, s, state, ring))
		return;
	w->has_more = json_array_size(w->page) == w->limit;
	if (!w->has_more)
		(void)json_array_append_new(w->page, json_site(w, s, ring));
}

/* ---- the answer --------------------------------------------------------- */

static json_t *
json_ring(const struct walk *w, size_t ring)
{
	json_t *value = json_pack("{s:s}", "ring", w->config->rings[ring]);
	uint64_t all = 0;

	for (size_t i = 0; i < w->kind->n_states; i++) {
		all += w->counts[ring][i];
		(void)json_object_set_new(value, w->kind->states[i],
		    json_integer((json_int_t)w->counts[ring][i]));
	}
	(void)json_object_set_new(
	    value, "sites", json_integer((json_int_t)all));
	return value;
}

static void
answer(struct walk *w)
{
	struct exchange *e = w->exchange;
	size_t n = json_array_size(w->page);
	json_t *last = json_object_get(json_array_get(w->page, n - 1), "name");
	json_t *rings = json_array(), *value = w->answer;

	for (size_t i = 0; i < w->config->n_rings; i++)
		(void)json_array_append_new(rings, json_ring(w, i));
	(void)json_object_set_new(value, "rings", rings);
	(void)json_object_set_new(
	    value, "next", w->has_more ? json_incref(last) : json_null());
	(void)json_object_set_new(value, "sites", w->page);
	w->answer = w->page = NULL;
	let_go(w);
	admin_reply_json(e, 200, value);
}

static void
on_slice(void *arg)
{
	struct walk *w = arg;
	struct site *s = NULL;

	for (unsigned i = 0; i < SLICE; i++) {
		s = sites_next(
		    w->admin->spec.sites, w->at[0] != '\0' ? w->at : NULL);
		if (s == NULL)
			break;
		visit(w, s);
		(void)snprintf(w->at, sizeof(w->at), "%s", s->name);
	}
	if (s == NULL)
		answer(w);
	else
		timer_set(&w->timer, 0);
}

struct walk *
walk_new(struct admin *a, struct exchange *e, const struct walk_kind *kind,
    void *arg)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct config *config = config_now();
	struct err err;

	if (w != NULL)
		w->counts = calloc(config->n_rings, sizeof(w->counts[0]));
	if (w == NULL || w->counts == NULL) {
		free(w);
		config_unref(config);
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for an answer");
		admin_fail(e, &err, NULL);
		return NULL;
	}
	w->kind = kind;
	w->admin = a;
	w->exchange = e;
	w->config = config;
	w->arg = arg;
	w->now = clock_wall_s();
	w->state = (unsigned)kind->n_states;
	w->limit = LIMIT_DEFAULT;
	w->page = json_array();
	timer_init(&w->timer, a->spec.admin, on_slice, w);
	e->owner = w;
	e->on_end = on_ended;
	return w;
}

void
walk_start(struct walk *w, json_t *beside)
{
	w->answer = beside;
	on_slice(w);
}
