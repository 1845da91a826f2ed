/*
 * admin.c - the control plane's front door: routes, roles, answers.
 *
 * A request is looked up in the table (404, 405), its caller's role is found
 * (401, 403), its handler called.  Whoever presents a certificate that the
 * admin listener's client CA signed may do everything; a token may do what its
 * role allows; without tokens and client CA everybody may everything.
 */
#include "admin_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/tokens.h"
#include "common/units.h"
#include "common/uri.h"
#include "hits.h"
#include "release_folder.h"

#define ALLOW_MAX 128
#define GATES_SHOWN_MAX 10000

/* clang-format off */
static const struct admin_route {
	enum http_method method;
	const char *path; /* with "/" at its end: a name follows; "*" is one */
	enum role role; /* ROLE_NONE: open to all */
	admin_fn *answer;
} routes[] = {
	{ HTTP_GET, "/healthz",      ROLE_NONE, health_live },
	{ HTTP_GET, "/readyz",       ROLE_NONE, health_ready },
	{ HTTP_GET, "/metrics",      ROLE_READ, metrics_scrape },
	{ HTTP_GET, "/v1/status",    ROLE_READ, v1_status },
	{ HTTP_GET, "/v1/upstreams", ROLE_READ, v1_upstreams },
	{ HTTP_GET, "/v1/hosts",     ROLE_READ, v1_hosts },
	{ HTTP_GET, "/v1/links",     ROLE_READ, v1_links },
	{ HTTP_PATCH, "/v1/links/",  ROLE_OPERATE, v1_link_change },
	{ HTTP_GET, "/v1/sites",     ROLE_READ, v1_sites },
	{ HTTP_GET,    "/v1/releases",           ROLE_READ,    v1_releases },
	{ HTTP_GET,    "/v1/releases/",          ROLE_READ,    v1_release },
	{ HTTP_PUT,    "/v1/releases/",          ROLE_RELEASE, v1_release_put },
	{ HTTP_DELETE, "/v1/releases/",          ROLE_RELEASE, v1_release_delete },
	{ HTTP_GET,    "/v1/releases/*/gate",    ROLE_READ,    v1_gate },
	{ HTTP_GET,    "/v1/releases/*/ready",   ROLE_READ,    v1_ready },
	{ HTTP_GET,    "/v1/releases/*/events",  ROLE_READ,    v1_release_events },
	{ HTTP_GET,    "/v1/releases/*/sites",   ROLE_READ,    v1_release_sites },
	{ HTTP_POST,   "/v1/releases/*/retry",   ROLE_RELEASE, v1_release_retry },
	{ HTTP_POST,   "/v1/releases/*/hold",    ROLE_RELEASE, v1_release_hold },
	{ HTTP_POST,   "/v1/releases/*/resume",  ROLE_RELEASE, v1_release_resume },
	{ HTTP_POST,   "/v1/releases/*/verify",  ROLE_RELEASE, v1_release_verify },
	{ HTTP_GET,    "/v1/freeze",             ROLE_READ,    v1_freeze },
	{ HTTP_PUT,    "/v1/freeze",             ROLE_OPERATE, v1_freeze_put },
	{ HTTP_DELETE, "/v1/freeze",             ROLE_OPERATE, v1_freeze_delete },
};

static const char *const method_names[] = {
	[HTTP_GET] = "GET, HEAD", /* whoever has GET has HEAD */
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",
	[HTTP_DELETE] = "DELETE",
};

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_READ] = "read",
	[ROLE_RELEASE] = "release",
	[ROLE_OPERATE] = "operate",
};
/* clang-format on */

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* ---- answers ------------------------------------------------------------ */

static void
on_reply_end(struct exchange *e, enum exchange_end end)
{
	(void)end;
	free(e->owner);
	e->owner = NULL;
}

/* Takes TEXT; NULL: there was no memory for it. */
static void
finish(struct exchange *e, const char *content_type, char *text, size_t n)
{
	e->owner = text;
	e->on_end = on_reply_end;
	reply_header(e, "Content-Type", str_of(content_type));
	reply_header(e, "Cache-Control", STR("no-store"));
	reply_bytes(e, (struct str){ text, text != NULL ? n : 0 });
}

/* With one header more, unless NAME is NULL. */
static void
reply_json(struct exchange *e, int status, json_t *value, const char *name,
    struct str header)
{
	char *text = value != NULL ? json_dumps(value, 0) : NULL;

	json_decref(value);
	reply_start(e, text != NULL ? status : 503);
	if (name != NULL)
		reply_header(e, name, header);
	finish(e, "application/json", text, text != NULL ? strlen(text) : 0);
}

void
admin_reply_json(struct exchange *e, int status, json_t *value)
{
	reply_json(e, status, value, NULL, STR(""));
}

