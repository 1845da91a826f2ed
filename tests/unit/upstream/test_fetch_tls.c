/*
 * test_fetch_tls.c - whom we believe over TLS.
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
static struct far *far;
static char cert[256], other_cert[256];

static int
set_up(void **state)
{
	struct far *other;

	(void)state;
	rig_start(&rig);
	(void)snprintf(cert, sizeof(cert), "%s/far.crt", rig.folder);
	(void)snprintf(
	    other_cert, sizeof(other_cert), "%s/other.crt", rig.folder);
	far = far_start_tls(cert);
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = OK_HELLO });
	other = far_start_tls(other_cert);
	far_stop(other);
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
get_with_ca(struct get *g, const char *ca)
{
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\"%s%s}]}\n",
	    far_url(far), ca == NULL ? "" : ", ca: ", ca == NULL ? "" : ca);
	get_init(g, &rig, FETCH_TAGS, "a", "");
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
with_its_ca(void **state)
{
	struct get g;

	(void)state;
	get_with_ca(&g, cert);
	assert_int_equal(g.result, FETCH_DONE);
}

static void
with_another_ca(void **state)
{
	struct get g;

	(void)state;
	get_with_ca(&g, other_cert);
	assert_int_equal(g.result, FETCH_UNREACHABLE);
	assert_says(&g, "reg.test: https://127.0.0.1:");
	assert_says(&g, "its certificate is not trusted");
	assert_says(&g, "`ca`");
	assert_false(far_saw(far, "GET"));
}

static void
with_the_systems_ca(void **state)
{
	struct get g;

	(void)state;
	get_with_ca(&g, NULL);
	assert_int_equal(g.result, FETCH_UNREACHABLE);
	assert_says(&g, "not trusted");
}

/* Connections are not shared by those who trust differently. */
static void
trust_is_not_inherited(void **state)
{
	struct get g;

	(void)state;
	get_with_ca(&g, cert);
	assert_int_equal(g.result, FETCH_DONE);
	get_with_ca(&g, other_cert);
	assert_int_equal(g.result, FETCH_UNREACHABLE);
}

/* It waits for a request, we for its hello. */
static void
without_tls_at_the_other_end(void **state)
{
	struct far *plain = far_start();
	struct get g;

	(void)state;
	upstreams_set_patience(rig.upstreams, 100, 10000);
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"https://%s\"}]}\n",
	    far_host(plain));
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&g), FETCH_UNREACHABLE);
	assert_says(&g, "did not answer within 0.1 s");
	get_done(&g);
	far_stop(plain);
}

static void
from_https_to_http(void **state)
{
	struct far *plain = far_start();
	char reply[256];
	struct get g;

	(void)state;
	(void)snprintf(reply, sizeof(reply),
	    "HTTP/1.1 302 Go\r\nContent-Length: 0\r\nLocation: %s/x\r\n\r\n",
	    far_url(plain));
	far_clear(far);
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = reply });
	get_with_ca(&g, cert);
	assert_int_equal(g.result, FETCH_FAILED);
	assert_says(&g, "from https to http");
	assert_int_equal(far_connections(plain), 0);
	far_stop(plain);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(with_its_ca),
		t(with_another_ca),
		t(with_the_systems_ca),
		t(trust_is_not_inherited),
		t(without_tls_at_the_other_end),
		t(from_https_to_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
