/*
 * test_admin.c - routes, roles and answers of the control plane.
 *
 * The HTTP side is the test's own: it notes the reply.  So are the upstreams,
 * and stand_ins.c.  Both loops are never started: letters are delivered when
 * the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/admin.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/metrics.h"
#include "common/tokens.h"
#include "common/version.h"
#include "http/exchange.h"
#include "loop/loop.h"
#include "stand_ins.h"
#include "upstream/upstream.h"

#define UPSTREAMS                                                              \
	"upstreams:\n"                                                         \
	"  docker.io: {aliases: [index.docker.io], endpoints: "                \
	"[{url: \"https://one.test\"}, {url: \"https://two.test\"}]}\n"        \
	"  ghcr.io: {endpoints: [{url: \"https://ghcr.io\"}], "                \
	"visibility: private}\n"                                               \
	"  demo.local: {endpoints: [{layout: /srv/demo}]}\n"
#define OPEN "region: emea-1\nstore: {path: /srv/store}\n" UPSTREAMS

#define READER "0123456789abcdef-reader"
#define OPERATOR "0123456789abcdef-operator"

/* ---- the HTTP side ------------------------------------------------------ */

static struct reply {
	unsigned n;
	int status;
	char headers[1024]; /* "Name: value\n"... */
	char *body;         /* owned */
} got;

void
reply_start(struct exchange *e, int status)
{
	(void)e;
	got.n++;
	got.status = status;
}

void
reply_header(struct exchange *e, const char *name, struct str value)
{
	size_t used = strlen(got.headers);

	(void)e;
	(void)snprintf(got.headers + used, sizeof(got.headers) - used,
	    "%s: %.*s\n", name, STR_ARG(value));
}

void
reply_bytes(struct exchange *e, struct str bytes)
{
	(void)e;
	assert_null(got.body);
	got.body = str_dup(bytes);
}

void
reply_text(struct exchange *e, int status, const char *type, struct str body)
{
	reply_start(e, status);
	reply_header(e, "Content-Type", str_of(type));
	reply_bytes(e, body);
}

/* ---- asking ------------------------------------------------------------- */

static struct loop *admin_loop, *origin_loop;
static struct admin *admin;
static struct exchange exchange;
static char block[EXCHANGE_ARENA_BYTES];

static void
begin(enum http_method method, const char *target)
{
	struct str all = str_of(target);
	size_t mark = str_index(all, '?');
	struct str authorization =
	    exchange.request.header[HTTP_AUTHORIZATION_HEADER];

	free(got.body);
	memset(&got, 0, sizeof(got));
	memset(&exchange.request, 0, sizeof(exchange.request));
	arena_init(&exchange.arena, block, sizeof(block));
	exchange.on_end = NULL;
	exchange.owner = NULL;
	exchange.request.method = method;
	exchange.request.path = (struct str){ target, mark };
	exchange.request.query = str_from(all, mark < all.n ? mark + 1 : all.n);
	exchange.request.header[HTTP_AUTHORIZATION_HEADER] = authorization;
	admin_handle(&exchange, admin);
}

static void
end(enum exchange_end how)
{
	if (exchange.on_end != NULL)
		exchange.on_end(&exchange, how);
}

static int
ask(enum http_method method, const char *target)
{
	begin(method, target);
	loop_drain(origin_loop);
	loop_drain(admin_loop);
	end(END_SENT);
	assert_int_equal(got.n, 1);
	return got.status;
}

static int
get(const char *target)
{
	return ask(HTTP_GET, target);
}

static bool
has_header(const char *line)
{
	return strstr(got.headers, line) != NULL;
}

/* The body as JSON; the caller drops it. */
static json_t *
body(void)
{
	json_t *value = json_loads(got.body, 0, NULL);

	assert_true(has_header("Content-Type: application/json\n"));
	assert_non_null(value);
	return value;
}

/* The error's code, message and field are these; MESSAGE may be a part. */
static void
expect_error(const char *code, const char *message, const char *field)
{
	json_t *value = body(), *its_field, *line;
	const char *its_code, *its_message;

	assert_int_equal(json_unpack(value, "{s:[{s:s, s:s, s:o, s:o !}!] !}",
			     "errors", "code", &its_code, "message",
			     &its_message, "field", &its_field, "line", &line),
	    0);
	assert_string_equal(its_code, code);
	assert_non_null(strstr(its_message, message));
	assert_true(json_is_null(line));
	if (field == NULL)
		assert_true(json_is_null(its_field));
	else
		assert_string_equal(json_string_value(its_field), field);
	json_decref(value);
}

