/*
 * test_fetch.c - what an endpoint answers, and what becomes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/metrics.h"
#include "far.h"
#include "rig.h"

static struct rig rig;
static struct far *far;

static int
set_up(void **state)
{
	(void)state;
	rig_start(&rig);
	far = far_start();
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\"}]}\n",
	    far_url(far));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	far_stop(far);
	rig_stop(&rig);
	return 0;
}

static void
assert_body(const struct get *g, const char *want)
{
	assert_int_equal(g->body.n, strlen(want));
	assert_memory_equal(g->body.p, want, g->body.n);
}

static void
assert_says(const struct get *g, const char *what)
{
	if (strstr(g->err.text, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", g->err.text, what);
}

/* ---- what is asked ----------------------------------------------------- */

static void
a_manifest(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){
		.match = "GET /v2/a/b/manifests/1.0?ns=reg.test ",
		.has = "Accept: application/vnd.oci.image.index.v1+json, ",
		.lacks = "Accept-Encoding",
		.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
			 "Content-Type: application/x\r\n"
			 "Docker-Content-Digest: " A_DIGEST "\r\n"
			 "ETag: \"x\"\r\nLink: </next>; rel=\"next\"\r\n"
			 "\r\n{}" });
	get_init(&g, &rig, FETCH_MANIFEST, "a/b", "1.0");
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_body(&g, "{}");
	assert_int_equal(g.head.status, 200);
	assert_int_equal(g.head.length, 2);
	assert_int_equal(g.head.total, 2);
	assert_int_equal(g.head.first, 0);
	assert_string_equal(g.content_type, "application/x");
	assert_string_equal(g.etag, "\"x\"");
	assert_string_equal(g.link, "</next>; rel=\"next\"");
	assert_int_equal(g.head.digest.alg, DIGEST_SHA256);
	assert_int_equal(g.head.digest.bytes[31], 0xaa);
	assert_true(far_saw(far, "User-Agent: railhead/"));
	assert_false(far_saw(far, "Authorization"));
	assert_false(far_saw(far, "Range:"));
	get_done(&g);
}

static void
other_targets(void **state)
{
	static const struct {
		enum fetch_target target;
		const char *reference, *match;
	} cases[] = {
		{ FETCH_BLOB, A_DIGEST, "GET /v2/a/blobs/" A_DIGEST "?ns=" },
		{ FETCH_TAGS, "", "GET /v2/a/tags/list?ns=reg.test " },
		{ FETCH_REFERRERS, A_DIGEST,
		    "GET /v2/a/referrers/" A_DIGEST "?ns=" },
		{ FETCH_PAGE, "/v2/a/tags/list?n=1&last=x",
		    "GET /v2/a/tags/list?n=1&last=x&ns=reg.test " },
		{ FETCH_PAGE, "/v2/a/tags/list?ns=other&n=1",
		    "GET /v2/a/tags/list?ns=other&n=1 " },
	};
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		far_clear(far);
		far_add_body(far, cases[i].match, "yes");
		get_init(&g, &rig, cases[i].target, "a", cases[i].reference);
		assert_int_equal(get_run(&g), FETCH_DONE);
		assert_body(&g, "yes");
		get_done(&g);
	}
	assert_int_equal(far_connections(far), 1); /* they share one */
}

static void
ns_only_where_it_is_needed(void **state)
{
	struct get g;

	(void)state;
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {aliases: [\"%s\"], endpoints: [{url: \"%s\"}]}\n",
	    far_host(far), far_url(far));
	far_add_body(far, "GET /v2/a/tags/list ", "yes");
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_DONE);
	get_done(&g);
}

static void
a_page_is_a_path(void **state)
{
	static const char *const bad[] = { "", "next", "//evil.test/v2/",
		"http://evil.test/v2/" };
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		get_init(&g, &rig, FETCH_PAGE, "a", bad[i]);
		assert_int_equal(get_run(&g), FETCH_FAILED);
		assert_says(&g, "no path");
		get_done(&g);
	}
	assert_int_equal(far_connections(far), 0);
}

static void
a_head(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "HEAD /v2/a/blobs/" A_DIGEST,
		.lacks = "Range:",
		.reply = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n"
			 "\r\n" });
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.spec.is_head = true;
	g.spec.offset = 5;
	g.spec.max_bytes = 10; /* of a body: there is none */
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.n_heads, 1);
	assert_int_equal(g.head.length, 1234567);
	assert_int_equal(g.body.n, 0);
	get_done(&g);
}

