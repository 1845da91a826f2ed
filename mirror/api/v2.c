/*
 * v2.c - the data plane's entrance: which upstream, which kind, and what all
 * pulls have in common: errors, headers, counting, the access log.
 */
#include "api/v2.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uri.h"
#include "http/range.h"
#include "oci/error.h"
#include "v2_int.h"

#define ERROR_BODY_MAX 2048

/* ---- birth and death --------------------------------------------------- */

struct v2 *
v2_new(struct cache *cache, struct loop *serve, struct pulls *pulls,
    struct config *config, struct err *err)
{
	struct v2 *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a serve loop");
		return NULL;
	}
	v->loop = serve;
	v->pulls = pulls;
	v->config = config_ref(config);
	v->port = cache_port_new(cache, serve, err);
	if (v->port == NULL) {
		v2_free(v);
		return NULL;
	}
	return v;
}

void
v2_free(struct v2 *v)
{
	if (v == NULL)
		return;
	cache_port_free(v->port);
	config_unref(v->config);
	free(v);
}

void
v2_set_config(struct v2 *v, struct config *config)
{
	config_unref(v->config);
	v->config = config_ref(config);
	memset(&v->traffic, 0, sizeof(v->traffic));
}

/* ---- what is counted and logged ---------------------------------------- */

void
pull_count(struct pull *p, enum traffic_result result)
{
	if (p->is_counted || p->key.kind == KIND_COUNT)
		return;
	p->is_counted = true;
	p->key.result = result;
	traffic_began(&p->v2->traffic, &p->key);
}

static const char *
end_name(enum exchange_end end)
{
	switch (end) {
	case END_SENT:
		return "sent";
	case END_GONE:
		return "gone";
	case END_CUT:
		return "cut";
	}
	unreachable("exchange_end");
}

static void
log_access(const struct pull *p, enum exchange_end end, uint64_t duration_us)
{
	const struct exchange *x = p->x;
	const struct http_request *r = &x->request;

	log_info("request", LOG_U64("id", x->id), LOG_STR("peer", x->peer_text),
	    LOG_STR("site", site_id_name(&p->site)),
	    LOG_STR("method", r->method_text), LOG_STR("target", r->target),
	    LOG_I64("status", x->status),
	    LOG_Z("result",
		p->is_counted ? traffic_result_name(p->key.result) : ""),
	    LOG_Z("upstream", p->is_routed ? p->target.upstream->name : ""),
	    LOG_U64("bytes", x->body_sent), LOG_U64("duration_us", duration_us),
	    LOG_Z("end", end_name(end)),
	    LOG_STR("agent", r->header[HTTP_USER_AGENT_HEADER]));
}

static void
count_end(struct pull *p, uint64_t duration_us)
{
	const struct exchange *x = p->x;
	struct traffic_end end = { .body_bytes = x->body_sent,
		.duration_us = duration_us };

	if (x->first_byte_us > x->started_us)
		end.first_byte_us = x->first_byte_us - x->started_us;
	pull_count(p, RESULT_MISS); /* gone before anything was known */
	traffic_ended(&p->v2->traffic, &p->key, &end);
}

static enum pull_outcome
outcome_of(const struct pull *p, enum exchange_end end)
{
	if (p->x->status >= 400 || end == END_CUT)
		return PULL_BAD;
	return end == END_SENT ? PULL_GOOD : PULL_LEFT;
}

static void
note_site(const struct pull *p, enum exchange_end end)
{
	struct pull_note note = { .site = &p->site,
		.digest = &p->route.digest,
		.tag = p->route.tag,
		.is_head = p->x->request.method == HTTP_HEAD,
		.outcome = outcome_of(p, end),
		.status = p->x->status,
		.bytes = p->x->body_sent };

	note.is_measured = p->is_counted && p->key.result != RESULT_ERROR &&
	    traffic_is_in_ratio(&p->key);
	note.is_hit =
	    p->key.result == RESULT_HIT || p->key.result == RESULT_STALE;
	if (p->is_routed)
		note.scope = target_scope(&p->target);
	if (p->sent.alg != 0 && note.outcome == PULL_GOOD && !note.is_head)
		note.manifest = &p->sent;
	pulls_note(p->v2->pulls, &note);
}