static void
configure(const char *yaml)
{
	struct err err;
	struct config *config =
	    config_parse("/etc/test.yaml", str_of(yaml), &err);

	if (config == NULL)
		fail_msg("%s", err.text);
	config_set(config);
}

static void
authorize(const char *value)
{
	exchange.request.header[HTTP_AUTHORIZATION_HEADER] = str_of(value);
}

static void
use_tokens(void)
{
	char path[] = "/tmp/test_admin.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct tokens *tokens;
	struct err err;

	assert_non_null(f);
	fputs("tokens:\n"
	      "  - {name: grafana, role: read, token: \"" READER "\"}\n"
	      "  - {name: carol, role: operate, token: \"" OPERATOR "\"}\n",
	    f);
	(void)fclose(f);
	tokens = tokens_load(path, &err);
	(void)unlink(path);
	if (tokens == NULL)
		fail_msg("%s", err.text);
	admin_set_tokens(admin, tokens);
}

/* ---- routes ------------------------------------------------------------- */

static void
unknown_paths(void **state)
{
	static const char *const paths[] = { "/", "/v1", "/v1/", "/v1/statu",
		"/v1/status/", "//v1/status", "/V1/status", "/v1/%73tatus",
		"" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(get(paths[i]), 404);
		expect_error("NOT_FOUND", "there is no", NULL);
	}
	assert_int_equal(get("/a\x01\xff\"b"), 404);
	expect_error("NOT_FOUND", "/a\\x01\\xff\"b", NULL);
}

static void
wrong_methods(void **state)
{
	static const enum http_method methods[] = { HTTP_POST, HTTP_PUT,
		HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		assert_int_equal(ask(methods[i], "/v1/status"), 405);
		assert_true(has_header("Allow: GET, HEAD\n"));
		expect_error("UNSUPPORTED", "/v1/status takes GET, HEAD", NULL);
	}
	assert_int_equal(ask(HTTP_POST, "/v1/nothing"), 404);
	assert_false(has_header("Allow"));
}

/* A name in the middle, and whose business it is. */
static void
releases(void **state)
{
	static const struct {
		enum http_method method;
		const char *path;
		int status;
		const char *here;
	} rows[] = {
		{ HTTP_GET, "/v1/releases", 200, "v1_releases" },
		{ HTTP_GET, "/v1/releases/r7", 200, "v1_release" },
		{ HTTP_PUT, "/v1/releases/r7", 200, "v1_release_put" },
		{ HTTP_GET, "/v1/releases/r7/gate", 200, "v1_gate" },
		{ HTTP_HEAD, "/v1/releases/r7/ready", 200, "v1_ready" },
		{ HTTP_POST, "/v1/releases/r7/hold", 200, "v1_release_hold" },
		{ HTTP_GET, "/v1/releases/", 404, NULL },
		{ HTTP_GET, "/v1/releases/a/b/gate", 404, NULL },
		{ HTTP_GET, "/v1/releases/r7/gates", 404, NULL },
		{ HTTP_PUT, "/v1/releases/r7/gate", 405, NULL },
		{ HTTP_GET, "/v1/releases/r7/hold", 405, NULL },
	};
	json_t *value;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    ask(rows[i].method, rows[i].path), rows[i].status);
		if (rows[i].here == NULL)
			continue;
		value = body();
		assert_string_equal(
		    json_string_value(json_object_get(value, "here")),
		    rows[i].here);
		json_decref(value);
	}
}

static void
head_is_get(void **state)
{
	(void)state;
	assert_int_equal(ask(HTTP_HEAD, "/healthz"), 200);
	assert_int_equal(ask(HTTP_HEAD, "/v1/status"), 200);
	assert_int_equal(ask(HTTP_HEAD, "/metrics"), 200);
}

/* ---- health ------------------------------------------------------------- */