/* ---- bodies ------------------------------------------------------------ */

static const struct {
	const char *reply;
	enum far_then then;
	uint64_t max_bytes;
	enum fetch_result result;
	const char *body, *says;
} body_cases[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", FAR_KEEP, 5,
	    FETCH_DONE, "hello", NULL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAR_KEEP, 0,
	    FETCH_DONE, "", NULL },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
	    FAR_KEEP, 0, FETCH_DONE, "hello", NULL },
	{ "HTTP/1.0 200 OK\r\n\r\nhello", FAR_CLOSE, 0, FETCH_DONE, "hello",
	    NULL },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
	  "Content-Length: 5\r\n\r\nhello",
	    FAR_KEEP, 0, FETCH_DONE, "hello", NULL },
	/* what is encoded comes as it is */
	{ "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
	  "Content-Length: 5\r\n\r\nhello",
	    FAR_KEEP, 0, FETCH_DONE, "hello", NULL },
	/* what follows a body is none of it */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello", FAR_KEEP, 0,
	    FETCH_DONE, "hell", NULL },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", FAR_CLOSE, 0,
	    FETCH_BROKEN, "hello", "ended the body" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "5\r\nhello\r\n",
	    FAR_CLOSE, 0, FETCH_BROKEN, "hello", "127.0.0.1" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "5\r\nhello\r\nzz\r\n",
	    FAR_CLOSE, 0, FETCH_BROKEN, "hello", "127.0.0.1" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", FAR_KEEP, 4,
	    FETCH_BROKEN, "", "4 are allowed" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "5\r\nhello\r\n0\r\n\r\n",
	    FAR_KEEP, 4, FETCH_BROKEN, "", "4 bytes that are allowed" },
	{ "", FAR_CLOSE, 0, FETCH_UNREACHABLE, "", "without an answer" },
	{ "SSH-2.0-OpenSSH_9.2\r\n", FAR_CLOSE, 0, FETCH_FAILED, "",
	    "did not answer in HTTP" },
	{ "HTTP/1.1 200 OK\r\nContent-Le", FAR_CLOSE, 0, FETCH_UNREACHABLE, "",
	    "127.0.0.1" },
};

static void
bodies(void **state)
{
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(body_cases) / sizeof(body_cases[0]);
	     i++) {
		far_clear(far);
		far_add(far,
		    &(struct far_rule){ .match = "GET /v2/a/blobs/",
			.reply = body_cases[i].reply,
			.then = body_cases[i].then });
		get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
		g.spec.max_bytes = body_cases[i].max_bytes;
		if (get_run(&g) != body_cases[i].result)
			fail_msg("case %zu: %d %s", i, g.result, g.err.text);
		assert_body(&g, body_cases[i].body);
		if (body_cases[i].says != NULL)
			assert_says(&g, body_cases[i].says);
		get_done(&g);
	}
}

static void
a_large_body(void **state)
{
	static const char head[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n";
	size_t n = sizeof(head) - 1 + 3000000;
	char *reply = malloc(n);
	struct get g;

	(void)state;
	assert_non_null(reply);
	memcpy(reply, head, sizeof(head) - 1);
	for (size_t i = sizeof(head) - 1; i < n; i++)
		reply[i] = (char)(i % 251);
	far_add(far,
	    &(struct far_rule){
		.match = "GET /v2/a/blobs/", .reply = reply, .n = n });
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.body.n, 3000000);
	assert_memory_equal(g.body.p, reply + sizeof(head) - 1, g.body.n);
	assert_int_equal(
	    metric_value(metric_cell(M_upstream_bytes_total,
		(const char *const[]){ "reg.test", "none", "pull" })),
	    3000000);
	assert_int_equal(metric_value(metric_cell(M_link_bytes_total,
			     (const char *const[]){ "none", "pull" })),
	    3000000);
	get_done(&g);
	free(reply);
}

/* ---- ranges ------------------------------------------------------------ */

