/*
 * test_link.c - hours of traffic on a clock of our own.
 *
 * A flow here does what a transfer does: it asks for a piece, waits for its
 * turn, takes it, and is away for a while before it asks for the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "link/link.h"
#include "settings.h"

#define SECOND 1000000ull
#define STEP_US 500
#define FLOWS_MAX 64
#define START utc(2026, 11, 22, 12, 0)
#define SHARES "overhead: 0%, shares: {refresh: 3%, prewarm: 5%, repair: 2%}"

struct far {
	struct link_flow flow;
	uint64_t away_us, back_us; /* how long; until when */
	size_t piece;
	uint64_t took, wants; /* bytes */
	uint64_t done_us;
};

static struct link link;
static struct far flows[FLOWS_MAX];
static size_t n_flows;
static uint64_t now_us;
static uint64_t late_us; /* how much later than wanted the loop looks */

static struct far *
begin(enum link_class class, uint64_t away_us)
{
	struct far *f = &flows[n_flows++];

	check(n_flows <= FLOWS_MAX);
	*f = (struct far){
		.away_us = away_us, .piece = 16384, .wants = UINT64_MAX
	};
	link_flow_begin(&link, &f->flow, class);
	return f;
}

static void
take(struct far *f)
{
	link_take(&f->flow, f->piece, now_us);
	f->took += f->piece;
	f->back_us = now_us + f->away_us;
	if (f->took < f->wants)
		return;
	f->done_us = now_us;
	link_flow_end(&f->flow);
}

static void
ask(struct far *f)
{
	while (f->flow.link != NULL && f->flow.state != FLOW_QUEUED &&
	    f->back_us <= now_us && link_may(&f->flow, now_us))
		take(f);
}

/* Lets time pass as a loop with a timer of 1 ms would. */
static void
pass(uint64_t us)
{
	uint64_t until = now_us + us, due_us = UINT64_MAX;
	struct link_flow *next;

	for (; now_us < until; now_us += STEP_US) {
		for (size_t i = 0; i < n_flows; i++)
			ask(&flows[i]);
		if (link_wait_us(&link, now_us) > 0)
			continue;
		if (due_us == UINT64_MAX)
			due_us = now_us + late_us;
		if (now_us < due_us)
			continue;
		due_us = UINT64_MAX;
		while ((next = link_next(&link, now_us)) != NULL)
			ask(container_of(next, struct far, flow));
	}
}

static uint64_t took(enum link_class class)
{
	uint64_t n = 0;

	for (size_t i = 0; i < n_flows; i++)
		if (flows[i].flow.class == class)
			n += flows[i].took;
	return n;
}

static void
forget(void)
{
	for (size_t i = 0; i < n_flows; i++)
		flows[i].took = 0;
}

static void
start(const char *yaml)
{
	for (size_t i = 0; i < n_flows; i++)
		link_flow_end(&flows[i].flow);
	n_flows = 0;
	late_us = 0;
	link_init(&link, settings(yaml), now_us, START);
}

static void
is_near(uint64_t got, double want, double percent)
{
	double off = want * percent / 100;

	if ((double)got < want - off || (double)got > want + off)
		fail_msg("%llu is not within %g %% of %.0f",
		    (unsigned long long)got, percent, want);
}