static void
health(void **state)
{
	json_t *value;

	(void)state;
	assert_int_equal(get("/healthz"), 200);
	assert_string_equal(got.body, "ok\n");
	assert_int_equal(get("/readyz"), 200);
	assert_string_equal(got.body, "{\"ready\": true}");

	admin_set_draining(admin);
	assert_int_equal(get("/healthz"), 200);
	assert_int_equal(get("/readyz"), 503);
	value = body();
	assert_true(json_is_false(json_object_get(value, "ready")));
	assert_non_null(json_object_get(value, "reason"));
	json_decref(value);
	assert_int_equal(get("/v1/status"), 200);
	value = body();
	assert_true(json_is_true(json_object_get(value, "draining")));
	assert_true(json_is_false(json_object_get(value, "ready")));
	json_decref(value);
}

static void
metrics(void **state)
{
	char build[128];

	(void)state;
	assert_int_equal(get("/metrics"), 200);
	assert_true(has_header("Content-Type: text/plain; version=0.0.4"));
	(void)snprintf(build, sizeof(build),
	    "railhead_build_info{version=\"%s\",commit=\"%s\"} 1\n",
	    version_number(), version_commit());
	assert_non_null(strstr(got.body, build));
	assert_non_null(strstr(got.body,
	    "railhead_hit_ratio{by=\"requests\",window=\"15m\"} 1\n"));
	assert_non_null(strstr(
	    got.body, "railhead_hit_ratio{by=\"bytes\",window=\"1h\"} 1\n"));
	assert_non_null(strstr(got.body, "railhead_log_dropped_total 0\n"));
}

/* ---- roles -------------------------------------------------------------- */

static void
everybody_without_tokens(void **state)
{
	(void)state;
	assert_int_equal(get("/metrics"), 200);
	authorize("Bearer nonsense");
	assert_int_equal(get("/metrics"), 200);
}

static void
tokens_are_asked_for(void **state)
{
	static const char *const wrong[] = { "", "Bearer", "Bearer ",
		"Bearer x", "Bearer " READER "x", "Basic " READER, READER,
		"Bearer" READER };

	(void)state;
	use_tokens();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		authorize(wrong[i]);
		assert_int_equal(get("/v1/status"), 401);
		assert_true(has_header(
		    "WWW-Authenticate: Bearer realm=\"railhead\"\n"));
		expect_error("UNAUTHORIZED", "role read", NULL);
		assert_null(strstr(got.body, READER));
	}
	assert_int_equal(get("/healthz"), 200);
	assert_int_equal(get("/readyz"), 200);
}

static void
tokens_open(void **state)
{
	static const char *const right[] = { "Bearer " READER,
		"bearer  " READER, "BEARER " OPERATOR " " };
	static const char *const paths[] = { "/metrics", "/v1/status",
		"/v1/upstreams", "/v1/hosts?mirror=http://a" };

	(void)state;
	use_tokens();
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
			authorize(right[i]);
			assert_int_equal(get(paths[j]), 200);
		}
}

/* A tokens file that is configured but not loaded opens nothing. */
static void
a_missing_table_is_closed(void **state)
{
	(void)state;
	configure("admin: {tokens: /etc/tokens}\n" OPEN);
	authorize("Bearer " READER);
	assert_int_equal(get("/v1/status"), 401);
}

static void
client_certificates(void **state)
{
	(void)state;
	configure(
	    "admin: {tls: {certificate: /a, key: /b, client_ca: /c}}\n" OPEN);
	assert_int_equal(get("/v1/status"), 401);
	exchange.client_name = STR("carol"); /* a name alone is none */
	assert_int_equal(get("/v1/status"), 401);
	exchange.has_certificate = true;
	assert_int_equal(get("/v1/status"), 200);
	exchange.client_name = STR("");
	assert_int_equal(get("/v1/status"), 200);
	/* Without a client CA a certificate means nothing. */
	configure(
	    "admin: {tokens: /t, tls: {certificate: /a, key: /b}}\n" OPEN);
	assert_int_equal(get("/v1/status"), 401);
}

/* ---- status ------------------------------------------------------------- */

/* Endpoints, in their order. */
enum { ONE, TWO, GHCR, DEMO };

