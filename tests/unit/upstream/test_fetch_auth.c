/*
 * test_fetch_auth.c - 401s, tokens, credentials: who is shown what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "far.h"
#include "rig.h"
#include "upstream/token.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define JSON(text)                                                             \
	"HTTP/1.1 200 OK\r\nConnection: close\r\n"                             \
	"Content-Type: application/json\r\n\r\n" text
#define N_WAITERS 40

static struct rig rig;
static struct far *far;   /* the registry */
static struct far *realm; /* its token server */
static char challenge[512];

/* A registry that wants a bearer token for all but those that carry one. */
static void
want_bearer(const char *more)
{
	(void)snprintf(challenge, sizeof(challenge),
	    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\nWWW-Authenticate: "
	    "Bearer realm=\"%s/token\",service=\"far\"%s\r\n\r\n",
	    far_url(realm), more);
	far_add(far,
	    &(struct far_rule){ .match = "",
		.lacks = "Authorization: Bearer ",
		.reply = challenge });
}

static int
set_up(void **state)
{
	(void)state;
	rig_start(&rig);
	far = far_start();
	realm = far_start();
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
	rig_stop(&rig);
	far_stop(far);
	far_stop(realm);
	return 0;
}

static void
log_in_with(const char *username, const char *password)
{
	char path[256];

	rig_file(&rig, "password", password, strlen(password), path);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test:\n"
	    "    endpoints: [{url: \"%s\"}]\n"
	    "    auth: {username: \"%s\", password_file: \"%s\"}\n",
	    far_url(far), username, path);
}

static enum fetch_result
pull(const char *repository)
{
	struct get g;

	get_init(&g, &rig, FETCH_MANIFEST, repository, "1");
	(void)get_run(&g);
	get_done(&g);
	return g.result;
}

static void
assert_pull_says(enum fetch_result result, const char *what)
{
	struct get g;

	get_init(&g, &rig, FETCH_MANIFEST, "a", "1");
	if (get_run(&g) != result || strstr(g.err.text, what) == NULL)
		fail_msg(
		    "%d: \"%s\" is not \"%s\"", g.result, g.err.text, what);
	get_done(&g);
}

/* ---- tokens ------------------------------------------------------------ */

static void
a_token_is_asked_for_once(void **state)
{
	(void)state;
	want_bearer(",scope=\"repository:a/b:pull\"");
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Bearer T1\r\n",
		.reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){
		.match =
		    "GET /token?service=far&scope=repository%3Aa%2Fb%3Apull ",
		.lacks = "Authorization",
		.reply = JSON("{\"token\":\"T1\",\"expires_in\":300}") });
	assert_int_equal(pull("a/b"), FETCH_DONE);
	assert_int_equal(far_count(far, "GET /v2/"), 2);
	/* from now on it is sent at once */
	assert_int_equal(pull("a/b"), FETCH_DONE);
	assert_int_equal(far_count(far, "GET /v2/"), 3);
	assert_int_equal(far_count(realm, "GET "), 1);
	/* another repository is another token's */
	far_add(realm,
	    &(struct far_rule){ .match = "GET /token?service=far&scope=",
		.reply = JSON("{\"access_token\":\"T1\"}") });
	assert_int_equal(pull("c"), FETCH_DONE);
	assert_int_equal(far_count(realm, "GET "), 2);
}

static void
without_a_scope_it_is_pull(void **state)
{
	(void)state;
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){
		.match =
		    "GET /token?service=far&scope=repository%3Ax%2Fy%3Apull ",
		.reply = JSON("{\"token\":\"T1\"}") });
	assert_int_equal(pull("x/y"), FETCH_DONE);
}

/* All are under way before the first of them hears of a token. */
static void
many_wait_for_one_token(void **state)
{
	struct get g[N_WAITERS];

	(void)state;
	want_bearer("");
	far_clear(far);
	far_add(far,
	    &(struct far_rule){ .match = "",
		.lacks = "Authorization: Bearer ",
		.reply = challenge,
		.at_gate = true });
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Bearer T1\r\n",
		.reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.reply = JSON("{\"token\":\"T1\"}"),
		.at_gate = true });
	for (size_t i = 0; i < N_WAITERS; i++) {
		get_init(&g[i], &rig, FETCH_BLOB, "a", A_DIGEST);
		get_start(&g[i]);
	}
	far_wait(far, "GET /v2/", N_WAITERS);
	far_open_gate(far);
	far_wait(realm, "GET ", 1);
	far_open_gate(realm);
	for (size_t i = 0; i < N_WAITERS; i++) {
		get_wait(&g[i]);
		assert_int_equal(g[i].result, FETCH_DONE);
		get_close(&g[i]);
		get_done(&g[i]);
	}
	assert_int_equal(far_count(realm, "GET "), 1);
	assert_int_equal(far_count(far, "GET /v2/"), 2 * N_WAITERS);
}

