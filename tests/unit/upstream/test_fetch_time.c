/*
 * test_fetch_time.c - patience: with those who do not answer, and with those
 * who stop.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"
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
	    "links:\n"
	    "  slow: {rate: 100Mbit, stall: 900ms}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: slow}]}\n",
	    far_url(far));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	far_stop(far);
	return 0;
}

static void
assert_says(const struct get *g, const char *what)
{
	if (strstr(g->err.text, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", g->err.text, what);
}

static void
no_first_byte(void **state)
{
	struct get g;

	(void)state;
	upstreams_set_patience(rig.upstreams, 5000, 100);
	far_add(far, &(struct far_rule){ .match = "GET ", .then = FAR_HANG });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "reg.test: http://127.0.0.1:");
	assert_says(&g, "did not answer within 0.1 s");
	get_done(&g);
}

static void
half_a_head(void **state)
{
	struct get g;

	(void)state;
	upstreams_set_patience(rig.upstreams, 5000, 100);
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.reply = "HTTP/1.1 200 OK\r\nContent-Le",
		.then = FAR_HANG });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "did not answer");
	get_done(&g);
}

static void
no_token(void **state)
{
	static char reply[256];
	struct get g;

	(void)state;
	(void)snprintf(reply, sizeof(reply),
	    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
	    "WWW-Authenticate: Bearer realm=\"%s/token\"\r\n\r\n",
	    far_url(far));
	far_add(
	    far, &(struct far_rule){ .match = "GET /token", .then = FAR_HANG });
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = reply });
	upstreams_set_patience(rig.upstreams, 5000, 100);
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_FAILED);
	assert_says(&g, "within 0.1 s");
	get_done(&g);
}

/* What is left of the patience is for the next hop, not a new one each. */
static void
patience_is_for_all_hops(void **state)
{
	struct get g;

	(void)state;
	upstreams_set_patience(rig.upstreams, 5000, 200);
	far_add(far,
	    &(struct far_rule){ .match = "GET /v2/",
		.reply = "HTTP/1.1 302 Go\r\nContent-Length: 0\r\n"
			 "Location: /x\r\n\r\n" });
	far_add(far, &(struct far_rule){ .match = "GET /x", .then = FAR_HANG });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	get_done(&g);
}

static void
a_stall(void **state)
{
	struct get g;

	(void)state;
	upstreams_set_patience(rig.upstreams, 5000, 200);
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		.then = FAR_HANG });
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_BROKEN);
	assert_int_equal(g.body.n, 5);
	assert_says(&g, "has sent nothing for 0.3"); /* a third */
	get_done(&g);
}

/* A port whose listener does not accept, with a full queue: no SYN-ACK. */
static void
no_connection(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), queued[4];
	struct get g;

	(void)state;
	check(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	check(listen(fd, 0) == 0);
	check(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
	for (size_t i = 0; i < 4; i++) {
		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		check(queued[i] >= 0);
		(void)connect(queued[i], (struct sockaddr *)&at, sizeof(at));
	}
	upstreams_set_patience(rig.upstreams, 100, 15000);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"http://127.0.0.1:%u\"}]}\n",
	    ntohs(at.sin_port));
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "did not answer within 0.1 s");
	get_done(&g);
	for (size_t i = 0; i < 4; i++)
		(void)close(queued[i]);
	(void)close(fd);
}

static void
a_refused_connection(void **state)
{
	struct get g;

	(void)state;
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"http://127.0.0.1:1\"}]}\n"
	    "  no.test: {endpoints: [{url: \"http://nowhere.invalid\"}]}\n");
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "reg.test: http://127.0.0.1:1: no connection");
	get_done(&g);

	get_init(&g, &rig, FETCH_TAGS, "a", "");
	g.upstream = 1;
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "no.test: http://nowhere.invalid: its name");
	get_done(&g);
}

/* Only the configuration says that there is a proxy. */
static void
proxies(void **state)
{
	struct far *proxy = far_start();
	struct get g;

	(void)state;
	far_add_body(far, "GET /v2/", "direct");
	far_add_body(proxy, "GET http://127.0.0.1:", "by proxy");
	assert_int_equal(setenv("http_proxy", far_url(proxy), 1), 0);
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.body.n, 6);
	get_done(&g);
	assert_int_equal(unsetenv("http_proxy"), 0);

	assert_int_equal(setenv("no_proxy", "*", 1), 0);
	rig_config(&rig,
	    "links:\n"
	    "  lte: {rate: 100Mbit, proxy: \"%s\"}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: lte}]}\n",
	    far_url(proxy), far_url(far));
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.body.n, 8);
	get_done(&g);
	assert_int_equal(unsetenv("no_proxy"), 0);
	far_stop(proxy);
}

static void
an_interface(void **state)
{
	struct get g;

	(void)state;
	far_add_body(far, "GET /v2/", "yes");
	rig_config(&rig,
	    "links:\n"
	    "  a: {rate: 100Mbit, interface: lo}\n"
	    "  b: {rate: 100Mbit, interface: none7}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: a}, "
	    "{url: \"%s\", link: b}]}\n",
	    far_url(far), far_url(far));
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_DONE);
	get_done(&g);
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	g.endpoint = 1;
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "none7");
	get_done(&g);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(no_first_byte),
		t(half_a_head),
		t(no_token),
		t(patience_is_for_all_hops),
		t(a_stall),
		t(no_connection),
		t(a_refused_connection),
		t(proxies),
		t(an_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