static void
set_report(size_t endpoint, bool is_up)
{
	struct endpoint_report *r = &reports[endpoint];

	*r = (struct endpoint_report){ .was_tried = true,
		.is_up = is_up,
		.ratelimit = -1,
		.ratelimit_remaining = -1,
		.standing = is_up ? STANDING_ONLINE : STANDING_OFFLINE,
		.breaker = is_up ? BREAKER_CLOSED : BREAKER_OPEN,
		.last_fail_at = is_up ? 0 : 1000000000 };
	(void)snprintf(r->last_error, sizeof(r->last_error), "%s",
	    is_up ? "" : "no \xff answer");
}

static void
status(void **state)
{
	json_t *value, *started, *ratio;
	const char *region, *path, *store, *version;
	json_int_t uptime, used, objects, drafts, capacity, space, up, down,
	    hits, misses, errors;

	(void)state;
	set_report(GHCR, false);
	set_report(ONE, false);
	assert_int_equal(get("/v1/status"), 200);
	value = body();
	assert_int_equal(
	    json_unpack(value,
		"{s:s, s:s, s:o, s:I, s:{s:s}, s:{s:s, s:I, s:I, s:I, s:I, "
		"s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I}, s:{s:{s:o}}}",
		"region", &region, "version", &version, "started_at", &started,
		"uptime_s", &uptime, "config", "path", &path, "store", "path",
		&store, "used_bytes", &used, "objects", &objects, "draft_bytes",
		&drafts, "capacity_bytes", &capacity, "free_bytes", &space,
		"upstreams", "up", &up, "down", &down, "requests", "hit", &hits,
		"miss", &misses, "error", &errors, "hit_ratio", "requests",
		"5m", &ratio),
	    0);
	assert_string_equal(region, "emea-1");
	assert_string_equal(version, version_number());
	assert_string_equal(
	    json_string_value(started), "2001-09-09T01:46:40.000Z");
	assert_true(uptime > 0);
	assert_string_equal(path, "/etc/test.yaml");
	assert_string_equal(store, "/srv/store");
	assert_true(used == 1000 && objects == 7 && drafts == 20);
	assert_true(capacity == 4000 && space == 3000);
	assert_true(up == 2 && down == 1); /* one of docker.io is not tried */
	assert_true(hits == 3 && misses == 1 && errors == 0);
	assert_true(json_real_value(ratio) == 1.0);
	json_decref(value);
}

/* The client hangs up while the letter is away, or on its way back. */
static void
the_exchange_ends_first(void **state)
{
	(void)state;
	begin(HTTP_GET, "/v1/status");
	end(END_GONE);
	loop_drain(origin_loop);
	loop_drain(admin_loop);
	assert_int_equal(got.n, 0);

	begin(HTTP_GET, "/v1/upstreams");
	loop_drain(origin_loop);
	end(END_GONE);
	loop_drain(admin_loop);
	assert_int_equal(got.n, 0);
	assert_int_equal(get("/v1/status"), 200);
}

/* The snapshot that was asked about is the one that is answered with. */
static void
a_reload_meanwhile(void **state)
{
	json_t *value;

	(void)state;
	begin(HTTP_GET, "/v1/status");
	configure("region: other\n" UPSTREAMS);
	loop_drain(origin_loop);
	loop_drain(admin_loop);
	end(END_SENT);
	value = body();
	assert_string_equal(
	    json_string_value(json_object_get(value, "region")), "emea-1");
	json_decref(value);
}

/* ---- upstreams ---------------------------------------------------------- */

/* NAMES, comma separated, is what the page lists; NEXT as in the answer. */
static void
expect_page(const char *target, const char *names, const char *next)
{
	json_t *value, *list, *one;
	char all[256] = "";
	size_t i;

	assert_int_equal(get(target), 200);
	value = body();
	list = json_object_get(value, "upstreams");
	json_array_foreach(list, i, one)
	{
		size_t used = strlen(all);

		(void)snprintf(all + used, sizeof(all) - used, "%s%s",
		    i > 0 ? "," : "",
		    json_string_value(json_object_get(one, "name")));
	}
	assert_string_equal(all, names);
	one = json_object_get(value, "next");
	if (next == NULL)
		assert_true(json_is_null(one));
	else
		assert_string_equal(json_string_value(one), next);
	json_decref(value);
}