static void
on_end(struct exchange *x, enum exchange_end end)
{
	struct pull *p = x->owner;
	uint64_t duration_us = clock_mono_us() - x->started_us;

	if (p->key.kind != KIND_COUNT)
		count_end(p, duration_us);
	note_site(p, end);
	if (p->key.config->log.access)
		log_access(p, end, duration_us);
	if (p->has_timer)
		timer_stop(&p->timer);
	ticket_close(&p->ticket);
	v2_blob_gone(p);
	if (p->is_routed)
		target_done(&p->target);
	free(p->copy);
	config_unref((struct config *)p->key.config);
}

/* ---- replies ----------------------------------------------------------- */

void
pull_start(struct pull *p, int status)
{
	reply_start(p->x, status);
	reply_header(
	    p->x, "Docker-Distribution-Api-Version", STR("registry/2.0"));
	if (p->is_routed)
		reply_header(
		    p->x, "OCI-Namespace", str_of(p->target.upstream->name));
}

void
pull_error(struct pull *p, const struct err *err)
{
	struct buf body;

	if (p->has_timer)
		timer_stop(&p->timer);
	pull_count(p, RESULT_ERROR);
	buf_init(&body, ERROR_BODY_MAX);
	oci_error_json(&body, err);
	pull_start(p, err_http_status(err->code));
	if (err->code == ERR_UNSUPPORTED)
		reply_header(p->x, "Allow", STR("GET, HEAD"));
	reply_header(p->x, "Content-Type", STR("application/json"));
	pull_bytes(p, buf_str(&body));
	buf_done(&body);
}

struct str
pull_etag(const struct digest *digest, char text[ETAG_TEXT_MAX])
{
	size_t n;

	text[0] = '"';
	n = 1 + strlen(digest_text(digest, text + 1));
	text[n++] = '"';
	return (struct str){ text, n };
}

bool
pull_is_not_modified(const struct pull *p, const struct digest *digest)
{
	struct str asked = p->x->request.header[HTTP_IF_NONE_MATCH_HEADER];
	char text[ETAG_TEXT_MAX];

	return asked.p != NULL && etag_matches(asked, pull_etag(digest, text));
}

void
pull_content_headers(
    struct pull *p, const struct digest *digest, bool is_by_digest)
{
	char text[ETAG_TEXT_MAX];
	struct str etag = pull_etag(digest, text);

	reply_header(p->x, "Docker-Content-Digest",
	    (struct str){ etag.p + 1, etag.n - 2 });
	reply_header(p->x, "ETag", etag);
	reply_header(p->x, "Cache-Control",
	    is_by_digest ? STR("max-age=31536000, immutable")
			 : STR("no-cache"));
}

void
pull_stale_header(struct pull *p)
{
	if (p->is_stale)
		reply_header(p->x, "Warning",
		    STR("299 - \"the upstream can't be asked; this is what it "
			"said last\""));
}

void
pull_bytes(struct pull *p, struct str bytes)
{
	if (p->x->request.method == HTTP_HEAD) {
		reply_length(p->x, bytes.n);
		return;
	}
	if (bytes.n <= REPLY_COPIED_BYTES) {
		reply_bytes(p->x, bytes);
		return;
	}
	p->copy = str_dup(bytes);
	if (p->copy == NULL)
		reply_cut(p->x);
	else
		reply_bytes(p->x, (struct str){ p->copy, bytes.n });
}

/* ---- waiting for the origin loop --------------------------------------- */

void
pull_patience(struct pull *p, uint64_t ms, timer_fn *on_timer)
{
	uint64_t gone_ms = (clock_mono_us() - p->x->started_us) / 1000;
	uint64_t left_ms =
	    gone_ms < PULL_PATIENCE_MS ? PULL_PATIENCE_MS - gone_ms : 0;

	if (ms > left_ms)
		ms = left_ms;
	if (p->has_timer)
		timer_stop(&p->timer);
	timer_init(&p->timer, p->v2->loop, on_timer, p);
	p->has_timer = true;
	timer_set(&p->timer, ms);
}

static void
on_impatient(void *arg)
{
	struct pull *p = arg;
	struct err err;

	ticket_close(&p->ticket);
	(void)err_set(&err, ERR_TIMED_OUT,
	    "%s: the upstream did not answer within %d s; try again",
	    p->target.scope, PULL_PATIENCE_MS / 1000);
	pull_error(p, &err);
}

void
pull_ask(struct pull *p, enum ask_kind kind, void (*on_answer)(struct ticket *))
{
	struct err err;

	p->ticket.on_answer = on_answer;
	if (ticket_ask(p->v2->port, &p->ticket, kind, &p->target, &err) != 0) {
		pull_error(p, &err);
		return;
	}
	pull_patience(p, PULL_PATIENCE_MS, on_impatient);
}

