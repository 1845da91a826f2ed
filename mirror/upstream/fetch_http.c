/*
 * fetch_http.c - a fetch from a registry.
 *
 *	          +------ 401, once ------+
 *	          v                       |
 *	start -> PASS ---> HOP ---> its status ---> 200, 206: on_head, on_bytes
 *	                    ^         |   |                          |
 *	                    +---------+   +--> all others --> end <--+
 *	                     redirects
 *
 * PASS: waits for what to show the endpoint (token.h).  HOP: a request is under
 * way.  Redirects are followed by hand, so that each hop's headers are made for
 * whom it asks: Authorization goes to the endpoint's own scheme, host and port
 * only, and errors name a redirect's server, never its path or query, which may
 * hold a signature.
 *
 * One timer: until the head is in it is the patience for that, over all hops
 * and tokens; from then on it looks whether bytes still come.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "fetch_int.h"
#include "loop/timer.h"
#include "pace_int.h"
#include "upstream/url.h"

#define REDIRECTS_MAX 5
#define UNWANTED_MAX_BYTES (64u << 10) /* of an error's body */
#define URL_MAX_BYTES (16u << 10)
#define HEADERS_MAX_BYTES (256u << 10)
#define CHALLENGES_MAX_BYTES (8u << 10)

struct http {
	struct fetch *fetch; /* whose kind we are */
	struct hop *hop;     /* owned; NULL: waits for a pass, or has ended */
	struct pass *pass;   /* counted */
	struct pass_wait wait;
	struct timer timer;
	struct paced paced;    /* of what is limited by a link */
	struct buf url;        /* of the hop; terminated */
	char home[ORIGIN_MAX]; /* the endpoint */
	char at[ORIGIN_MAX];   /* whom the hop asks */
	unsigned edition;      /* of what was shown; 0: nothing was */
	unsigned n_redirects;
	bool was_refused;     /* there was a 401 */
	uint64_t unwanted;    /* bytes of a body that nobody wants */
	uint64_t heard_at_ms; /* the last byte */
};

static void http_send(struct http *);

static bool
is_home(const struct http *h)
{
	return strcmp(h->at, h->home) == 0;
}

static uint64_t
now_ms(const struct http *h)
{
	return loop_now_ms(h->fetch->upstreams->loop);
}

static uint64_t
stall_ms(const struct http *h)
{
	const struct config_link *link = h->fetch->spec.endpoint->link;

	return link == NULL || link->stall_ms == 0
	    ? FETCH_STALL_MS
	    : link->stall_ms / FETCH_STALLS;
}

static void
http_close_hop(struct http *h)
{
	h->paced.hop = NULL;
	hop_close(h->hop);
	h->hop = NULL;
}

/* The verdict is there: nothing more is asked or waited for. */
static void
http_end(struct http *h)
{
	timer_stop(&h->timer);
	pass_leave(&h->wait);
	pace_leave(&h->paced);
	http_close_hop(h);
	fetch_end(h->fetch);
}

/* ---- statuses ---------------------------------------------------------- */

static enum err_code
unknown_code(enum fetch_target target)
{
	switch (target) {
	case FETCH_MANIFEST:
		return ERR_MANIFEST_UNKNOWN;
	case FETCH_BLOB:
		return ERR_BLOB_UNKNOWN;
	case FETCH_TAGS:
	case FETCH_REFERRERS:
	case FETCH_PAGE:
		break;
	}
	return ERR_NAME_UNKNOWN;
}

/* A server that a redirect led to does not know who we are and what we may: it
 * refuses a signature that the endpoint has made. */
static void
judge_denied(struct http *h, int status, const char *what)
{
	if (is_home(h))
		(void)fetch_judge(h->fetch, FETCH_DENIED, ERR_DENIED,
		    "%s refuses us the %s (%d); look at `auth` of the upstream",
		    h->at, what, status);
	else
		(void)fetch_judge(h->fetch, FETCH_FAILED, ERR_UPSTREAM_STATUS,
		    "%s, where %s sent us for the %s, refuses it (%d)", h->at,
		    h->home, what, status);
}

