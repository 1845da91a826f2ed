/*
 * test_fetch_redirect.c - redirects: where to, how often, with what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "far.h"
#include "rig.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static struct rig rig;
static struct far *far;   /* the registry */
static struct far *other; /* where it sends us */

static int
set_up(void **state)
{
	char path[256];

	(void)state;
	rig_start(&rig);
	far = far_start();
	other = far_start();
	rig_file(&rig, "password", "geheim", 6, path);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test:\n"
	    "    endpoints: [{url: \"%s\"}]\n"
	    "    auth: {username: me, password_file: \"%s\"}\n",
	    far_url(far), path);
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/",
		.lacks = "Authorization: Basic bWU6Z2VoZWlt\r\n",
		.reply = "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
			 "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n" });
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	far_stop(far);
	far_stop(other);
	return 0;
}

static const char *
redirect(int status, const char *host, const char *path)
{
	static char reply[512];

	(void)snprintf(reply, sizeof(reply),
	    "HTTP/1.1 %d Go\r\nContent-Length: 3\r\nLocation: %s%s\r\n\r\nxyz",
	    status, host, path);
	return reply;
}

static void
get_blob(struct get *g)
{
	get_init(g, &rig, FETCH_BLOB, "a", A_DIGEST);
	(void)get_run(g);
	get_done(g);
}

static void
assert_says(const struct get *g, const char *what)
{
	if (strstr(g->err.text, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", g->err.text, what);
}

static void
to_another_port_without_authorization(void **state)
{
	static const int statuses[] = { 301, 302, 303, 307, 308 };
	struct get g;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct far_rule rule = { .match = "GET /v2/a/blobs/",
			.reply = redirect(
			    statuses[i], far_url(other), "/b?sig=GEHEIM"),
			.times = 1,
			.has = "Authorization: " };

		far_add(far, &rule);
		far_clear(other);
		far_add(other,
		    &(struct far_rule){ .match = "GET /b?sig=GEHEIM HTTP",
			.has = "Range: bytes=3-\r\n",
			.lacks = "Authorization",
			.reply = "HTTP/1.1 206 P\r\nContent-Length: 2\r\n"
				 "Content-Range: bytes 3-4/5\r\n\r\nlo" });
		get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
		g.spec.offset = 3;
		assert_int_equal(get_run(&g), FETCH_DONE);
		assert_int_equal(g.body.n, 2);
		get_done(&g);
	}
	assert_int_equal(far_count(other, "GET /b"), 5);
	assert_false(far_saw(other, "Authorization"));
	assert_false(far_saw(other, "bWU6"));
}

/* What comes back to the endpoint is the endpoint again. */
static void
within_the_endpoint_with_authorization(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/a/blobs/",
		.reply = redirect(307, "", "/elsewhere") });
	far_add(far,
	    &(struct far_rule){ .match = "GET /elsewhere ",
		.has = "Authorization: Basic bWU6Z2VoZWlt\r\n",
		.reply = OK_HELLO });
	get_blob(&g);
	assert_int_equal(g.result, FETCH_DONE);
}

static void
away_and_back(void **state)
{
	char back[512];
	struct get g;

	(void)state;
	(void)snprintf(
	    back, sizeof(back), "%s", redirect(307, far_url(far), "/back"));
	far_add(other,
	    &(struct far_rule){ .match = "GET /away ",
		.lacks = "Authorization",
		.reply = back });
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/a/blobs/",
		.reply = redirect(307, far_url(other), "/away") });
	far_add(far,
	    &(struct far_rule){ .match = "GET /back ",
		.has = "Authorization: Basic bWU6Z2VoZWlt\r\n",
		.reply = OK_HELLO });
	get_blob(&g);
	assert_int_equal(g.result, FETCH_DONE);
}

static void
a_loop(void **state)
{
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){
		.match = "GET ", .reply = redirect(302, "", "/again") });
	get_blob(&g);
	assert_int_equal(g.result, FETCH_FAILED);
	assert_says(&g, "again and again");
	assert_int_equal(far_count(far, "GET /again"), 5);
}

static void
five_are_followed(void **state)
{
	char replies[5][512];
	struct get g;

	(void)state;
	for (int i = 0; i < 5; i++) {
		char match[32], to[32];

		(void)snprintf(match, sizeof(match), "/hop%d", i + 1);
		(void)snprintf(to, sizeof(to), "%s", match);
		(void)snprintf(replies[i], sizeof(replies[i]), "%s",
		    redirect(302, "", to));
	}
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/", .reply = replies[0] });
	far_add(far,
	    &(struct far_rule){ .match = "GET /hop1", .reply = replies[1] });
	far_add(far,
	    &(struct far_rule){ .match = "GET /hop2", .reply = replies[2] });
	far_add(far,
	    &(struct far_rule){ .match = "GET /hop3", .reply = replies[3] });
	far_add(far,
	    &(struct far_rule){ .match = "GET /hop4", .reply = replies[4] });
	far_add(
	    far, &(struct far_rule){ .match = "GET /hop5", .reply = OK_HELLO });
	get_blob(&g);
	assert_int_equal(g.result, FETCH_DONE);
}

static void
to_what_is_no_web(void **state)
{
	static const char *const targets[] = { "ftp://127.0.0.1/x",
		"file:///etc/passwd", "gopher://127.0.0.1/", "http://",
		"http://user:geheim2@127.0.0.1/" };
	struct get g;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		far_clear(far);
		far_add(far,
		    &(struct far_rule){ .match = "GET ",
			.reply = redirect(302, targets[i], "") });
		get_blob(&g);
		assert_int_equal(g.result, FETCH_FAILED);
		assert_says(&g, "redirects us");
		assert_null(strstr(g.err.text, "geheim2"));
	}
}

static void
refused_elsewhere(void **state)
{
	static const struct {
		const char *reply;
		enum fetch_result result;
	} cases[] = {
		{ "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
		    FETCH_FAILED },
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
		  "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
		    FETCH_FAILED },
		{ "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
		    FETCH_NOT_FOUND },
		{ "", FETCH_UNREACHABLE },
	};
	struct get g;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/",
		.reply = redirect(302, far_url(other), "/b?sig=GEHEIM") });
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		far_clear(other);
		far_add(other,
		    &(struct far_rule){ .match = "GET ",
			.reply = cases[i].reply,
			.then = FAR_CLOSE });
		get_blob(&g);
		assert_int_equal(g.result, cases[i].result);
		assert_says(&g, far_url(other));
		assert_null(strstr(g.err.text, "GEHEIM"));
		assert_false(far_saw(other, "Authorization"));
	}
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(to_another_port_without_authorization),
		t(within_the_endpoint_with_authorization),
		t(away_and_back),
		t(a_loop),
		t(five_are_followed),
		t(to_what_is_no_web),
		t(refused_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
