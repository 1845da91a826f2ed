/*
 * v1_releases.c - GET /v1/releases, GET and DELETE /v1/releases/NAME, and what
 * can be said to one: POST /v1/releases/NAME/{retry,hold,resume,verify}.
 *
 *	/v1/releases		?state=&limit=&after=NAME
 *	/v1/releases/NAME	?state=&limit=&after=INDEX, or ?image=INDEX
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "releases_int.h"

/* In the exchange's arena. */
struct page {
	unsigned of_state; /* a bit each; 0: all */
	uint64_t limit;
	struct str after; /* empty: from the first */
	bool has_image;
	uint64_t image;
};

static int
set_page(void *to, struct str key, struct str value, struct err *err)
{
	struct page *p = to;

	if (str_eqz(key, "state"))
		return json_states(value, &p->of_state, err);
	if (str_eqz(key, "limit"))
		return admin_query_limit(value, &p->limit, err);
	if (!str_eqz(key, "after"))
		return admin_query_unknown(key, "state, limit and after", err);
	p->after = value;
	return 0;
}

static struct page *
page_new(struct exchange *e, admin_query_fn *set)
{
	struct page *p = arena_alloc(&e->arena, sizeof(*p));
	struct err err;

	if (p == NULL) {
		(void)err_set(&err, ERR_TOO_LARGE, "the request is too long");
		admin_fail(e, &err, NULL);
		return NULL;
	}
	p->limit = LIMIT_DEFAULT;
	return admin_query(e, set, p) == 0 ? p : NULL;
}

/* ---- all of them -------------------------------------------------------- */

static bool
is_on_page(const struct page *p, const struct release_summary *s)
{
	if (p->of_state != 0 && (p->of_state >> s->state & 1) == 0)
		return false;
	return p->after.n == 0 || strcmp(s->name, p->after.p) > 0;
}

static void
answer_list(struct release_ask *ask)
{
	const struct release_overview *o = ask->call.overview;
	const struct page *p = ask->arg;
	json_t *all = json_array(), *next = json_null();

	for (size_t i = 0; i < o->n; i++) {
		if (!is_on_page(p, &o->all[i]))
			continue;
		if (json_array_size(all) == p->limit) {
			next = json_object_get(
			    json_array_get(all, p->limit - 1), "release");
			json_incref(next);
			break;
		}
		(void)json_array_append_new(all, json_summary(&o->all[i]));
	}
	admin_reply_json(ask->exchange, 200,
	    json_pack("{s:o, s:o, s:o, s:I, s:b}", "releases", all, "next",
		next, "freeze", json_freeze(&o->freeze), "lag_seconds",
		(json_int_t)o->lag_s, "known", o->is_read));
}

void
v1_releases(struct admin *a, struct exchange *e)
{
	struct page *p = page_new(e, set_page);
	struct release_ask *ask =
	    p != NULL ? ask_new(a, e, RELEASES_LIST, answer_list) : NULL;

	if (ask == NULL)
		return;
	p->after = arena_copy(&e->arena, p->after); /* terminated */
	ask->arg = p;
	ask_send(ask);
}

/* ---- one of them -------------------------------------------------------- */

static int
set_image(void *to, struct str key, struct str value, struct err *err)
{
	struct page *p = to;

	if (!str_eqz(key, "image"))
		return set_page(to, key, value, err);
	p->has_image = true;
	if (str_u64(value, &p->image))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "image is an index, from 0");
}

static void
answer_images(struct release_ask *ask)
{
	const struct release_view *v = ask->call.view;
	const struct page *p = ask->arg;
	json_t *o = json_summary(&v->summary), *images = json_array();
	size_t n = v->n_images;

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(images, json_image(&v->images[i]));
	(void)json_object_set_new(o, "list", images);
	(void)json_object_set_new(o, "next",
	    n == p->limit ? json_integer((json_int_t)v->images[n - 1].index + 1)
			  : json_null());
	admin_reply_json(ask->exchange, 200, o);
}