static void
judge_status(struct http *h, int status)
{
	struct fetch *f = h->fetch;
	char what[FETCH_WHAT_MAX];

	(void)fetch_what(f, what);
	if (status == 404 || status == 410)
		(void)fetch_judge(f, FETCH_NOT_FOUND,
		    unknown_code(f->spec.target), "%s has no %s (%d)", h->at,
		    what, status);
	else if (status == 401 || status == 403)
		judge_denied(h, status, what);
	else if (status == 429)
		(void)fetch_judge(f, FETCH_LIMITED, ERR_UPSTREAM_LIMITED,
		    "%s says that it is asked too often (429)", h->at);
	else if (status >= 400 && status < 500)
		(void)fetch_judge(f, FETCH_REFUSED,
		    status == 416 ? ERR_RANGE_INVALID : ERR_UPSTREAM_STATUS,
		    "%s refuses the request for the %s (%d)", h->at, what,
		    status);
	else
		(void)fetch_judge(f, FETCH_FAILED, ERR_UPSTREAM_STATUS,
		    "%s answered %d to the request for the %s", h->at, status,
		    what);
}

/* ---- redirects --------------------------------------------------------- */

/* Where to, or NULL and a verdict. */
static const char *
redirect_target(struct http *h, char origin[ORIGIN_MAX])
{
	const char *url = hop_redirect(h->hop);
	const char *why = NULL;

	if (url == NULL)
		why = "without saying where to";
	else if (h->n_redirects++ >= REDIRECTS_MAX)
		why = "again and again";
	else if (url_origin(url, origin) != 0)
		why = "to something that is no http or https URL";
	else if (origin_is_https(h->at) && !origin_is_https(origin))
		why = "from https to http";
	if (why == NULL)
		return url;
	(void)fetch_judge(h->fetch, FETCH_FAILED, ERR_UPSTREAM_STATUS,
	    "%s redirects us %s", h->at, why);
	return NULL;
}

static void
http_redirect(struct http *h)
{
	char origin[ORIGIN_MAX];
	const char *url = redirect_target(h, origin);

	if (url == NULL) {
		http_end(h);
		return;
	}
	buf_reset(&h->url);
	buf_add(&h->url, url, strlen(url) + 1);
	memcpy(h->at, origin, sizeof(h->at));
	http_close_hop(h); /* and with it the URL */
	http_send(h);
}

/* ---- 401 --------------------------------------------------------------- */

/* Challenges may come in several headers. */
static void
gather_challenges(const struct hop *hop, struct buf *out)
{
	struct str one;

	for (size_t i = 0; i < 8; i++) {
		one = hop_header(hop, "WWW-Authenticate", i);
		if (one.p == NULL)
			return;
		buf_addz(out, i > 0 ? ", " : "");
		buf_adds(out, one);
	}
}

static void
http_refused(struct http *h)
{
	struct buf challenges;

	buf_init(&challenges, CHALLENGES_MAX_BYTES);
	gather_challenges(h->hop, &challenges);
	h->was_refused = true;
	pass_refused(h->pass, &h->wait, h->edition, buf_str(&challenges));
	buf_done(&challenges);
	http_close_hop(h);
	http_send(h);
}

/* ---- the end of a hop -------------------------------------------------- */

static bool
is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 ||
	    status == 307 || status == 308;
}

static void
http_look_at_status(struct http *h)
{
	int status = hop_status(h->hop);

	if (is_redirect(status)) {
		http_redirect(h);
		return;
	}
	if (status == 401 && is_home(h) && !h->was_refused) {
		http_refused(h);
		return;
	}
	h->fetch->retry_after_ms = hop_retry_after_ms(h->hop);
	if (status == 200 || status == 206)
		fetch_judge_done(h->fetch);
	else
		judge_status(h, status);
	http_end(h);
}

static void
http_failed(struct http *h, enum fetch_result result, enum err_code code)
{
	if (h->fetch->state == FETCH_IN_HEAD)
		endpoint_answered(h->fetch->endpoint, 0);
	(void)fetch_judge(
	    h->fetch, result, code, "%s", hop_error(h->hop)->text);
	http_end(h);
}

static void
on_hop_end(void *arg)
{
	struct http *h = arg;

	/* An error's body that is too long, or cut, is an error's all the
	 * same. */
	switch (hop_end(h->hop)) {
	case HOP_DONE:
		http_look_at_status(h);
		return;
	case HOP_STOPPED:
		if (fetch_is_judged(h->fetch))
			http_end(h);
		else
			http_look_at_status(h);
		return;
	case HOP_BROKEN:
		if (h->fetch->state == FETCH_IN_BODY)
			http_failed(h, FETCH_BROKEN, ERR_UPSTREAM_BROKEN);
		else
			http_look_at_status(h);
		return;
	case HOP_UNREACHABLE:
		http_failed(h, FETCH_UNREACHABLE, ERR_UPSTREAM_DOWN);
		return;
	case HOP_GARBAGE:
		http_failed(h, FETCH_FAILED, ERR_UPSTREAM_STATUS);
		return;
	case HOP_RUNNING:
		break;
	}
	unreachable("a hop has ended and runs");
}

