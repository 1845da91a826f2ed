/*
 * test_fetch_link.c - fetches take turns on their link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/clock.h"
#include "far.h"
#include "rig.h"
#include "upstream/links.h"

#define BODY_BYTES (256u << 10)

static struct rig rig;
static struct far *far;
static char *reply; /* of BODY_BYTES */
static size_t reply_n;

static int
set_up(void **state)
{
	int n;

	(void)state;
	rig_start(&rig);
	far = far_start();
	reply = malloc(BODY_BYTES + 200);
	check(reply != NULL);
	n = snprintf(reply, 200,
	    "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", BODY_BYTES);
	reply_n = (size_t)n + BODY_BYTES;
	memset(reply + n, 'x', BODY_BYTES);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	far_stop(far);
	free(reply);
	return 0;
}

static void
link_is(const char *yaml)
{
	rig_config(&rig,
	    "links:\n"
	    "  wan: {%s}\n"
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{url: \"%s\", link: wan}]}\n",
	    yaml, far_url(far));
}

static void
serve(bool at_gate)
{
	far_add(far,
	    &(struct far_rule){ .match = "GET ",
		.reply = reply,
		.n = reply_n,
		.at_gate = at_gate });
}

/* What an operator does. */
struct word {
	struct link_change change;
	struct link_report now;
	struct err err;
	int status;
};

static void
say(void *arg)
{
	struct word *w = arg;

	w->status = upstreams_change_link(
	    rig.upstreams, "wan", &w->change, &w->now, &w->err);
}

static void
change(struct link_change c)
{
	struct word w = { .change = c };

	rig_run(&rig, say, &w);
	assert_int_equal(w.status, 0);
}

static struct link_report
look(void)
{
	struct word w = { .status = -1 };

	rig_run(&rig, say, &w);
	assert_int_equal(w.status, 0);
	return w.now;
}

static void
at_its_rate(void **state)
{
	uint64_t began, us;
	struct get g;

	(void)state;
	link_is("rate: 4Mbit, overhead: 0%");
	serve(false);
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	began = clock_mono_us();
	assert_int_equal(get_run(&g), FETCH_DONE);
	us = clock_mono_us() - began;
	assert_int_equal(g.body.n, BODY_BYTES);
	assert_int_equal(g.body.p[BODY_BYTES - 1], 'x');
	assert_in_range(us, 380000, 3000000); /* 524 ms, less a burst */
	assert_int_equal(look().classes[CLASS_PULL].today, BODY_BYTES);
	get_done(&g);
}

/* A release's bytes are not asked for until somebody waits for them. */
static void
prewarm_becomes_pull(void *arg)
{
	struct get *g = arg;

	fetch_set_class(g->fetch, CLASS_PULL);
}

static void
of_another_class(void **state)
{
	struct get g, pull;

	(void)state;
	link_is("rate: 80Mbit, prewarm: off");
	serve(false);
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	g.spec.class = CLASS_PREWARM;
	get_start(&g);
	get_init(&pull, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&pull), FETCH_DONE);
	assert_int_equal(g.result, FETCH_RUNNING);
	assert_int_equal(look().classes[CLASS_PREWARM].today, 0);
	assert_int_equal(look().classes[CLASS_PREWARM].n_running, 0);
	assert_int_equal(look().classes[CLASS_PREWARM].n_waiting, 1);
	rig_run(&rig, prewarm_becomes_pull, &g);
	get_wait(&g);
	assert_int_equal(g.result, FETCH_DONE);
	assert_int_equal(g.body.n, BODY_BYTES);
	get_close(&g);
	get_done(&g);
	get_done(&pull);
}

/* Two connections for blobs; what is small does not wait for one. */
static void
connections(void **state)
{
	struct get blobs[4], tags;

	(void)state;
	link_is("rate: 800Mbit, connections: 2");
	far_add_body(far, "GET /v2/a/tags", "{}");
	serve(true);
	for (int i = 0; i < 4; i++) {
		get_init(&blobs[i], &rig, FETCH_BLOB, "a", A_DIGEST);
		get_start(&blobs[i]);
	}
	far_wait(far, "GET /v2/a/blobs", 2);
	get_init(&tags, &rig, FETCH_TAGS, "a", "");
	assert_int_equal(get_run(&tags), FETCH_DONE);
	assert_int_equal(far_count(far, "GET /v2/a/blobs"), 2);
	assert_int_equal(look().classes[CLASS_PULL].n_running, 2);
	assert_int_equal(look().classes[CLASS_PULL].n_waiting, 2);
	get_close(&blobs[3]); /* it has not begun */
	far_open_gate(far);
	for (int i = 0; i < 3; i++) {
		get_wait(&blobs[i]);
		assert_int_equal(blobs[i].result, FETCH_DONE);
		get_close(&blobs[i]);
	}
	assert_int_equal(far_count(far, "GET /v2/a/blobs"), 3);
	for (int i = 0; i < 4; i++)
		get_done(&blobs[i]);
	get_done(&tags);
}