static void
a_refused_token_is_replaced_once(void **state)
{
	(void)state;
	want_bearer("");
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Bearer T1\r\n",
		.reply = OK_HELLO,
		.times = 1 });
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Bearer T2\r\n",
		.reply = OK_HELLO });
	far_add(far, &(struct far_rule){ .match = "", .reply = challenge });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.reply = JSON("{\"token\":\"T1\",\"expires_in\":3600}"),
		.times = 1 });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.reply = JSON("{\"token\":\"T2\",\"expires_in\":3600}"),
		.times = 1 });
	far_add(realm,
	    &(struct far_rule){
		.match = "GET ", .reply = JSON("{\"token\":\"bad\"}") });
	assert_int_equal(pull("a"), FETCH_DONE); /* T1 */
	assert_int_equal(pull("a"), FETCH_DONE); /* T1 refused, T2 */
	assert_int_equal(far_count(realm, "GET "), 2);
	far_clear(far);
	far_add(far, &(struct far_rule){ .match = "", .reply = challenge });
	assert_int_equal(pull("a"), FETCH_DENIED); /* T2 and `bad` refused */
	assert_int_equal(far_count(realm, "GET "), 3);
}

/* A token of 1 s is renewed after 800 ms and dead after 1 s: whichever the
 * pulls of the next two seconds meet, none fails and none is shown to be old.
 */
static void
an_expired_token_is_renewed(void **state)
{
	unsigned n = 0;

	(void)state;
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.reply = JSON("{\"token\":\"T1\",\"expires_in\":1}") });
	while (far_count(realm, "GET ") < 3) {
		assert_int_equal(pull("a"), FETCH_DONE);
		n++;
	}
	assert_int_equal(far_count(far, "GET /v2/"), n + 1); /* one 401 */
}

/* The token server fails while the old token is still good. */
static void
a_renewal_may_fail(void **state)
{
	(void)state;
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.reply = JSON("{\"token\":\"T1\",\"expires_in\":2}"),
		.times = 1 });
	while (far_count(realm, "GET ") < 2)
		assert_int_equal(pull("a"), FETCH_DONE);
	assert_int_equal(pull("a"), FETCH_DONE);
}

/* The longest unused goes first, and is asked for again when it is needed. */
static void
passes_have_a_ceiling(void **state)
{
	char name[16];

	(void)state;
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add_body(realm, "GET ", "{\"token\":\"T\",\"expires_in\":3600}");
	for (unsigned i = 0; i < PASSES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "r%u", i);
		assert_int_equal(pull(name), FETCH_DONE);
	}
	assert_int_equal(pull("r0"), FETCH_DONE); /* now r1 is the oldest */
	assert_int_equal(far_count(realm, "GET "), PASSES_MAX);
	assert_int_equal(pull("more"), FETCH_DONE);
	assert_int_equal(pull("r0"), FETCH_DONE);
	assert_int_equal(far_count(realm, "GET "), PASSES_MAX + 1);
	assert_int_equal(pull("r1"), FETCH_DONE);
	assert_int_equal(far_count(realm, "GET "), PASSES_MAX + 2);
}

/* ---- token servers that fail ------------------------------------------- */

static void
token_servers_that_fail(void **state)
{
	static const struct {
		const char *reply;
		enum fetch_result result;
		const char *says;
	} cases[] = {
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", FETCH_DENIED,
		    "refused us a token (401)" },
		{ "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", FETCH_DENIED,
		    "refused us a token (403)" },
		{ "HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", FETCH_LIMITED,
		    "too often" },
		{ "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", FETCH_FAILED,
		    "answered 500" },
		{ "HTTP/1.1 302 No\r\nLocation: /x\r\nContent-Length: "
		  "0\r\n\r\n",
		    FETCH_FAILED, "answered 302" },
		{ JSON("{}"), FETCH_FAILED, "no usable token" },
		{ JSON("nonsense"), FETCH_FAILED, "not JSON" },
		{ JSON("{\"token\":\"a b\"}"), FETCH_FAILED, "no usable" },
		{ JSON("{\"token\":\"a\\r\\nX-Evil: 1\"}"), FETCH_FAILED,
		    "no usable" },
	};

	(void)state;
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		far_clear(realm);
		far_add(realm,
		    &(struct far_rule){ .match = "GET ",
			.reply = cases[i].reply,
			.then = FAR_CLOSE });
		assert_pull_says(cases[i].result, cases[i].says);
	}
	/* and when it is well again, all is well */
	far_clear(realm);
	far_add(realm,
	    &(struct far_rule){
		.match = "GET ", .reply = JSON("{\"token\":\"T1\"}") });
	assert_int_equal(pull("a"), FETCH_DONE);
}

