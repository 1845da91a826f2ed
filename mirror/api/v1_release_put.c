/*
 * v1_release_put.c - PUT /v1/releases/NAME: a list is read on a work thread,
 * since ten thousand images take their time, and handed to the releases.
 *
 *	?dry_run=true	what it would cost: release_plan.c; nothing starts
 *	?stores=N	with dry_run: and what N stores would cost without us
 *	?priority=, platforms=, ...: what a body of text has no place for
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/units.h"
#include "loop/work.h"
#include "releases_int.h"

#define STORES_MAX 1000000

struct put {
	struct work work;
	struct release_ask *ask;
	bool is_dry;
	struct plan_question question;
	enum release_format format;
	char *body; /* owned */
	size_t n;
	struct config *config;     /* counted */
	struct release_list *list; /* owned until it is asked for */
	int status;                /* of reading it */
};

static void
put_free(void *arg)
{
	struct put *p = arg;

	free(p->body);
	config_unref(p->config);
	release_list_unref(p->list);
	free(p);
}

/* ---- answers ------------------------------------------------------------ */

/* What tags were pinned to, and by that what every store will get. */
static json_t *
json_pinned(const struct release_view *v)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->list->n_images; i++)
		(void)json_array_append_new(
		    all, json_string(v->list->images[i].reference));
	return all;
}

static void
answer_put(struct release_ask *ask)
{
	const struct release_call *call = &ask->call;
	json_t *o = json_summary(&call->view->summary);

	log_info("release accepted", LOG_Z("release", call->name),
	    LOG_Z("who", call->by),
	    LOG_U64("images", call->view->list->n_images),
	    LOG_Z("list",
		call->is_new            ? "new"
		    : call->has_changed ? "changed"
					: "the same"));
	(void)json_object_set_new(o, "new", json_boolean(call->is_new));
	(void)json_object_set_new(
	    o, "changed", json_boolean(call->has_changed));
	if (call->view->list->resolve_tags)
		(void)json_object_set_new(o, "pinned", json_pinned(call->view));
	admin_reply_json(ask->exchange, call->is_new ? 201 : 200, o);
}

static void
answer_plan(struct link_look *look)
{
	const struct put *p = look->ask->arg;

	admin_reply_json(
	    look->ask->exchange, 200, json_plan(look, &p->question));
}

static void
on_plan(struct release_ask *ask)
{
	look_at_links(ask, answer_plan);
}

/* ---- reading the list --------------------------------------------------- */

static void
run(struct work *work)
{
	struct put *p = container_of(work, struct put, work);
	struct str body = { p->body, p->n };

	p->status = release_list_read(
	    p->list, body, p->format, p->config, &p->ask->call.faults);
}

static void
on_read(struct work *work)
{
	struct put *p = container_of(work, struct put, work);
	struct release_ask *ask = p->ask;
	struct exchange *e = ask->exchange;

	if (p->status != 0 || e == NULL) {
		if (e != NULL) {
			e->owner = NULL;
			e->on_end = NULL;
			ask_fail_faults(e, &ask->call.faults);
		}
		ask_free(ask);
		return;
	}
	ask->call.list = p->list;
	p->list = NULL;
	ask->call.config = config_ref(p->config);
	ask_send(ask);
}

/* ---- the request -------------------------------------------------------- */

static int
set_stores(struct put *p, struct str value, struct err *err)
{
	if (str_u64(value, &p->question.n_stores) &&
	    p->question.n_stores <= STORES_MAX)
		return 0;
	return err_set(
	    err, ERR_BAD_REQUEST, "stores is a number up to %d", STORES_MAX);
}

static int
set_option(void *to, struct str key, struct str value, struct err *err)
{
	struct put *p = to;
	uint64_t yes;

	if (str_eqz(key, "stores"))
		return set_stores(p, value, err);
	if (!str_eqz(key, "dry_run"))
		return release_list_set(p->list, key, value, err);
	if (!units_bool(value, &yes))
		return err_set(
		    err, ERR_BAD_REQUEST, "dry_run is true or false");
	p->is_dry = yes != 0;
	return 0;
}

/* By its type; what curl and its like send unasked says nothing. */
static enum release_format
format_of(const struct http_request *r)
{
	struct str type = r->header[HTTP_CONTENT_TYPE_HEADER];
	struct str body = r->body;

	type.n = str_index(type, ';');
	type = str_trim(type);
	if (str_ieq(type, STR("application/json")))
		return RELEASE_JSON;
	if (str_ieq(type, STR("text/plain")))
		return RELEASE_TEXT;
	if (str_ends(type, STR("/yaml")) || str_ends(type, STR("/x-yaml")))
		return RELEASE_YAML;
	while (body.n > 0 &&
	    (*body.p == ' ' || *body.p == '\t' || *body.p == '\r' ||
		*body.p == '\n'))
		body = str_from(body, 1);
	return body.n > 0 && body.p[0] == '{' ? RELEASE_JSON : RELEASE_TEXT;
}

static struct put *
put_new(struct admin *a, struct exchange *e)
{
	struct put *p = calloc(1, sizeof(*p));
	struct err err;

	if (p != NULL) {
		p->list = release_list_new();
		p->body = str_dup(e->request.body);
		p->n = e->request.body.n;
		p->config = config_now();
		p->format = format_of(&e->request);
	}
	if (p != NULL && p->list != NULL && p->body != NULL)
		p->ask = ask_new(a, e, RELEASE_PUT, answer_put);
	if (p != NULL && p->ask != NULL)
		return p;
	if (p == NULL || p->list == NULL || p->body == NULL) {
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for the list");
		admin_fail(e, &err, NULL);
	}
	if (p != NULL)
		put_free(p);
	return NULL;
}

void
v1_release_put(struct admin *a, struct exchange *e)
{
	struct put *p = put_new(a, e);

	if (p == NULL)
		return;
	p->ask->arg = p;
	p->ask->done = put_free;
	release_faults_init(&p->ask->call.faults);
	if (admin_query(e, set_option, p) != 0) {
		ask_free(p->ask);
		return;
	}
	if (p->is_dry) {
		p->ask->call.verb = RELEASE_PLAN;
		p->ask->answer = on_plan;
	}
	ask_keep(p->ask);
	p->work.home = a->spec.admin;
	p->work.run = run;
	p->work.done = on_read;
	work_submit(a->spec.pool, &p->work);
}