/* ---- head and body (inside of libcurl) --------------------------------- */

static bool
is_wanted(const struct http *h)
{
	int status = hop_status(h->hop);

	return status == 200 || status == 206;
}

static int
on_hop_head(void *arg)
{
	struct http *h = arg;
	struct fetch *f = h->fetch;
	struct fetch_head head;

	endpoint_answered(f->endpoint, hop_status(h->hop));
	if (is_home(h))
		endpoint_ratelimit(f->endpoint, f->upstreams,
		    hop_header(h->hop, "RateLimit-Limit", 0),
		    hop_header(h->hop, "RateLimit-Remaining", 0));
	h->unwanted = 0;
	if (!is_wanted(h))
		return 0;
	h->heard_at_ms = now_ms(h);
	timer_set(&h->timer, stall_ms(h));
	if (fetch_read_head(f, h->hop, &head) != 0)
		return -1;
	return fetch_give_head(f, &head);
}

static int
take_piece(struct http *h, const void *bytes, size_t n)
{
	if (h->paced.state == PACED_RUNS) {
		if (!pace_may(&h->paced))
			return HOP_LATER;
		pace_take(&h->paced, n);
	}
	return fetch_give_bytes(h->fetch, bytes, n);
}

static int
on_hop_bytes(void *arg, const void *bytes, size_t n)
{
	struct http *h = arg;

	if (is_wanted(h)) {
		h->heard_at_ms = now_ms(h);
		return take_piece(h, bytes, n);
	}
	h->unwanted += n;
	return h->unwanted > UNWANTED_MAX_BYTES ? -1 : 0;
}

/* ---- time -------------------------------------------------------------- */

static void
judge_silence(struct http *h)
{
	double s = (double)h->fetch->upstreams->first_byte_ms / 1000;

	if (h->hop == NULL) {
		(void)fetch_judge(h->fetch, FETCH_FAILED, ERR_UPSTREAM_DOWN,
		    "there was no token for %s within %g s", h->home, s);
		return;
	}
	endpoint_answered(h->fetch->endpoint, 0);
	(void)fetch_judge(h->fetch, FETCH_UNREACHABLE, ERR_UPSTREAM_DOWN,
	    "%s did not answer within %g s", h->at, s);
}

static void
on_time(void *arg)
{
	struct http *h = arg;
	uint64_t idle_ms = now_ms(h) - h->heard_at_ms;

	if (h->fetch->state == FETCH_IN_HEAD) {
		judge_silence(h);
	} else if (pace_is_waiting(&h->paced)) {
		timer_set(&h->timer, stall_ms(h)); /* it is us who wait */
		return;
	} else if (idle_ms < stall_ms(h)) {
		timer_set(&h->timer, stall_ms(h) - idle_ms);
		return;
	} else {
		(void)fetch_judge(h->fetch, FETCH_BROKEN, ERR_UPSTREAM_BROKEN,
		    "%s has sent nothing for %g s", h->at,
		    (double)idle_ms / 1000);
	}
	http_end(h);
}

/* ---- sending ----------------------------------------------------------- */

static void
http_hop(struct http *h, const char *authorization)
{
	const struct fetch_spec *s = &h->fetch->spec;
	const struct config_link *link = s->endpoint->link;
	struct hop_spec spec = {
		.curl = h->fetch->upstreams->curl,
		.method = s->is_head ? HOP_HEAD : HOP_GET,
		.url = h->url.p,
		.ca = s->endpoint->ca,
		.is_ca_alone = is_home(h),
		.proxy = link == NULL ? NULL : link->proxy,
		.interface = link == NULL ? NULL : link->interface,
		.connect_ms = h->fetch->upstreams->connect_ms,
		.on_head = on_hop_head,
		.on_bytes = on_hop_bytes,
		.on_end = on_hop_end,
		.arg = h,
	};
	struct buf headers;
	struct err err;

	pace_sizes(&h->paced, &spec.read_bytes, &spec.kernel_bytes);
	buf_init(&headers, HEADERS_MAX_BYTES);
	fetch_write_headers(s, authorization, &headers);
	(void)err_set(&err, ERR_TOO_LARGE, "the request is too long");
	if (!headers.overflow && !h->url.overflow) {
		spec.headers = headers.p;
		h->hop = hop_start(&spec, &err);
	}
	if (headers.n > 0)
		explicit_bzero(headers.p, headers.n);
	buf_done(&headers);
	h->paced.hop = h->hop;
	if (h->hop != NULL)
		return;
	(void)fetch_judge(
	    h->fetch, FETCH_FAILED, err.code, "%s: %s", h->at, err.text);
	http_end(h);
}