void
admin_reply_text(
    struct exchange *e, const char *content_type, char *text, size_t n)
{
	reply_start(e, text != NULL ? 200 : 503);
	finish(e, content_type, text, text != NULL ? n : 0);
}

static json_t *
error_json(const struct err *err, const char *field)
{
	return json_pack("{s:[{s:s, s:o, s:s?, s:n}]}", "errors", "code",
	    err_oci_code(err->code), "message", admin_json_text(err->text),
	    "field", field, "line");
}

void
admin_fail(struct exchange *e, const struct err *err, const char *field)
{
	admin_reply_json(e, err_http_status(err->code), error_json(err, field));
}

json_t *
admin_json_text(const char *text)
{
	char shown[4 * ERR_TEXT_MAX];
	json_t *value = json_string(text);

	if (value != NULL)
		return value;
	return json_string(str_printable(str_of(text), shown, sizeof(shown)));
}

json_t *
admin_json_time(int64_t wall_s)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_s == 0)
		return json_null();
	return json_string(clock_rfc3339(wall_s * 1000, text));
}

json_t *
admin_json_rate(uint64_t rate)
{
	return rate == RATE_UNLIMITED ? json_null()
				      : json_integer((json_int_t)rate);
}

/* ---- queries ------------------------------------------------------------ */

static int
query_pair(struct exchange *e, struct str pair, admin_query_fn *set, void *to)
{
	struct str key = { pair.p, str_index(pair, '=') };
	struct str value = str_from(pair, key.n < pair.n ? key.n + 1 : key.n);
	char field[64];
	struct err err;

	if (!uri_decode(&e->arena, key, &key) ||
	    !uri_decode(&e->arena, value, &value))
		err_set(&err, ERR_BAD_REQUEST,
		    "the query is too long or not percent-encoded");
	else if (set(to, key, value, &err) == 0)
		return 0;
	admin_fail(e, &err, str_printable(key, field, sizeof(field)));
	return -1;
}

int
admin_query(struct exchange *e, admin_query_fn *set, void *to)
{
	struct str rest = e->request.query, pair;

	while (str_cut(&rest, '&', &pair))
		if (pair.n > 0 && query_pair(e, pair, set, to) != 0)
			return -1;
	return 0;
}

int
admin_query_unknown(struct str key, const char *known, struct err *err)
{
	char shown[64];

	return err_set(err, ERR_BAD_REQUEST,
	    "the query may have %s, not \"%s\"", known,
	    str_printable(key, shown, sizeof(shown)));
}

int
admin_query_limit(struct str value, uint64_t *limit, struct err *err)
{
	if (str_u64(value, limit) && *limit >= 1 && *limit <= LIMIT_MAX)
		return 0;
	return err_set(
	    err, ERR_BAD_REQUEST, "limit is a number from 1 to %d", LIMIT_MAX);
}

/* ---- who may ------------------------------------------------------------ */

static struct str
bearer_token(const struct exchange *e)
{
	struct str value = e->request.header[HTTP_AUTHORIZATION_HEADER];
	struct str scheme = { value.p, str_index(value, ' ') };

	if (!str_ieq(scheme, STR("bearer")))
		return (struct str){ NULL, 0 };
	return str_trim(str_from(value, scheme.n));
}

/* Without a table every token is unknown. */
static enum role
find_role(const struct admin *a, const struct exchange *e)
{
	struct config *config = config_now();
	bool has_tokens = a->tokens != NULL || config->admin.tokens != NULL;
	bool has_certificates = config->admin.tls.client_ca != NULL;

	config_unref(config);
	if (!has_tokens && !has_certificates)
		return ROLE_OPERATE;
	if (has_certificates && e->has_certificate)
		return ROLE_OPERATE;
	if (a->tokens == NULL || bearer_token(e).n == 0)
		return ROLE_NONE;
	return tokens_role(a->tokens, bearer_token(e), NULL);
}

bool
admin_is_allowed(const struct admin *a, struct exchange *e, enum role needed)
{
	enum role role = needed == ROLE_NONE ? ROLE_NONE : find_role(a, e);
	struct err err;

	if (role >= needed)
		return true;
	if (role == ROLE_NONE) {
		err_set(&err, ERR_UNAUTHORIZED,
		    "this needs a token (Authorization: Bearer TOKEN) with "
		    "the role %s; %s",
		    role_names[needed],
		    bearer_token(e).n > 0 ? "the one that came is unknown"
					  : "none came");
		reply_json(e, err_http_status(err.code), error_json(&err, NULL),
		    "WWW-Authenticate", STR("Bearer realm=\"railhead\""));
	} else {
		err_set(&err, ERR_DENIED,
		    "this needs the role %s; the token has the role %s",
		    role_names[needed], role_names[role]);
		admin_fail(e, &err, NULL);
	}
	log_warn("request to the control plane refused",
	    LOG_U64("request", e->id), LOG_STR("peer", e->peer_text),
	    LOG_STR("path", e->request.path), LOG_ERR(&err));
	return false;
}