static void
rates(void **state)
{
	static const struct {
		const char *yaml;
		double rate;
		size_t n, piece;
	} of[] = {
		{ "rate: 1Mbit, overhead: 0%", 125e3, 1, 6000 },
		{ "rate: 8Mbit, overhead: 0%", 1e6, 1, 16384 },
		{ "rate: 8Mbit, overhead: 25%", 0.8e6, 3, 16384 },
		{ "rate: 50Mbit, overhead: 0%", 6.25e6, 32, 16384 },
		{ "rate: 200Mbit, overhead: 0%", 25e6, 32, 16384 },
		{ "rate: 900Mbit, overhead: 0%", 112.5e6, 1, 16384 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		start(of[i].yaml);
		for (size_t n = 0; n < of[i].n; n++)
			begin(CLASS_PULL, 100 * n)->piece = of[i].piece;
		pass(2 * SECOND);
		for (int window = 0; window < 3; window++) {
			forget();
			pass(10 * SECOND);
			is_near(took(CLASS_PULL), 10 * of[i].rate, 2);
		}
	}
}

static void
all_classes_want_all(void **state)
{
	(void)state;
	start("rate: 8Mbit, " SHARES);
	for (enum link_class c = 0; c < CLASS_COUNT; c++)
		for (int i = 0; i < 3; i++)
			(void)begin(c, 1000);
	pass(2 * SECOND);
	forget();
	pass(60 * SECOND);
	is_near(took(CLASS_PULL), 54e6, 2);
	is_near(took(CLASS_REFRESH), 1.8e6, 5);
	is_near(took(CLASS_PREWARM), 3e6, 5);
	is_near(took(CLASS_REPAIR), 1.2e6, 5);
}

/* One pull whose bytes are away between two turns, against many. */
static void
a_pull_among_prewarm(void **state)
{
	struct far *pull;

	(void)state;
	for (uint64_t away_us = 0; away_us <= 4000; away_us += 2000) {
		start("rate: 8Mbit, " SHARES);
		for (int i = 0; i < 4; i++)
			(void)begin(CLASS_PREWARM, 1000);
		pass(10 * SECOND);
		is_near(took(CLASS_PREWARM), 10e6, 2);
		forget();
		pull = begin(CLASS_PULL, away_us);
		pass(SECOND);
		assert_true(pull->took >= 900000);
		forget();
		pass(60 * SECOND);
		is_near(pull->took, 57e6, 2);
		is_near(took(CLASS_PREWARM), 3e6, 5);
	}
}

/* Small pieces and a busy loop: a pull waits for no turn of those behind it. */
static void
a_pull_of_small_pieces(void **state)
{
	struct far *f;

	(void)state;
	start("rate: 16Mbit, " SHARES);
	late_us = 4000;
	for (int i = 0; i < 3; i++)
		begin(CLASS_PREWARM, 500)->piece = 5000;
	pass(2 * SECOND);
	f = begin(CLASS_PULL, 500);
	f->piece = 5000;
	forget();
	pass(10 * SECOND);
	is_near(f->took, 0.95 * 20e6, 3);
	is_near(took(CLASS_PREWARM), 0.05 * 20e6, 10);
}

/* A pull from a slow server leaves most of the link, and prewarm has it. */
static void
what_is_left_is_borrowed(void **state)
{
	struct far *pull;

	(void)state;
	start("rate: 8Mbit, " SHARES);
	pull = begin(CLASS_PULL, 16384); /* 1 MB/s would be all of it */
	pull->piece = 2000;
	(void)begin(CLASS_PREWARM, 1000);
	pass(2 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(pull->took, 10e6 * 2000 / 16384, 5);
	is_near(took(CLASS_PREWARM) + pull->took, 10e6, 2);
	link_flow_end(&pull->flow);
	pass(2 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PREWARM), 10e6, 2);
}

static void
flows_of_a_class_take_turns(void **state)
{
	uint64_t first = UINT64_MAX, last = 0, began;

	(void)state;
	start("rate: 50Mbit, overhead: 0%");
	began = now_us;
	for (uint64_t i = 0; i < 32; i++)
		begin(CLASS_PULL, 100 + 300 * i)->wants = 4u << 20;
	pass(30 * SECOND);
	for (size_t i = 0; i < n_flows; i++) {
		uint64_t us = flows[i].done_us - began;

		assert_true(flows[i].done_us != 0);
		first = us < first ? us : first;
		last = us > last ? us : last;
	}
	is_near(first, (double)last, 5);
	is_near(last, 32 * 4194304 / 6.25, 2);
}

/* Who was idle for long gets its turns, not what it did not ask for. */
static void
coming_back_gives_no_claim(void **state)
{
	struct far *idle;

	(void)state;
	start("rate: 8Mbit, overhead: 0%");
	idle = begin(CLASS_PULL, 0);
	idle->back_us = now_us + 60 * SECOND;
	(void)begin(CLASS_PULL, 0);
	pass(60 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(idle->took, 5e6, 4);
}

/* Whose bytes come late now and then has no less than others in the end. */
static void
a_missed_turn_comes_again(void **state)
{
	struct far *late;

	(void)state;
	start("rate: 8Mbit, overhead: 0%");
	late = begin(CLASS_PULL, 0);
	for (int i = 0; i < 7; i++)
		(void)begin(CLASS_PULL, 0);
	for (int i = 0; i < 60; i++) {
		late->back_us = now_us + 300000;
		pass(SECOND);
	}
	is_near(late->took, 60e6 / 8, 3);
}

/* Who had the link for itself, and never had to wait, owes nobody anything. */
static void
who_was_alone_owes_nothing(void **state)
{
	struct far *alone, *fresh;

	(void)state;
	start("rate: 8Mbit, overhead: 0%");
	alone = begin(CLASS_PULL, 40000);
	pass(60 * SECOND);
	assert_true(alone->took > (20u << 20));
	alone->away_us = 0;
	fresh = begin(CLASS_PULL, 0);
	forget();
	pass(10 * SECOND);
	is_near(alone->took, 5e6, 4);
	is_near(fresh->took, 5e6, 4);
}

static void
a_waiting_prewarm_becomes_a_pull(void **state)
{
	struct far *f;

	(void)state;
	start("rate: 8Mbit, prewarm: off, " SHARES);
	(void)begin(CLASS_PULL, 0);
	f = begin(CLASS_PREWARM, 0);
	pass(10 * SECOND);
	assert_int_equal(f->took, 0);
	assert_int_equal(f->flow.state, FLOW_QUEUED);
	link_flow_set_class(&f->flow, CLASS_PULL, now_us);
	pass(10 * SECOND);
	is_near(f->took, 5e6, 4);
	link_flow_set_class(&f->flow, CLASS_PREWARM, now_us);
	f->took = 0;
	pass(10 * SECOND);
	assert_int_equal(f->took, 0);
}

static void
prewarm_has_a_rate_of_its_own(void **state)
{
	(void)state;
	start("rate: 80Mbit, prewarm: 8Mbit, " SHARES);
	(void)begin(CLASS_PREWARM, 1000);
	(void)begin(CLASS_PREWARM, 1000);
	pass(2 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PREWARM), 10e6, 2);
	(void)begin(CLASS_PULL, 0);
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PREWARM), 5e6, 5); /* 5 % of 80 Mbit */
	is_near(took(CLASS_PULL), 95e6, 2);
}

