/*
 * test_fetch_close.c - a fetch may be closed in every state, and then nothing
 * is called any more.
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

#define HANGING_BODY "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"

static struct rig rig;
static struct far *far;
static char challenge[256];

static int
set_up(void **state)
{
	(void)state;
	rig_start(&rig);
	far = far_start();
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\"}]}\n"
	    "  tar.test: {endpoints: [{layout: \"%s/layout\"}]}\n",
	    far_url(far), rig.folder);
	(void)snprintf(challenge, sizeof(challenge),
	    "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n"
	    "WWW-Authenticate: Bearer realm=\"%s/token\"\r\n\r\n",
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

/* Starts and closes in one go on the loop: nothing was sent yet. */
static void
start_and_close(void *arg)
{
	struct get *g = arg;
	struct err err;

	g->spec.upstreams = g->rig->upstreams;
	g->spec.config = g->rig->config;
	g->spec.upstream = &g->rig->config->upstreams[g->upstream];
	g->spec.endpoint = &g->spec.upstream->endpoints[0];
	g->fetch = fetch_start(&g->spec, &err);
	check(g->fetch != NULL);
	fetch_close(g->fetch);
	g->fetch = NULL;
}

static void
at_once(void **state)
{
	struct get g;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		get_init(&g, &rig, FETCH_TAGS, "a", "");
		g.upstream = i;
		rig_run(&rig, start_and_close, &g);
		get_done(&g);
	}
	/* one that has ended inside of fetch_start() */
	get_init(&g, &rig, FETCH_PAGE, "a", "nonsense");
	rig_run(&rig, start_and_close, &g);
	get_done(&g);
}

static void
before_the_head(void **state)
{
	struct get g;

	(void)state;
	far_add(far, &(struct far_rule){ .match = "GET ", .then = FAR_HANG });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	get_start(&g);
	far_wait(far, "GET /v2/", 1);
	get_close(&g);
	assert_int_equal(g.n_heads, 0);
	assert_int_equal(g.result, FETCH_RUNNING);
	get_done(&g);
}

static void
while_it_waits_for_a_token(void **state)
{
	struct get a, b;

	(void)state;
	far_add(far,
	    &(struct far_rule){ .match = "GET /token",
		.reply = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n"
			 "{\"token\":\"T1\"}",
		.at_gate = true });
	far_add(far,
	    &(struct far_rule){
		.match = "GET ", .lacks = "Bearer", .reply = challenge });
	far_add_body(far, "GET ", "yes");
	get_init(&a, &rig, FETCH_TAGS, "a", "");
	get_init(&b, &rig, FETCH_TAGS, "a", "");
	get_start(&a);
	far_wait(far, "GET /token", 1);
	get_start(&b);
	get_close(&a);
	far_open_gate(far);
	get_wait(&b);
	assert_int_equal(b.result, FETCH_DONE);
	assert_int_equal(a.n_heads, 0);
	get_close(&b);
	get_done(&a);
	get_done(&b);
}

/* Nobody waits for the token any more, and then all is taken down. */
static void
alone_at_a_token(void **state)
{
	struct get g;

	(void)state;
	far_add(
	    far, &(struct far_rule){ .match = "GET /token", .then = FAR_HANG });
	far_add(far, &(struct far_rule){ .match = "GET ", .reply = challenge });
	get_init(&g, &rig, FETCH_TAGS, "a", "");
	get_start(&g);
	far_wait(far, "GET /token", 1);
	get_close(&g);
	get_done(&g);
}

struct meet {
	struct get get;
	sem_t body;
};

static int
on_bytes(void *arg, const void *p, size_t n, struct err *err)
{
	struct get *g = arg;
	struct meet *m = container_of(g, struct meet, get);

	(void)p;
	(void)n;
	(void)err;
	check(sem_post(&m->body) == 0);
	return 0;
}

static int
on_head(void *arg, const struct fetch_head *head, struct err *err)
{
	(void)arg;
	(void)head;
	(void)err;
	return 0;
}

static void
must_not_end(void *arg)
{
	(void)arg;
	unreachable("on_end after fetch_close()");
}

static void
start_meet(void *arg)
{
	struct meet *m = arg;
	struct get *g = &m->get;
	struct err err;

	g->spec.upstreams = g->rig->upstreams;
	g->spec.config = g->rig->config;
	g->spec.upstream = &g->rig->config->upstreams[0];
	g->spec.endpoint = &g->spec.upstream->endpoints[0];
	g->spec.on_head = on_head;
	g->spec.on_bytes = on_bytes;
	g->spec.on_end = must_not_end;
	g->spec.arg = g;
	g->fetch = fetch_start(&g->spec, &err);
	check(g->fetch != NULL);
}

static void
in_the_body(void **state)
{
	struct meet m;

	(void)state;
	far_add(far,
	    &(struct far_rule){
		.match = "GET ", .reply = HANGING_BODY, .then = FAR_HANG });
	get_init(&m.get, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(sem_init(&m.body, 0, 0), 0);
	rig_run(&rig, start_meet, &m);
	assert_int_equal(sem_wait(&m.body), 0);
	get_close(&m.get);
	assert_int_equal(sem_destroy(&m.body), 0);
	get_done(&m.get);
}

static void
inside_of_on_end(void **state)
{
	struct get g;

	(void)state;
	far_add_body(far, "GET ", "yes");
	for (size_t i = 0; i < 2; i++) {
		get_init(&g, &rig, FETCH_TAGS, "a", "");
		g.close_in_end = true;
		g.upstream = i;
		assert_int_equal(
		    get_run(&g), i == 0 ? FETCH_DONE : FETCH_UNREACHABLE);
		assert_null(g.fetch);
		get_done(&g);
	}
}

/* It has ended, but its owner has not heard of it: the letter is in the
 * mailbox behind the errand that closes. */
static void
close_before_the_news(void *arg)
{
	struct get *g = arg;
	struct err err;

	g->spec.upstreams = g->rig->upstreams;
	g->spec.config = g->rig->config;
	g->spec.upstream = &g->rig->config->upstreams[0];
	g->spec.endpoint = &g->spec.upstream->endpoints[0];
	g->spec.on_end = must_not_end;
	g->fetch = fetch_start(&g->spec, &err);
	check(g->fetch != NULL);
	check(fetch_result(g->fetch) == FETCH_FAILED);
	fetch_close(g->fetch);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
ended_and_not_told(void **state)
{
	struct get g;

	(void)state;
	get_init(&g, &rig, FETCH_PAGE, "a", "nonsense");
	rig_run(&rig, close_before_the_news, &g);
	rig_run(&rig, nothing, NULL); /* the letter comes before this */
	get_done(&g);
	fetch_close(NULL);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(at_once),
		t(before_the_head),
		t(while_it_waits_for_a_token),
		t(alone_at_a_token),
		t(in_the_body),
		t(inside_of_on_end),
		t(ended_and_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