static const struct {
	uint64_t offset, end;
	const char *asks, *reply;
	enum fetch_result result;
	int64_t first, length, total;
} range_cases[] = {
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/5\r\n"
	    "Content-Length: 3\r\n\r\nllo",
	    FETCH_DONE, 2, 3, 5 },
	{ 2, 4, "Range: bytes=2-3\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-3/*\r\n"
	    "Content-Length: 2\r\n\r\nll",
	    FETCH_DONE, 2, 2, -1 },
	{ 0, 2, "Range: bytes=0-1\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/5\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n",
	    FETCH_DONE, 0, 2, 5 },
	/* less than asked for is fine: it says so */
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-3/5\r\n"
	    "Content-Length: 2\r\n\r\nll",
	    FETCH_DONE, 2, 2, 5 },
	/* the range was not understood */
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", FETCH_DONE, 0,
	    5, 5 },
	{ 9, 0, "Range: bytes=9-\r\n",
	    "HTTP/1.1 416 R\r\nContent-Range: bytes */5\r\n"
	    "Content-Length: 0\r\n\r\n",
	    FETCH_REFUSED, 0, 0, 0 },
	/* other parts than were asked for */
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 1-4/5\r\n"
	    "Content-Length: 4\r\n\r\nello",
	    FETCH_FAILED, 0, 0, 0 },
	{ 2, 4, "Range: bytes=2-3\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/5\r\n"
	    "Content-Length: 3\r\n\r\nllo",
	    FETCH_FAILED, 0, 0, 0 },
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/5\r\n"
	    "Content-Length: 2\r\n\r\nll",
	    FETCH_FAILED, 0, 0, 0 },
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Length: 3\r\n\r\nllo", FETCH_FAILED, 0,
	    0, 0 },
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/3\r\n"
	    "Content-Length: 3\r\n\r\nllo",
	    FETCH_FAILED, 0, 0, 0 },
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4\r\n"
	    "Content-Length: 3\r\n\r\nllo",
	    FETCH_FAILED, 0, 0, 0 },
	/* more than the part it says */
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-3/5\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nllo\r\n0\r\n\r\n",
	    FETCH_BROKEN, 2, 2, 5 },
	{ 2, 0, "Range: bytes=2-\r\n",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/5\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n2\r\nll\r\n0\r\n\r\n",
	    FETCH_BROKEN, 2, 3, 5 },
	/* a part, and nobody asked for one */
	{ 0, 0, "GET",
	    "HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/5\r\n"
	    "Content-Length: 2\r\n\r\nhe",
	    FETCH_FAILED, 0, 0, 0 },
};

static void
ranges(void **state)
{
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(range_cases) / sizeof(range_cases[0]);
	     i++) {
		far_clear(far);
		far_add(far,
		    &(struct far_rule){ .match = "GET /v2/a/blobs/",
			.has = range_cases[i].asks,
			.reply = range_cases[i].reply });
		get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
		g.spec.offset = range_cases[i].offset;
		g.spec.end = range_cases[i].end;
		if (get_run(&g) != range_cases[i].result)
			fail_msg("case %zu: %d %s", i, g.result, g.err.text);
		assert_int_equal(g.head.first, range_cases[i].first);
		assert_int_equal(g.head.length, range_cases[i].length);
		assert_int_equal(g.head.total, range_cases[i].total);
		get_done(&g);
	}
}

static void
if_range(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "If-Range: \"v1\"\r\n",
		.reply = "HTTP/1.1 206 P\r\nContent-Range: bytes 2-4/5\r\n"
			 "Content-Length: 3\r\n\r\nllo" });
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.spec.offset = 2;
	g.spec.validator = STR("\"v1\"");
	assert_int_equal(get_run(&g), FETCH_DONE);
	get_done(&g);

	/* it would be a line of its own */
	far_clear(far);
	far_add_body(far, "GET ", "hello");
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.spec.offset = 2;
	g.spec.validator = STR("\"v1\"\nX-Evil: 1");
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_false(far_saw(far, "X-Evil"));
	get_done(&g);
}

static void
weak_etags_do_not_count(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.reply = "HTTP/1.1 200 OK\r\nETag: W/\"v1\"\r\n"
			 "Docker-Content-Digest: nonsense\r\n"
			 "Content-Length: 0\r\n\r\n" });
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_string_equal(g.etag, "");
	assert_int_equal(g.head.digest.alg, 0);
	get_done(&g);
}

/* ---- statuses ---------------------------------------------------------- */