static void
an_operator_changes_it(void **state)
{
	const struct config_link *c;

	(void)state;
	start("rate: 8Mbit, overhead: 0%");
	(void)begin(CLASS_PULL, 0);
	(void)begin(CLASS_PREWARM, 0);
	link_set_rate(&link, 2000000, now_us);
	pass(2 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PULL) + took(CLASS_PREWARM), 20e6, 2);
	link_set_prewarm(&link, 0, now_us);
	forget();
	pass(10 * SECOND);
	assert_in_range(took(CLASS_PREWARM), 0, 16384);
	link_set_down(&link, true);
	assert_false(link_is_usable(&link, CLASS_PULL));
	forget();
	pass(10 * SECOND);
	assert_in_range(took(CLASS_PULL), 0, 16384);
	assert_true(link_wait_us(&link, now_us) == UINT64_MAX);
	c = settings("rate: 8Mbit, overhead: 0%"); /* a reload */
	link_set(&link, c, now_us, START);
	assert_true(link_is_usable(&link, CLASS_PULL));
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PULL) + took(CLASS_PREWARM), 10e6, 3);
}

static void
windows_change_the_rate(void **state)
{
	int64_t next;

	(void)state;
	start("rate: 80Mbit, overhead: 0%, windows: [{from: \"13:00\", "
	      "to: \"14:00\", rate: 8Mbit, prewarm: off}]");
	(void)begin(CLASS_PULL, 0);
	next = link_look(&link, now_us, START + 3590);
	assert_int_equal(next, START + 3600);
	assert_int_equal(link_rate(&link), 10000000);
	(void)link_look(&link, now_us, START + 3600);
	assert_int_equal(link_rate(&link), 1000000);
	assert_int_equal(link_prewarm(&link), 0);
	pass(2 * SECOND);
	forget();
	pass(10 * SECOND);
	is_near(took(CLASS_PULL), 10e6, 2);
	(void)link_look(&link, now_us, START + 7200);
	assert_int_equal(link_rate(&link), 10000000);
}

static void
a_spent_quota(void **state)
{
	char text[QUOTA_TEXT_MAX];
	uint64_t n = 0;

	(void)state;
	start("rate: 8Mbit, overhead: 5%, quota: {bytes: 20MiB, "
	      "reserve: 10MiB}");
	(void)begin(CLASS_PULL, 0);
	(void)begin(CLASS_PREWARM, 0);
	pass(SECOND);
	assert_int_equal(took(CLASS_PULL), 0); /* nothing was written down */
	for (int i = 0; i < 600; i++) {
		if (quota_wants(&link.quota, text)) {
			quota_written(&link.quota, true);
			n++;
		}
		pass(SECOND / 10);
	}
	assert_in_range(n, 20, 160);
	is_near(
	    (took(CLASS_PULL) + took(CLASS_PREWARM)) * 105 / 100, 20 << 20, 2);
	assert_true(
	    took(CLASS_PULL) + took(CLASS_PREWARM) < (20ull << 20) * 100 / 105);
	assert_false(link_is_usable(&link, CLASS_PULL));
	(void)link_look(&link, now_us, utc(2026, 12, 1, 0, 0));
	assert_true(link_is_usable(&link, CLASS_PREWARM));
}

