/*
 * v1_links.c - GET /v1/links: what the links carry; PATCH /v1/links/NAME: an
 * operator's word on one.
 *
 * Links live on the origin loop: a request goes there and back as a letter.
 * Its client may hang up on the way; then the letter only frees when it comes
 * home, and what was changed stays changed.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_int.h"
#include "common/check.h"
#include "common/log.h"
#include "loop/loop.h"
#include "upstream/links.h"

#define PATH "/v1/links/"
#define NOTE                                                                   \
	"in force until the next reload or restart; write it into the "        \
	"configuration to keep it"

struct links_letter {
	struct letter letter;
	struct admin *admin;       /* borrowed; outlives us */
	struct exchange *exchange; /* NULL: it has ended; admin loop only */
	bool is_change;
	char name[LINK_NAME_MAX];
	struct link_change change;
	char who[128];
	int status;
	struct err err;
	struct link_report now;   /* after a change */
	struct link_report *rows; /* owned; else */
	size_t n;
};

/* ---- as JSON ------------------------------------------------------------ */

static json_t *
json_quota(const struct link_report *r)
{
	if (!r->has_quota)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:o}", "bytes",
	    (json_int_t)r->quota_bytes, "left", (json_int_t)r->quota_left,
	    "reserve", (json_int_t)r->quota_reserve, "resets_at",
	    admin_json_time(r->quota_resets_at));
}

static json_t *
json_classes(const struct link_report *r)
{
	json_t *all = json_object();

	for (enum link_class c = 0; c < CLASS_COUNT; c++) {
		const struct link_class_report *k = &r->classes[c];

		(void)json_object_set_new(all, link_class_name(c),
		    json_pack("{s:I, s:I, s:i, s:i}", "bytes_per_second",
			(json_int_t)k->now, "bytes_today", (json_int_t)k->today,
			"transfers", (int)k->n_running, "waiting",
			(int)k->n_waiting));
	}
	return all;
}

static const char *
state_name(const struct link_report *r)
{
	if (!r->is_up)
		return "out of service";
	return r->is_offline ? "offline" : "online";
}

/* Rates are bytes per second; null: not limited. */
static json_t *
json_link(const struct link_report *r)
{
	return json_pack("{s:o, s:b, s:s, s:o, s:o, s:b, s:i, s:b, s:o, s:o, "
			 "s:o}",
	    "name", admin_json_text(r->name), "up", r->is_up, "state",
	    state_name(r), "rate", admin_json_rate(r->rate), "prewarm",
	    admin_json_rate(r->prewarm), "changed", r->is_changed,
	    "connections", (int)r->connections, "in_window", r->in_window,
	    "window_changes_at", admin_json_time(r->window_changes_at), "quota",
	    json_quota(r), "classes", json_classes(r));
}

/* ---- there and back ----------------------------------------------------- */

static void
on_ended(struct exchange *e, enum exchange_end end)
{
	struct links_letter *l = e->owner;

	(void)end;
	l->exchange = NULL;
}

static void
answer(struct exchange *e, const struct links_letter *l)
{
	json_t *value;

	if (l->status != 0) {
		admin_fail(e, &l->err, "name");
		return;
	}
	if (l->is_change) {
		value = json_link(&l->now);
		(void)json_object_set_new(value, "note", json_string(NOTE));
		admin_reply_json(e, 200, value);
		return;
	}
	value = json_array();
	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(value, json_link(&l->rows[i]));
	admin_reply_json(e, 200, json_pack("{s:o}", "links", value));
}

static void
log_change(const struct links_letter *l)
{
	const struct link_report *r = &l->now;

	log_info("link changed", LOG_Z("link", r->name), LOG_Z("who", l->who),
	    LOG_Z("up", r->is_up ? "yes" : "no"),
	    LOG_U64("rate_bytes", r->rate == RATE_UNLIMITED ? 0 : r->rate),
	    LOG_U64(
		"prewarm_bytes", r->prewarm == RATE_UNLIMITED ? 0 : r->prewarm),
	    LOG_Z("until", "reload or restart"));
}