static void
pages(void **state)
{
	(void)state;
	expect_page("/v1/upstreams", "docker.io,ghcr.io,demo.local", NULL);
	expect_page(
	    "/v1/upstreams?limit=3", "docker.io,ghcr.io,demo.local", NULL);
	expect_page("/v1/upstreams?limit=2", "docker.io,ghcr.io", "ghcr.io");
	expect_page(
	    "/v1/upstreams?limit=2&after=ghcr%2Eio", "demo.local", NULL);
	expect_page("/v1/upstreams?after=demo.local", "", NULL);
	expect_page("/v1/upstreams?&limit=1&", "docker.io", "docker.io");
}

static void
filters(void **state)
{
	(void)state;
	set_report(ONE, false);
	set_report(TWO, false);
	set_report(GHCR, true);
	expect_page("/v1/upstreams?state=down", "docker.io", NULL);
	expect_page("/v1/upstreams?state=up", "ghcr.io,demo.local", NULL);
	expect_page("/v1/upstreams?state=up&limit=1", "ghcr.io", "ghcr.io");
	expect_page(
	    "/v1/upstreams?state=up&limit=1&after=ghcr.io", "demo.local", NULL);
	/* No page is announced that would be empty. */
	expect_page("/v1/upstreams?state=down&limit=1", "docker.io", NULL);
}

static void
an_endpoint(void **state)
{
	json_t *value;
	char *text;

	(void)state;
	set_report(TWO, true);
	reports[TWO].last_ok_at = 1000000000;
	reports[TWO].ratelimit = 100;
	reports[TWO].ratelimit_remaining = 93;
	reports[TWO].is_distrusted = true;
	set_report(GHCR, false);
	assert_int_equal(get("/v1/upstreams?limit=2"), 200);
	value = body();
	text = json_dumps(json_object_get(value, "upstreams"), JSON_COMPACT);
	assert_string_equal(text,
	    "[{\"name\":\"docker.io\",\"up\":true,\"aliases\":"
	    "[\"index.docker.io\"],\"visibility\":\"public\",\"endpoints\":["
	    "{\"name\":\"one.test\",\"url\":\"https://one.test\","
	    "\"link\":null,\"up\":true,\"state\":\"untried\",\"tried\":false,"
	    "\"breaker\":\"closed\",\"last_ok_at\":null,"
	    "\"last_fail_at\":null,\"last_error\":null,"
	    "\"ratelimit\":null,\"ratelimit_remaining\":null,\"distrusted\":"
	    "false},"
	    "{\"name\":\"two.test\",\"url\":\"https://two.test\","
	    "\"link\":null,\"up\":true,\"state\":\"online\",\"tried\":true,"
	    "\"breaker\":\"closed\","
	    "\"last_ok_at\":\"2001-09-09T01:46:40.000Z\","
	    "\"last_fail_at\":null,\"last_error\":null,"
	    "\"ratelimit\":100,\"ratelimit_remaining\":93,\"distrusted\":true}]"
	    "},"
	    "{\"name\":\"ghcr.io\",\"up\":false,\"aliases\":[],"
	    "\"visibility\":\"private\",\"endpoints\":["
	    "{\"name\":\"ghcr.io\",\"url\":\"https://ghcr.io\","
	    "\"link\":null,\"up\":false,\"state\":\"offline\",\"tried\":true,"
	    "\"breaker\":\"open\",\"last_ok_at\":null,"
	    "\"last_fail_at\":\"2001-09-09T01:46:40.000Z\","
	    "\"last_error\":\"no \\\\xff answer\","
	    "\"ratelimit\":null,\"ratelimit_remaining\":null,\"distrusted\":"
	    "false}]}]");
	free(text);
	json_decref(value);
}

static void
wrong_queries(void **state)
{
	static const struct {
		const char *query, *field;
	} wrong[] = {
		{ "state=broken", "state" },
		{ "state=", "state" },
		{ "state", "state" },
		{ "limit=0", "limit" },
		{ "limit=1001", "limit" },
		{ "limit=-1", "limit" },
		{ "limit=1x", "limit" },
		{ "limit=99999999999999999999", "limit" },
		{ "after=nobody", "after" },
		{ "after=", "after" },
		{ "limit=1&colour=red", "colour" },
		{ "=x", "" },
		{ "state=%zz", "state" },
		{ "%6=1", "%6" },
		{ "a%0ab=1", "a\\x0ab" },
	};
	char target[128];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(
		    target, sizeof(target), "/v1/upstreams?%s", wrong[i].query);
		assert_int_equal(get(target), 400);
		expect_error("BAD_REQUEST", "", wrong[i].field);
	}
}