void
admin_caller(
    const struct admin *a, const struct exchange *e, char *out, size_t size)
{
	const char *name = NULL;
	char shown[64];

	if (e->client_name.n > 0)
		name = str_printable(e->client_name, shown, sizeof(shown));
	else if (e->has_certificate)
		name = "a certificate without a name";
	else if (a->tokens != NULL)
		(void)tokens_role(a->tokens, bearer_token(e), &name);
	(void)snprintf(out, size, "%s%s%.*s", name != NULL ? name : "",
	    name != NULL ? " at " : "", STR_ARG(e->peer_text));
}

/* ---- routes ------------------------------------------------------------- */

/* Is PATH what FRONT is, a name, and what BACK is? */
static bool
is_around_name(struct str path, struct str front, struct str back)
{
	struct str name;

	if (!str_starts(path, front) || !str_ends(path, back) ||
	    path.n <= front.n + back.n)
		return false;
	name = str_from(path, front.n);
	name.n -= back.n;
	return str_index(name, '/') == name.n;
}

static bool
is_at(const struct admin_route *route, struct str path)
{
	struct str front = str_of(route->path), back;
	size_t star = str_index(front, '*');

	if (star < front.n) {
		back = str_from(front, star + 1);
		front.n = star;
		return is_around_name(path, front, back);
	}
	if (!str_ends(front, STR("/")))
		return str_eq(path, front);
	return is_around_name(path, front, STR(""));
}

static const struct admin_route *
find_route(const struct http_request *r)
{
	enum http_method method = r->method == HTTP_HEAD ? HTTP_GET : r->method;

	for (size_t i = 0; i < ROUTES; i++)
		if (routes[i].method == method && is_at(&routes[i], r->path))
			return &routes[i];
	return NULL;
}

/* What may be asked of PATH, as in Allow; empty: there is no such path. */
static struct str
allowed_methods(struct arena *arena, struct str path)
{
	struct str allow = STR("");

	for (size_t i = 0; i < ROUTES; i++)
		if (is_at(&routes[i], path))
			allow = arena_printf(arena, "%.*s%s%s", STR_ARG(allow),
			    allow.n > 0 ? ", " : "",
			    method_names[routes[i].method]);
	return allow;
}

static void
no_route(struct exchange *e)
{
	struct str allow = allowed_methods(&e->arena, e->request.path);
	char shown[256];
	struct err err;

	if (allow.n == 0) {
		err_set(&err, ERR_NOT_FOUND, "there is no %s here",
		    str_printable(e->request.path, shown, sizeof(shown)));
		admin_fail(e, &err, NULL);
		return;
	}
	err_set(&err, ERR_UNSUPPORTED, "%s takes %.*s only",
	    str_printable(e->request.path, shown, sizeof(shown)),
	    STR_ARG(allow));
	reply_json(e, err_http_status(err.code), error_json(&err, NULL),
	    "Allow", allow);
}

void
admin_handle(struct exchange *e, void *admin)
{
	const struct admin_route *route = find_route(&e->request);
	struct admin *a = admin;

	if (route == NULL)
		no_route(e);
	else if (admin_is_allowed(a, e, route->role))
		route->answer(a, e);
}

/* ---- birth and death ---------------------------------------------------- */

struct admin *
admin_new(const struct admin_spec *spec, struct err *err)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL)
		goto no_memory;
	a->spec = *spec;
	atomic_init(&a->is_draining, false);
	a->ratio = ratio_new(spec->admin);
	a->gate_cells = map_new(GATES_SHOWN_MAX);
	if (a->ratio == NULL || a->gate_cells == NULL)
		goto no_memory;
	if (spec->sites != NULL &&
	    (a->hits = hits_new(spec->sites, spec->store, err)) == NULL) {
		admin_free(a);
		return NULL;
	}
	if (spec->releases != NULL &&
	    (a->folder = folder_new(spec, err)) == NULL) {
		admin_free(a);
		return NULL;
	}
	metrics_setup(a);
	return a;

no_memory:
	(void)err_set(err, ERR_NO_MEMORY, "no memory for the control plane");
	admin_free(a);
	return NULL;
}

void
admin_free(struct admin *a)
{
	if (a == NULL)
		return;
	folder_free(a->folder);
	hits_free(a->hits);
	map_free(a->gate_cells);
	ratio_free(a->ratio);
	tokens_free(a->tokens);
	free(a);
}

void
admin_set_tokens(struct admin *a, struct tokens *tokens)
{
	tokens_free(a->tokens);
	a->tokens = tokens;
}

void
admin_set_draining(struct admin *a)
{
	atomic_store(&a->is_draining, true);
}