static void
out_of_service(void **state)
{
	struct get running, waiting, later;

	(void)state;
	link_is("rate: 80Mbit, connections: 1");
	serve(true);
	get_init(&running, &rig, FETCH_BLOB, "a", A_DIGEST);
	get_init(&waiting, &rig, FETCH_BLOB, "a", A_DIGEST);
	get_init(&later, &rig, FETCH_BLOB, "a", A_DIGEST);
	get_start(&running);
	get_start(&waiting);
	far_wait(far, "GET ", 1);
	change((struct link_change){ .has_up = true });
	get_wait(&running);
	get_wait(&waiting);
	assert_int_equal(running.result, FETCH_HELD);
	assert_int_equal(waiting.result, FETCH_HELD);
	assert_non_null(strstr(running.err.text, "wan was taken out"));
	assert_false(look().is_up);
	change((struct link_change){ .has_up = true, .is_up = true });
	far_open_gate(far);
	assert_int_equal(get_run(&later), FETCH_DONE);
	get_close(&running);
	get_close(&waiting);
	get_done(&running);
	get_done(&waiting);
	get_done(&later);
}

static void
a_reload_forgets_the_operator(void **state)
{
	(void)state;
	link_is("rate: 80Mbit");
	change((struct link_change){ .has_rate = true, .rate = 1000 });
	assert_int_equal(look().rate, 1000);
	assert_true(look().is_changed);
	link_is("rate: 40Mbit");
	assert_int_equal(look().rate, 5000000);
	assert_false(look().is_changed);
}

static void
a_quota_is_kept(void **state)
{
	char path[256], text[200] = "";
	struct get g;
	FILE *f;

	(void)state;
	link_is("rate: 80Mbit, quota: {bytes: 1GiB}");
	serve(false);
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_in_range(
	    look().quota_left, (1u << 30) - 300000, (1u << 30) - BODY_BYTES);
	(void)snprintf(path, sizeof(path), "%s/quota-wan", rig.folder);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	assert_non_null(strstr(text, " spent 6694304\n"));
	get_done(&g);
}

/* Another run has spent it all. */
static void
a_spent_quota(void **state)
{
	static const char text[] =
	    "railhead quota 1 month 2999-01-01 spent 1073741824\n";
	char path[256];
	struct get g;

	(void)state;
	rig_file(&rig, "quota-wan", text, strlen(text), path);
	link_is("rate: 80Mbit, quota: {bytes: 1GiB}");
	serve(false);
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_HELD);
	assert_int_equal(g.body.n, 0);
	assert_non_null(strstr(g.err.text, "quota of the link wan is spent"));
	get_done(&g);
}

/* At once, and not when the clock is next looked at, which is in a minute. */
static void
a_quota_spent_on_the_way(void **state)
{
	uint64_t began = clock_mono_us();
	struct get first, second;

	(void)state;
	link_is("rate: 80Mbit, quota: {bytes: 512KiB}");
	serve(false);
	get_init(&first, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&first), FETCH_DONE);
	get_init(&second, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&second), FETCH_HELD);
	assert_true(clock_mono_us() - began < 30000000);
	assert_true((first.body.n + second.body.n) * 105 / 100 <= 512u << 10);
	assert_true(second.body.n > BODY_BYTES / 2);
	get_done(&first);
	get_done(&second);
}

static void
a_damaged_quota_counts_as_spent(void **state)
{
	char path[256];
	struct get g;

	(void)state;
	rig_file(&rig, "quota-wan", "what", 4, path);
	link_is("rate: 80Mbit, quota: {bytes: 1GiB}");
	serve(false);
	get_init(&g, &rig, FETCH_BLOB, "a", A_DIGEST);
	assert_int_equal(get_run(&g), FETCH_HELD);
	get_done(&g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(at_its_rate),
		T(of_another_class),
		T(connections),
		T(out_of_service),
		T(a_reload_forgets_the_operator),
		T(a_quota_is_kept),
		T(a_spent_quota),
		T(a_quota_spent_on_the_way),
		T(a_damaged_quota_counts_as_spent),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