/* ---- hosts -------------------------------------------------------------- */

static void
hosts_files(void **state)
{
	json_t *value, *files;

	(void)state;
	assert_int_equal(
	    get("/v1/hosts?mirror=http%3A%2F%2Fa:5000&fallback=no&site=s%2D7"),
	    200);
	value = body();
	files = json_object_get(value, "files");
	assert_int_equal(json_object_size(files), 3);
	assert_string_equal(
	    json_string_value(json_object_get(files, "docker.io/hosts.toml")),
	    "# Written by `railhead hosts`; it will be overwritten.\n"
	    "server = \"http://a:5000\"\n"
	    "capabilities = [\"pull\", \"resolve\"]\n"
	    "\n[header]\n"
	    "  \"X-Railhead-Site\" = [\"s-7\"]\n"
	    "\n# containerd 1.x ignores a file without this table.\n"
	    "[host]\n");
	assert_non_null(json_object_get(files, "demo.local/hosts.toml"));
	json_decref(value);
}

static void
hosts_texts(void **state)
{
	(void)state;
	assert_int_equal(get("/v1/hosts?format=docker&mirror=https://a&"
			     "mirror=https://b"),
	    200);
	assert_true(has_header("Content-Type: application/json\n"));
	assert_string_equal(got.body,
	    "{\n  \"registry-mirrors\": [\"https://a\", \"https://b\"],\n"
	    "  \"insecure-registries\": []\n}\n");
	assert_int_equal(
	    get("/v1/hosts?format=registries&mirror=http://a"), 200);
	assert_true(has_header("Content-Type: text/plain"));
	assert_non_null(strstr(got.body, "location = \"a/ghcr.io\"\n"));
}

static void
hosts_refusals(void **state)
{
	static const struct {
		const char *query, *field;
	} wrong[] = {
		{ "", "mirror" },
		{ "?fallback=no", "mirror" },
		{ "?mirror=a", "mirror" },
		{ "?mirror=http://a&fallback=maybe", "fallback" },
		{ "?mirror=http://a&format=podman", "format" },
		{ "?mirror=http://a&site=", "site" },
		{ "?mirror=http://a&site=%0a", "site" },
		{ "?mirror=http://a&ca=", "ca" },
		{ "?mirror=http://a&mirrors=http://b", "mirrors" },
	};
	char target[128];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(
		    target, sizeof(target), "/v1/hosts%s", wrong[i].query);
		assert_int_equal(get(target), 400);
		expect_error("BAD_REQUEST", "", wrong[i].field);
	}
}

/* ---- setting up --------------------------------------------------------- */

static int
set_up(void **state)
{
	struct err err;
	struct admin_spec spec = { .started_at = 1000000000 };

	(void)state;
	for (size_t i = 0; i < REPORTS_MAX; i++)
		reports[i] = (struct endpoint_report){ .ratelimit = -1,
			.ratelimit_remaining = -1 };
	memset(&exchange, 0, sizeof(exchange));
	metrics_init();
	configure(OPEN);
	admin_loop = loop_new("admin", &err);
	origin_loop = loop_new("origin", &err);
	spec.admin = admin_loop;
	spec.origin = origin_loop;
	admin = admin_new(&spec, &err);
	return admin != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	admin_free(admin);
	loop_free(admin_loop);
	loop_free(origin_loop);
	config_set(NULL);
	metrics_done();
	free(got.body);
	memset(&got, 0, sizeof(got));
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_paths),
		TEST(wrong_methods),
		TEST(releases),
		TEST(head_is_get),
		TEST(health),
		TEST(metrics),
		TEST(everybody_without_tokens),
		TEST(tokens_are_asked_for),
		TEST(tokens_open),
		TEST(a_missing_table_is_closed),
		TEST(client_certificates),
		TEST(status),
		TEST(the_exchange_ends_first),
		TEST(a_reload_meanwhile),
		TEST(pages),
		TEST(filters),
		TEST(an_endpoint),
		TEST(wrong_queries),
		TEST(hosts_files),
		TEST(hosts_texts),
		TEST(hosts_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