static void
a_token_has_a_ceiling(void **state)
{
	static char reply[200000];
	int n = snprintf(reply, sizeof(reply), JSON("{\"token\":\""));

	(void)state;
	memset(reply + n, 'x', sizeof(reply) - (size_t)n - 3);
	memcpy(reply + sizeof(reply) - 3, "\"}", 3);
	want_bearer("");
	far_add(realm,
	    &(struct far_rule){
		.match = "GET ", .reply = reply, .then = FAR_CLOSE });
	assert_pull_says(FETCH_FAILED, "more than 65536 bytes");
}

static void
an_unreachable_token_server(void **state)
{
	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "",
		.reply =
		    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
		    "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:1/\""
		    "\r\n\r\n" });
	assert_pull_says(FETCH_FAILED, "http://127.0.0.1:1");
}

static void
strange_challenges(void **state)
{
	static const struct {
		const char *challenge;
		enum fetch_result result;
		const char *says;
	} cases[] = {
		{ "", FETCH_DENIED, "neither basic nor by token" },
		{ "WWW-Authenticate: Negotiate\r\n", FETCH_DENIED, "neither" },
		{ "WWW-Authenticate: Bearer service=\"x\"\r\n", FETCH_DENIED,
		    "neither" },
		{ "WWW-Authenticate: Bearer realm=\"file:///etc/passwd\"\r\n",
		    FETCH_FAILED, "no URL" },
		{ "WWW-Authenticate: Bearer realm=\"nonsense\"\r\n",
		    FETCH_FAILED, "no URL" },
		{ "WWW-Authenticate: Bearer "
		  "realm=\"http://u:p@127.0.0.1/\"\r\n",
		    FETCH_FAILED, "no URL" },
		{ "WWW-Authenticate: Bearer realm=\"x\r\n", FETCH_FAILED,
		    "malformed" },
		{ "WWW-Authenticate: Basic realm=\"x\"\r\n", FETCH_DENIED,
		    "wants a username" },
	};
	char reply[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n%s\r\n",
		    cases[i].challenge);
		far_clear(far);
		far_add(far, &(struct far_rule){ .match = "", .reply = reply });
		assert_pull_says(cases[i].result, cases[i].says);
	}
}

/* ---- credentials ------------------------------------------------------- */

static void
basic(void **state)
{
	(void)state;
	log_in_with("me", "geheim\n");
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Basic bWU6Z2VoZWlt\r\n",
		.reply = OK_HELLO });
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.lacks = "Authorization",
		.reply = "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
			 "WWW-Authenticate: Negotiate\r\n"
			 "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n" });
	assert_int_equal(pull("a"), FETCH_DONE);
	assert_int_equal(pull("a"), FETCH_DONE);
	assert_int_equal(far_count(far, "GET /v2/"), 3);
}

/* The file is changed: what it held is refused, what it holds now is read. */
static void
a_changed_password_is_seen(void **state)
{
	static const char refuse[] =
	    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
	    "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n";
	char path[256];

	(void)state;
	log_in_with("me", "old");
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Basic bWU6b2xk\r\n",
		.reply = OK_HELLO,
		.times = 1 });
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Basic bWU6bmV3\r\n",
		.reply = OK_HELLO });
	far_add(far, &(struct far_rule){ .match = "", .reply = refuse });
	assert_int_equal(pull("a"), FETCH_DONE);
	rig_file(&rig, "password", "new", 3, path);
	assert_int_equal(pull("a"), FETCH_DONE);
}

static void
credentials_for_a_token(void **state)
{
	(void)state;
	log_in_with("me", "geheim");
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){ .match = "GET ",
		.has = "Authorization: Basic bWU6Z2VoZWlt\r\n",
		.reply = JSON("{\"token\":\"T1\"}") });
	assert_int_equal(pull("a"), FETCH_DONE);
	assert_false(far_saw(far, "Basic")); /* they are for the realm only */
}

