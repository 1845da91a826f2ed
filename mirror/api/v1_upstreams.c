/*
 * v1_upstreams.c - GET /v1/upstreams: each upstream and its endpoints.
 *
 *	?state=up|down, limit, after
 *
 * In the order of the configuration; `next` is the `after` of the next page,
 * null on the last.
 */
#include <string.h>

#include "admin_int.h"

enum state_filter { STATE_ANY, STATE_UP, STATE_DOWN };

/* In the exchange's arena. */
struct upstreams_query {
	enum state_filter state;
	uint64_t limit;
	struct str after; /* p == NULL: from the start */
};

static int
set_state(struct upstreams_query *q, struct str value, struct err *err)
{
	if (str_eqz(value, "up"))
		q->state = STATE_UP;
	else if (str_eqz(value, "down"))
		q->state = STATE_DOWN;
	else
		return err_set(err, ERR_BAD_REQUEST, "state is up or down");
	return 0;
}

static int
set_pair(void *to, struct str key, struct str value, struct err *err)
{
	struct upstreams_query *q = to;

	if (str_eqz(key, "state"))
		return set_state(q, value, err);
	if (str_eqz(key, "limit"))
		return admin_query_limit(value, &q->limit, err);
	if (!str_eqz(key, "after"))
		return admin_query_unknown(key, "state, limit and after", err);
	q->after = value;
	return 0;
}

/* ---- one upstream ------------------------------------------------------- */

static const char *
breaker_name(enum breaker_state state)
{
	switch (state) {
	case BREAKER_CLOSED:
		return "closed";
	case BREAKER_HALF_OPEN:
		return "half-open";
	case BREAKER_OPEN:
		return "open";
	}
	return "unknown";
}

static const char *
standing_name(enum endpoint_standing standing)
{
	switch (standing) {
	case STANDING_UNTRIED:
		return "untried";
	case STANDING_ONLINE:
		return "online";
	case STANDING_LIMITED:
		return "limited";
	case STANDING_OFFLINE:
		return "offline";
	case STANDING_ERRORS:
		return "errors";
	}
	return "unknown";
}

static json_t *
json_count(int64_t n)
{
	return n >= 0 ? json_integer((json_int_t)n) : json_null();
}

/* What happened to it, without its name. */
static json_t *
json_report(const struct endpoint_report *row)
{
	static const struct endpoint_report nothing = { .ratelimit = -1,
		.ratelimit_remaining = -1 };

	if (row == NULL)
		row = &nothing;
	return json_pack("{s:b, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:b}",
	    "up", report_is_up(row), "state", standing_name(row->standing),
	    "tried", row->was_tried, "breaker", breaker_name(row->breaker),
	    "last_ok_at", admin_json_time(row->last_ok_at), "last_fail_at",
	    admin_json_time(row->last_fail_at), "last_error",
	    row->last_error[0] != '\0' ? admin_json_text(row->last_error)
				       : json_null(),
	    "ratelimit", json_count(row->ratelimit), "ratelimit_remaining",
	    json_count(row->ratelimit_remaining), "distrusted",
	    row->is_distrusted);
}

static json_t *
json_endpoint(
    const struct config_endpoint *c, const struct endpoint_report *row)
{
	bool is_layout = c->kind == ENDPOINT_LAYOUT;
	json_t *endpoint = json_pack("{s:o, s:o, s:o}", "name",
	    admin_json_text(c->name), is_layout ? "layout" : "url",
	    admin_json_text(is_layout ? c->layout : c->url), "link",
	    c->link != NULL ? admin_json_text(c->link->name) : json_null());
	json_t *report = json_report(row);

	if (json_object_update(endpoint, report) != 0) {
		json_decref(endpoint);
		endpoint = NULL;
	}
	json_decref(report);
	return endpoint;
}

static json_t *
json_upstream(const struct report *r, const struct config_upstream *u)
{
	bool is_public = u->visibility == VISIBILITY_PUBLIC;
	json_t *aliases = json_array();
	json_t *endpoints = json_array();

	for (size_t i = 0; i < u->n_aliases; i++)
		(void)json_array_append_new(
		    aliases, admin_json_text(u->aliases[i]));
	for (size_t i = 0; i < u->n_endpoints; i++)
		(void)json_array_append_new(endpoints,
		    json_endpoint(&u->endpoints[i],
			report_endpoint(r, u, &u->endpoints[i])));
	return json_pack("{s:o, s:b, s:o, s:s, s:o}", "name",
	    admin_json_text(u->name), "up", report_has_up(r, u), "aliases",
	    aliases, "visibility", is_public ? "public" : "private",
	    "endpoints", endpoints);
}

/* ---- a page ------------------------------------------------------------- */

/* Index of the first upstream behind AFTER; -1 when that is none of ours. */
static long
first_behind(const struct config *config, struct str after)
{
	if (after.p == NULL)
		return 0;
	for (size_t i = 0; i < config->n_upstreams; i++)
		if (str_eqz(after, config->upstreams[i].name))
			return (long)i + 1;
	return -1;
}

static bool
is_wanted(const struct upstreams_query *q, const struct report *r,
    const struct config_upstream *u)
{
	return q->state == STATE_ANY ||
	    report_has_up(r, u) == (q->state == STATE_UP);
}

static json_t *
json_page(const struct upstreams_query *q, const struct report *r, size_t first)
{
	const struct config *config = report_config(r);
	const struct config_upstream *last = NULL;
	bool has_more = false;
	json_t *list = json_array();

	for (size_t i = first; i < config->n_upstreams; i++) {
		const struct config_upstream *u = &config->upstreams[i];

		if (!is_wanted(q, r, u))
			continue;
		has_more = json_array_size(list) == q->limit;
		if (has_more)
			break;
		(void)json_array_append_new(list, json_upstream(r, u));
		last = u;
	}
	return json_pack("{s:o, s:o}", "upstreams", list, "next",
	    has_more ? admin_json_text(last->name) : json_null());
}

static void
answer(struct admin *a, struct exchange *e, const struct report *r)
{
	const struct upstreams_query *q = report_arg(r);
	long first = first_behind(report_config(r), q->after);
	struct err err;

	(void)a;
	if (first >= 0) {
		admin_reply_json(e, 200, json_page(q, r, (size_t)first));
		return;
	}
	err_set(&err, ERR_BAD_REQUEST, "after names no upstream");
	admin_fail(e, &err, "after");
}

void
v1_upstreams(struct admin *a, struct exchange *e)
{
	struct upstreams_query *q = arena_alloc(&e->arena, sizeof(*q));
	struct err err;

	if (q == NULL) {
		err_set(&err, ERR_TOO_LARGE, "the request is too long");
		admin_fail(e, &err, NULL);
		return;
	}
	q->limit = LIMIT_DEFAULT;
	if (admin_query(e, set_pair, q) == 0)
		report_ask(a, e, answer, q);
}