static void
answer_image(struct release_ask *ask)
{
	const struct release_view *v = ask->call.view;
	json_t *digests = json_array(), *o;

	for (size_t i = 0; i < v->n_digests; i++)
		(void)json_array_append_new(
		    digests, json_digest(&v->digests[i]));
	o = v->n_images > 0 ? json_image(&v->images[0]) : json_object();
	(void)json_object_set_new(o, "parts", digests);
	admin_reply_json(ask->exchange, 200, o);
}

/* False: it was answered. */
static bool
read_after(struct exchange *e, const struct page *p, uint64_t *after)
{
	struct err err;

	*after = 0;
	if (p->after.n == 0 || str_u64(p->after, after))
		return true;
	(void)err_set(&err, ERR_BAD_REQUEST,
	    "after is an index: what the page before gave as next");
	admin_fail(e, &err, "after");
	return false;
}

void
v1_release(struct admin *a, struct exchange *e)
{
	struct page *p = page_new(e, set_image);
	struct release_ask *ask;
	uint64_t after;

	if (p == NULL || !read_after(e, p, &after))
		return;
	ask = p->has_image ? ask_new(a, e, RELEASE_IMAGE, answer_image)
			   : ask_new(a, e, RELEASE_IMAGES, answer_images);
	if (ask == NULL)
		return;
	ask->arg = p;
	ask->call.of_state = p->of_state;
	ask->call.after = (size_t)(p->has_image ? p->image : after);
	ask->call.limit = (size_t)p->limit;
	ask_send(ask);
}

/* ---- what is said to one ------------------------------------------------ */

static void
answer_deleted(struct release_ask *ask)
{
	log_info("release deleted", LOG_Z("release", ask->call.name),
	    LOG_Z("who", ask->call.by));
	admin_reply_json(ask->exchange, 200,
	    json_pack(
		"{s:s, s:b}", "release", ask->call.name, "deleted", true));
}

void
v1_release_delete(struct admin *a, struct exchange *e)
{
	struct release_ask *ask = ask_new(a, e, RELEASE_DELETE, answer_deleted);

	if (ask != NULL)
		ask_send(ask);
}

static void
answer_summary(struct release_ask *ask)
{
	admin_reply_json(
	    ask->exchange, 200, json_summary(&ask->call.view->summary));
}

static int
set_reason(void *to, struct str key, struct str value, struct err *err)
{
	struct release_call *call = to;

	if (!str_eqz(key, "reason"))
		return admin_query_unknown(key, "reason", err);
	(void)str_printable(value, call->reason, sizeof(call->reason));
	return 0;
}

static void
say(struct admin *a, struct exchange *e, enum release_verb verb, ask_fn *answer)
{
	struct release_ask *ask = ask_new(a, e, verb, answer);

	if (ask == NULL)
		return;
	if (admin_query(e, set_reason, &ask->call) != 0) {
		ask_free(ask);
		return;
	}
	log_info("release told", LOG_Z("release", ask->call.name),
	    LOG_Z("what",
		verb == RELEASE_HOLD         ? "hold"
		    : verb == RELEASE_RETRY  ? "retry"
		    : verb == RELEASE_VERIFY ? "verify"
					     : "resume"),
	    LOG_Z("who", ask->call.by), LOG_Z("reason", ask->call.reason));
	ask_send(ask);
}

void
v1_release_retry(struct admin *a, struct exchange *e)
{
	say(a, e, RELEASE_RETRY, answer_summary);
}

void
v1_release_hold(struct admin *a, struct exchange *e)
{
	say(a, e, RELEASE_HOLD, answer_summary);
}

void
v1_release_resume(struct admin *a, struct exchange *e)
{
	say(a, e, RELEASE_RESUME, answer_summary);
}

static void
answer_verified(struct release_ask *ask)
{
	const struct release_verified *v = &ask->call.verified;

	admin_reply_json(ask->exchange, 200,
	    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "release",
		ask->call.name, "digests", (json_int_t)v->n_digests, "bytes",
		(json_int_t)v->bytes, "missing", (json_int_t)v->n_missing,
		"corrupt", (json_int_t)v->n_corrupt, "unread",
		(json_int_t)v->n_unread, "why",
		v->n_unread > 0 ? admin_json_text(v->why) : json_null()));
}

void
v1_release_verify(struct admin *a, struct exchange *e)
{
	say(a, e, RELEASE_VERIFY, answer_verified);
}