static void
http_send(struct http *h)
{
	const char *authorization = NULL;

	h->edition = 0;
	if (!is_home(h)) {
		http_hop(h, NULL);
		return;
	}
	switch (pass_show(h->pass, &h->wait, &authorization, &h->edition)) {
	case PASS_OPEN:
	case PASS_SHOW:
		http_hop(h, authorization);
		return;
	case PASS_WAIT:
		return;
	case PASS_FAILED:
		break;
	}
	(void)fetch_judge(
	    h->fetch, h->wait.result, h->wait.err.code, "%s", h->wait.err.text);
	http_end(h);
}

static void
on_pass(struct pass_wait *w)
{
	http_send(container_of(w, struct http, wait));
}

/* ---- the link ----------------------------------------------------------- */

static void
on_room(struct paced *p)
{
	struct http *h = container_of(p, struct http, paced);

	timer_set(&h->timer, h->fetch->upstreams->first_byte_ms);
	http_send(h);
}

static void
on_cut(struct paced *p, const struct err *why)
{
	struct http *h = container_of(p, struct http, paced);

	if (h->fetch->state == FETCH_HAS_ENDED)
		return;
	(void)fetch_judge(
	    h->fetch, FETCH_HELD, why->code, "%s: %s", h->home, why->text);
	http_end(h);
}

/* False: it waits for a connection.  A head alone is no transfer. */
static bool
http_enter_link(struct http *h)
{
	const struct fetch_spec *s = &h->fetch->spec;
	struct link_state *link =
	    link_state_of(h->fetch->upstreams, s->endpoint);

	h->paced.on_room = on_room;
	h->paced.on_cut = on_cut;
	if (link == NULL || s->is_head)
		return true;
	return pace_enter(link, &h->paced, s->class, s->target == FETCH_BLOB);
}

static void
http_set_class(struct fetch *f)
{
	struct http *h = f->of_kind;

	pace_set_class(&h->paced, f->spec.class);
}

/* ---- birth and death --------------------------------------------------- */

static void
http_free(struct http *h)
{
	timer_stop(&h->timer);
	pass_leave(&h->wait);
	pace_leave(&h->paced);
	pass_unref(h->pass);
	hop_close(h->hop);
	buf_done(&h->url);
	free(h);
}

static int
http_take_pass(struct http *h, struct err *err)
{
	const struct fetch_spec *s = &h->fetch->spec;
	struct pass_key key = { .config = s->config,
		.upstream = s->upstream,
		.endpoint = s->endpoint,
		.origin = h->home,
		.repository = s->repository };

	h->pass = pass_get(h->fetch->upstreams->passes, &key, err);
	return h->pass == NULL ? -1 : 0;
}

/* What cannot be asked is an end like others. */
static int
http_begin(struct http *h, struct err *err)
{
	const struct fetch_spec *s = &h->fetch->spec;

	if (fetch_write_url(s, &h->url, err) != 0) {
		(void)fetch_judge(
		    h->fetch, FETCH_FAILED, err->code, "%s", err->text);
		http_end(h);
		return 0;
	}
	check(url_origin(s->endpoint->url, h->home) == 0);
	memcpy(h->at, h->home, sizeof(h->at));
	if (http_take_pass(h, err) != 0)
		return -1;
	if (http_enter_link(h))
		on_room(&h->paced);
	return 0;
}

static int
http_start(struct fetch *f, struct err *err)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a fetch");
	h->fetch = f;
	h->wait.on_ready = on_pass;
	timer_init(&h->timer, f->upstreams->loop, on_time, h);
	buf_init(&h->url, URL_MAX_BYTES);
	if (http_begin(h, err) != 0) {
		http_free(h);
		return -1;
	}
	f->of_kind = h;
	return 0;
}

static void
http_stop(struct fetch *f)
{
	http_free(f->of_kind);
	f->of_kind = NULL;
}

const struct fetch_kind fetch_kind_http = { http_start, http_stop,
	http_set_class };