enum traffic_result
pull_answer_result(const struct pull *p)
{
	if (p->ticket.answer->is_stale)
		return RESULT_STALE;
	if (p->ticket.answer->is_hit)
		return RESULT_HIT;
	return p->ticket.has_joined ? RESULT_JOIN : RESULT_MISS;
}

/* ---- the entrance ------------------------------------------------------ */

static int
check_method(const struct http_request *r, struct err *err)
{
	if (r->method == HTTP_GET || r->method == HTTP_HEAD)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
	    "this is a read-only mirror: only GET and HEAD are served; push to "
	    "the upstream itself");
}

static int
find_route(struct pull *p, struct err *err)
{
	const struct http_request *r = &p->x->request;
	struct config *config = p->v2->config;
	struct str ns;

	if (check_method(r, err) != 0 ||
	    route_parse(&p->x->arena, r->path, &p->route, err) != 0)
		return -1;
	if (!uri_query(&p->x->arena, r->query, STR("ns"), &ns))
		return err_set(err, ERR_BAD_REQUEST,
		    "the query's ns is not well percent-encoded");
	if (p->route.kind == ROUTE_BASE)
		return 0;
	if (p->route.kind == ROUTE_PUSH)
		return err_set(err, ERR_UNSUPPORTED,
		    "this is a read-only mirror: uploads are not served; push "
		    "to the upstream itself");
	if (route_upstream(&p->x->arena, config, ns,
		r->header[HTTP_HOST_HEADER], &p->route, err) != 0)
		return -1;
	target_init(&p->target, config, p->route.upstream, p->route.repository);
	p->is_routed = true;
	p->key.upstream = p->route.upstream;
	p->target.digest = p->route.digest;
	memcpy(p->target.tag, p->route.tag.p != NULL ? p->route.tag.p : "",
	    p->route.tag.n);
	return 0;
}

static enum traffic_kind
kind_of(const struct route *route)
{
	switch (route->kind) {
	case ROUTE_MANIFEST:
		return route->is_by_digest ? KIND_MANIFEST : KIND_TAG;
	case ROUTE_BLOB:
		return KIND_BLOB;
	case ROUTE_TAGS:
		return KIND_TAGS;
	case ROUTE_REFERRERS:
		return KIND_REFERRERS;
	case ROUTE_BASE:
	case ROUTE_PUSH:
		break;
	}
	return KIND_COUNT; /* not counted */
}

static void
send_base(struct pull *p)
{
	pull_start(p, 200);
	reply_header(p->x, "Content-Type", STR("application/json"));
	reply_bytes(p->x, STR("{}\n"));
}

static void
dispatch(struct pull *p)
{
	switch (p->route.kind) {
	case ROUTE_BASE:
		send_base(p);
		return;
	case ROUTE_MANIFEST:
		v2_manifest(p);
		return;
	case ROUTE_BLOB:
		v2_blob(p);
		return;
	case ROUTE_TAGS:
	case ROUTE_REFERRERS:
		v2_list(p);
		return;
	case ROUTE_PUSH:
		break;
	}
	unreachable("route_kind");
}

static struct pull *
pull_new(struct v2 *v, struct exchange *x)
{
	struct pull *p = arena_alloc(&x->arena, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->v2 = v;
	p->x = x;
	site_id_set(&p->site, x->client_name,
	    x->request.header[HTTP_SITE_HEADER], x->peer);
	p->key.config = config_ref(v->config);
	p->key.kind = KIND_COUNT;
	p->key.is_get = x->request.method == HTTP_GET;
	p->key.ring = config_ring(v->config, site_id_name(&p->site), x->peer);
	x->owner = p;
	x->on_end = on_end;
	return p;
}

void
v2_handle(struct exchange *x, void *arg)
{
	struct v2 *v = arg;
	struct pull *p = pull_new(v, x);
	struct err err;

	if (p == NULL) { /* the joined headers took the arena's room */
		reply_text(x, 431, "application/json",
		    STR("{\"errors\":[{\"code\":\"BAD_REQUEST\",\"message\":"
			"\"the request's headers are too large\","
			"\"detail\":null}]}"));
		return;
	}
	if (find_route(p, &err) != 0) {
		p->key.kind = kind_of(&p->route);
		pull_error(p, &err);
		return;
	}
	p->key.kind = kind_of(&p->route);
	dispatch(p);
	lookup_release(v->port);
}