static void
connections(void **state)
{
	(void)state;
	start("rate: 1Mbit");
	assert_int_equal(link_connections(&link), 1);
	assert_int_equal(link_buffer_bytes(&link), 25000);
	start("rate: 8Mbit");
	assert_in_range(link_connections(&link), 4, 15);
	start("rate: 50Mbit, connections: 32");
	assert_int_equal(link_connections(&link), 32);
	start("rate: unlimited, connections: 7");
	assert_int_equal(link_connections(&link), 7);
	assert_int_equal(link_buffer_bytes(&link), 0);
	start("rate: 50Mbit, connections: 2");
	assert_true(link_has_room(&link, CLASS_PREWARM));
	(void)begin(CLASS_PREWARM, 0);
	(void)begin(CLASS_PREWARM, 0);
	assert_false(link_has_room(&link, CLASS_REFRESH));
	assert_true(link_has_room(&link, CLASS_PULL));
	(void)begin(CLASS_PULL, 0);
	(void)begin(CLASS_PULL, 0);
	assert_false(link_has_room(&link, CLASS_PULL));
	assert_true(link_buffer_bytes(&link) * 4 < 6250000 / 4);
}

/* It takes no new connection, and nobody waits for those that it has. */
static void
prewarm_that_is_off(void **state)
{
	struct far *f;

	(void)state;
	start("rate: 50Mbit, connections: 2");
	f = begin(CLASS_PREWARM, 0);
	(void)begin(CLASS_PREWARM, 0);
	assert_false(link_has_room(&link, CLASS_REPAIR));
	link_set_prewarm(&link, 0, now_us);
	assert_true(link_has_room(&link, CLASS_REPAIR));
	assert_false(link_has_room(&link, CLASS_PREWARM));
	(void)begin(CLASS_REPAIR, 0);
	(void)begin(CLASS_REPAIR, 0);
	assert_false(link_has_room(&link, CLASS_REPAIR));
	link_set_prewarm(&link, 1000, now_us);
	link_flow_end(&f->flow);
	assert_false(link_has_room(&link, CLASS_PREWARM));
	start("rate: 50Mbit, connections: 2, prewarm: off");
	assert_false(link_has_room(&link, CLASS_PREWARM));
}

/* All that is on this side of the line before its turn has come. */
static uint64_t
ahead(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)begin(CLASS_PULL, 0);
	return n * (link_buffer_bytes(&link) + link_read_bytes(&link));
}

static void
what_comes_in_advance(void **state)
{
	(void)state;
	start("rate: 1Mbit");
	assert_true(ahead(link_connections(&link)) <= 31250);
	start("rate: 8Mbit");
	assert_true(ahead(link_connections(&link)) <= 250000);
	start("rate: 50Mbit, connections: 32");
	assert_true(ahead(32) <= 1562500);
	start("rate: 900Mbit, connections: 32");
	assert_true(ahead(32) <= 28125000);
	assert_in_range(link_read_bytes(&link), 64u << 10, 256u << 10);
	start("rate: 900Mbit, connections: 32, quota: {bytes: 32MiB}");
	assert_true(ahead(link_connections(&link)) <= 512u << 10);
	assert_true(quota_ahead(&link.quota) == 512u << 10);
	start("rate: unlimited");
	assert_int_equal(link_read_bytes(&link), 256u << 10);
}

static void
what_is_used(void **state)
{
	(void)state;
	start("rate: 8Mbit, overhead: 5%");
	(void)begin(CLASS_PULL, 0);
	pass(20 * SECOND);
	is_near(link_use_now(&link, CLASS_PULL, now_us), 1e6, 3);
	assert_int_equal(link_use_now(&link, CLASS_PREWARM, now_us), 0);
	is_near(link.use[CLASS_PULL].today, 20e6, 2);
	assert_int_equal(
	    link_use_now(&link, CLASS_PULL, now_us + 60 * SECOND), 0);
	(void)link_look(&link, now_us, START + 12 * 3600);
	assert_int_equal(link.use[CLASS_PULL].today, 0);
}

static int
tear_down(void **state)
{
	(void)state;
	settings_done();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(all_classes_want_all),
		cmocka_unit_test(a_pull_among_prewarm),
		cmocka_unit_test(a_pull_of_small_pieces),
		cmocka_unit_test(what_is_left_is_borrowed),
		cmocka_unit_test(flows_of_a_class_take_turns),
		cmocka_unit_test(coming_back_gives_no_claim),
		cmocka_unit_test(a_missed_turn_comes_again),
		cmocka_unit_test(who_was_alone_owes_nothing),
		cmocka_unit_test(a_waiting_prewarm_becomes_a_pull),
		cmocka_unit_test(prewarm_has_a_rate_of_its_own),
		cmocka_unit_test(an_operator_changes_it),
		cmocka_unit_test(windows_change_the_rate),
		cmocka_unit_test(a_spent_quota),
		cmocka_unit_test(connections),
		cmocka_unit_test(prewarm_that_is_off),
		cmocka_unit_test(what_comes_in_advance),
		cmocka_unit_test(what_is_used),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, tear_down);
}