static void
post_where_get_is_not_known(void **state)
{
	static const char *const lines[] = { "400 Bad", "404 No", "405 No" };
	char reply[128];

	(void)state;
	log_in_with("m&e", "ge heim");
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	for (size_t i = 0; i < 3; i++) {
		char repository[2] = { (char)('a' + i), '\0' };

		far_clear(realm);
		(void)snprintf(reply, sizeof(reply),
		    "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", lines[i]);
		far_add(realm,
		    &(struct far_rule){ .match = "GET ", .reply = reply });
		far_add(realm,
		    &(struct far_rule){ .match = "POST /token HTTP/1.1",
			.has = "\r\n\r\ngrant_type=password&username=m%26e&"
			       "password=ge%20heim&service=far&scope=",
			.lacks = "Authorization",
			.reply = JSON("{\"access_token\":\"T1\"}") });
		assert_int_equal(pull(repository), FETCH_DONE);
	}
	assert_int_equal(far_count(realm, "POST "), 3);
}

static void
an_identity_token_is_posted(void **state)
{
	char path[256], json[512];

	(void)state;
	(void)snprintf(json, sizeof(json),
	    "{\"auths\":{\"%s\":{\"identitytoken\":\"ID+1\"}}}", far_host(far));
	rig_file(&rig, "config.json", json, strlen(json), path);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test:\n"
	    "    endpoints: [{url: \"%s\"}]\n"
	    "    auth: {docker_config: \"%s\"}\n",
	    far_url(far), path);
	want_bearer("");
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){ .match = "POST /token HTTP/1.1",
		.has = "\r\n\r\ngrant_type=refresh_token&refresh_token=ID%2B1&"
		       "service=far&scope=repository%3Aa%3Apull&client_id=",
		.reply = JSON("{\"access_token\":\"T1\"}") });
	assert_int_equal(pull("a"), FETCH_DONE);
	assert_int_equal(far_count(realm, "GET "), 0);
}

static void
credentials_that_cannot_be_read(void **state)
{
	(void)state;
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test:\n"
	    "    endpoints: [{url: \"%s\"}]\n"
	    "    auth: {username: me, password_file: %s/none}\n",
	    far_url(far), rig.folder);
	want_bearer("");
	assert_pull_says(FETCH_FAILED, "/none: No such file");
}

/* Over https the realm must be, too, to be told our secrets. */
static void
no_credentials_over_http_for_https(void **state)
{
	char cert[256], path[256];
	struct far *tls;

	(void)state;
	(void)snprintf(cert, sizeof(cert), "%s/far.crt", rig.folder);
	tls = far_start_tls(cert);
	rig_file(&rig, "password", "geheim", 6, path);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test:\n"
	    "    endpoints: [{url: \"%s\", ca: \"%s\"}]\n"
	    "    auth: {username: me, password_file: \"%s\"}\n",
	    far_url(tls), cert, path);
	(void)snprintf(challenge, sizeof(challenge),
	    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\nWWW-Authenticate: "
	    "Bearer realm=\"%s/token\"\r\n\r\n",
	    far_url(realm));
	far_add(tls,
	    &(struct far_rule){ .match = "",
		.lacks = "Authorization: Bearer T1",
		.reply = challenge });
	far_add(tls, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	far_add(realm,
	    &(struct far_rule){
		.match = "GET ", .reply = JSON("{\"token\":\"T1\"}") });
	assert_int_equal(pull("a"), FETCH_DONE);
	assert_int_equal(far_count(realm, "GET /token"), 1);
	assert_false(far_saw(realm, "Authorization"));
	far_stop(tls);
}

/* Whatever fails, what is secret is in no sentence. */
static void
secrets_are_not_told(void **state)
{
	struct get g;

	(void)state;
	log_in_with("me", "geheim");
	far_add(far,
	    &(struct far_rule){ .match = "",
		.reply = "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
			 "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n" });
	get_init(&g, &rig, FETCH_MANIFEST, "a", "1");
	assert_int_equal(get_run(&g), FETCH_DENIED);
	assert_true(far_saw(far, "Basic bWU6Z2VoZWlt"));
	assert_null(strstr(g.err.text, "geheim"));
	assert_null(strstr(g.err.text, "bWU6"));
	get_done(&g);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(a_token_is_asked_for_once),
		t(without_a_scope_it_is_pull),
		t(many_wait_for_one_token),
		t(a_refused_token_is_replaced_once),
		t(an_expired_token_is_renewed),
		t(a_renewal_may_fail),
		t(passes_have_a_ceiling),
		t(token_servers_that_fail),
		t(a_token_has_a_ceiling),
		t(an_unreachable_token_server),
		t(strange_challenges),
		t(basic),
		t(a_changed_password_is_seen),
		t(credentials_for_a_token),
		t(post_where_get_is_not_known),
		t(an_identity_token_is_posted),
		t(credentials_that_cannot_be_read),
		t(no_credentials_over_http_for_https),
		t(secrets_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