static void
statuses(void **state)
{
	static const struct {
		const char *line;
		enum fetch_result result;
		enum err_code code;
	} cases[] = {
		{ "404 Not Found", FETCH_NOT_FOUND, ERR_BLOB_UNKNOWN },
		{ "410 Gone", FETCH_NOT_FOUND, ERR_BLOB_UNKNOWN },
		{ "403 Forbidden", FETCH_DENIED, ERR_DENIED },
		{ "401 Unauthorized", FETCH_DENIED, ERR_DENIED },
		{ "429 Too Many", FETCH_LIMITED, ERR_UPSTREAM_LIMITED },
		{ "400 Bad", FETCH_REFUSED, ERR_UPSTREAM_STATUS },
		{ "451 Legal", FETCH_REFUSED, ERR_UPSTREAM_STATUS },
		{ "500 Oops", FETCH_FAILED, ERR_UPSTREAM_STATUS },
		{ "503 Busy", FETCH_FAILED, ERR_UPSTREAM_STATUS },
		{ "204 Nothing", FETCH_FAILED, ERR_UPSTREAM_STATUS },
		{ "304 Same", FETCH_FAILED, ERR_UPSTREAM_STATUS },
		{ "302 Nowhere", FETCH_FAILED, ERR_UPSTREAM_STATUS },
	};
	char reply[256];
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", cases[i].line);
		far_clear(far);
		far_add(
		    far, &(struct far_rule){ .match = "GET ", .reply = reply });
		get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
		if (get_run(&g) != cases[i].result)
			fail_msg("%s: %d %s", reply, g.result, g.err.text);
		assert_int_equal(g.err.code, cases[i].code);
		assert_int_equal(g.n_heads, 0);
		assert_says(&g, "reg.test: http://127.0.0.1:");
		get_done(&g);
	}
	assert_int_equal(far_connections(far), 1);
}

/* An error's body may be cut, or longer than anybody wants to read. */
static void
error_bodies(void **state)
{
	static char reply[400000];
	size_t n = (size_t)snprintf(reply, sizeof(reply),
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 99000000\r\n\r\n");
	struct get g;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		far_clear(far);
		far_add(far,
		    &(struct far_rule){ .match = "GET ",
			.reply = reply,
			.n = n + (i == 0 ? 10 : 300000),
			.then = i == 0 ? FAR_CLOSE : FAR_HANG });
		get_init(&g, &rig, FETCH_MANIFEST, "a", "1");
		assert_int_equal(get_run(&g), FETCH_NOT_FOUND);
		assert_int_equal(g.err.code, ERR_MANIFEST_UNKNOWN);
		assert_says(&g, "has no manifest a:1 (404)");
		get_done(&g);
	}
}

static void
retry_after(void **state)
{
	static const struct {
		const char *value;
		uint64_t least_ms, most_ms;
	} cases[] = {
		{ "120", 120000, 120000 },
		{ "0", 0, 0 },
		{ "soon", 0, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0, 0 },
		/* Docker Hub tells the time */
		{ "1000000000", 0, 0 },
		{ "2147480000", 1000000, 2000000000000 },
		{ "Fri, 31 Dec 2038 23:59:59 GMT", 1000000, 2000000000000 },
	};
	char reply[256];
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    cases[i].value);
		far_clear(far);
		far_add(
		    far, &(struct far_rule){ .match = "GET ", .reply = reply });
		get_init(&g, &rig, FETCH_TAGS, "a", "");
		assert_int_equal(get_run(&g), FETCH_FAILED);
		assert_in_range(
		    g.retry_after_ms, cases[i].least_ms, cases[i].most_ms);
		get_done(&g);
	}
}

/* ---- stopping ---------------------------------------------------------- */

static void
stopping(void **state)
{
	struct get g;

	(void)state;
	far_add_body(far, "GET /v2/a/blobs", "hello");
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.stop_at_head = true;
	assert_int_equal(get_run(&g), FETCH_STOPPED);
	assert_string_equal(g.err.text, "enough");
	assert_int_equal(g.body.n, 0);
	get_done(&g);

	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.stop_at_bytes = 1;
	assert_int_equal(get_run(&g), FETCH_STOPPED);
	assert_int_equal(g.err.code, ERR_CANCELLED);
	get_done(&g);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(a_manifest),
		t(other_targets),
		t(ns_only_where_it_is_needed),
		t(a_page_is_a_path),
		t(a_head),
		t(bodies),
		t(a_large_body),
		t(ranges),
		t(if_range),
		t(weak_etags_do_not_count),
		t(statuses),
		t(error_bodies),
		t(retry_after),
		t(stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