static void
on_home(struct letter *letter)
{
	struct links_letter *l =
	    container_of(letter, struct links_letter, letter);
	struct exchange *e = l->exchange;

	if (l->is_change && l->status == 0)
		log_change(l);
	if (e != NULL) {
		e->owner = NULL;
		e->on_end = NULL;
		answer(e, l);
	}
	free(l->rows);
	free(l);
}

static int
report(struct upstreams *us, struct links_letter *l)
{
	l->rows = upstreams_report_links(us, &l->n);
	if (l->rows != NULL)
		return 0;
	return err_set(&l->err, ERR_NO_MEMORY, "no memory for an answer");
}

static void
on_origin(struct letter *letter)
{
	struct links_letter *l =
	    container_of(letter, struct links_letter, letter);
	struct upstreams *us = l->admin->spec.upstreams;

	if (l->is_change)
		l->status = upstreams_change_link(
		    us, l->name, &l->change, &l->now, &l->err);
	else
		l->status = report(us, l);
	letter->deliver = on_home;
	loop_post(l->admin->spec.admin, letter);
}

static struct links_letter *
letter_new(struct admin *a, struct exchange *e)
{
	struct links_letter *l = calloc(1, sizeof(*l));
	struct err err;

	if (l == NULL) {
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for an answer");
		admin_fail(e, &err, NULL);
		return NULL;
	}
	l->letter.deliver = on_origin;
	l->admin = a;
	return l;
}

static void
letter_send(struct links_letter *l, struct exchange *e)
{
	l->exchange = e;
	e->owner = l;
	e->on_end = on_ended;
	loop_post(l->admin->spec.origin, &l->letter);
}

/* ---- what is asked ------------------------------------------------------ */

static int
read_rate(const json_t *value, uint64_t *rate, struct err *err)
{
	const char *text = json_string_value(value);

	if (text != NULL && units_rate(str_of(text), rate))
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
	    "a rate is a text like \"20Mbit\", \"unlimited\" or \"off\"");
}

static int
read_field(struct link_change *c, const char *key, const json_t *value,
    struct err *err)
{
	if (strcmp(key, "rate") == 0) {
		c->has_rate = true;
		if (read_rate(value, &c->rate, err) != 0)
			return -1;
		if (c->rate > 0)
			return 0;
		return err_set(err, ERR_BAD_REQUEST,
		    "a link without a rate carries nothing; say up: false to "
		    "take it out of service");
	}
	if (strcmp(key, "prewarm") == 0) {
		c->has_prewarm = true;
		return read_rate(value, &c->prewarm, err);
	}
	if (strcmp(key, "up") != 0)
		return err_set(err, ERR_BAD_REQUEST,
		    "of a link rate, prewarm and up can be changed");
	c->has_up = true;
	c->is_up = json_is_true(value);
	if (json_is_boolean(value))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "up is true or false");
}

static int
read_fields(
    struct link_change *c, json_t *body, const char **field, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(body, key, value)
	{
		*field = key;
		if (read_field(c, key, value, err) != 0)
			return -1;
	}
	*field = NULL;
	if (c->has_rate || c->has_prewarm || c->has_up)
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
	    "the body is a JSON object with rate, prewarm or up");
}

/* False: it was answered. */
static bool
read_change(struct exchange *e, struct link_change *c)
{
	struct str text = e->request.body;
	json_t *body = json_loadb(
	    text.n > 0 ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *field = NULL;
	char shown[64];
	struct err err;
	int rc = read_fields(c, body, &field, &err);

	if (rc != 0)
		admin_fail(e, &err,
		    field == NULL
			? NULL
			: str_printable(str_of(field), shown, sizeof(shown)));
	json_decref(body);
	return rc == 0;
}

void
v1_links(struct admin *a, struct exchange *e)
{
	struct links_letter *l = letter_new(a, e);

	if (l != NULL)
		letter_send(l, e);
}

void
v1_link_change(struct admin *a, struct exchange *e)
{
	struct str name = str_from(e->request.path, sizeof(PATH) - 1);
	struct links_letter *l;
	struct link_change change = { .has_rate = false };

	if (!read_change(e, &change))
		return;
	l = letter_new(a, e);
	if (l == NULL)
		return;
	l->is_change = true;
	l->change = change;
	(void)str_printable(name, l->name, sizeof(l->name));
	admin_caller(a, e, l->who, sizeof(l->who));
	letter_send(l, e);
}
