/*
 * test_sites.c - what serve loops note, what the sites know of it, and what is
 * left of that after a restart.
 *
 * Loops are never started: letters are delivered when the test says so.  The
 * wall clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "common/config.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "common/metrics.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "site/manifest_set.h"
#include "site/pulls.h"
#include "site/site.h"
#include "site_int.h"

#define NOON 1800000000
#define DAY 86400

int64_t __wrap_clock_wall_s(void);

static int64_t now;
static uint32_t address = 0x0a010203; /* that sites are at */
static char folder[] = "/tmp/test_sites.XXXXXX";
static char path[64];
static struct loop *serve, *admin;
static struct work_pool *pool;
static struct sites *sites;
static struct pulls *pulls;

int64_t
__wrap_clock_wall_s(void)
{
	return now;
}

/* ---- the mirror around it ----------------------------------------------- */

static void
start(void)
{
	struct sites_spec spec = { .path = path, .keep_ms = 1 };
	struct err err;

	serve = loop_new("serve", &err);
	admin = loop_new("admin", &err);
	pool = work_pool_new("work", 1, &err);
	spec.admin = admin;
	spec.pool = pool;
	sites = sites_new(&spec, &err);
	assert_non_null(sites);
	pulls = pulls_new(serve, sites, &err);
	assert_non_null(pulls);
}

static void
deliver(void)
{
	while (loop_drain(admin) + loop_drain(serve) > 0)
		;
}

static void
stop(void)
{
	deliver();
	pulls_free(pulls);
	sites_free(sites);
	work_pool_free(pool);
	loop_free(serve);
	loop_free(admin);
}

/* What is noted shows after a restart: a table is on its way only when it is
 * full or a second old. */
static void
restart(void)
{
	stop();
	start();
}

static int
setup(void **state)
{
	(void)state;
	now = NOON;
	(void)unlink(path);
	start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stop();
	return 0;
}

/* ---- what sites do ------------------------------------------------------ */

static struct site_id
named(const char *name)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address) };
	struct site_id id;

	site_id_set(&id, STR(""), str_of(name), (const struct sockaddr *)&sa);
	return id;
}

static struct digest
digest_no(unsigned n)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &n, sizeof(n), &d);
	return d;
}

/* A GET of manifest N. */
static void
get(const char *name, unsigned n, enum pull_outcome outcome)
{
	struct site_id id = named(name);
	struct digest digest = digest_no(n);
	struct pull_note note = { .site = &id,
		.scope = STR("docker.io/library/a"),
		.digest = &digest,
		.manifest = outcome == PULL_GOOD ? &digest : NULL,
		.outcome = outcome,
		.status = outcome == PULL_GOOD ? 200 : 503,
		.bytes = 100 };

	pulls_note(pulls, &note);
}

static struct site *
site(const char *name)
{
	struct site *s = sites_find(sites, name);

	assert_non_null(s);
	return s;
}

static int64_t
pulled_at(const char *name, unsigned n)
{
	struct digest digest = digest_no(n);

	return site_pulled_at(site(name), &digest);
}

/* ---- what is known ------------------------------------------------------ */

static void
counts(void **state)
{
	char text[DIGEST_TEXT_MAX], reference[200];
	struct digest d = digest_no(1);

	(void)state;
	get("store-1", 1, PULL_GOOD);
	get("store-1", 1, PULL_GOOD);
	get("store-1", 2, PULL_LEFT);
	get("store-2", 2, PULL_BAD);
	restart();
	assert_int_equal(sites_count(sites), 2);
	assert_int_equal(site("store-1")->n_requests, 3);
	assert_int_equal(site("store-1")->bytes, 300);
	assert_int_equal(site("store-1")->n_errors, 0);
	assert_int_equal(site("store-1")->first_seen_at, NOON);
	assert_int_equal(site("store-1")->last_seen_at, NOON);
	assert_int_equal(site("store-1")->origin, SITE_BY_HEADER);
	assert_int_equal(pulled_at("store-1", 1), NOON);
	assert_int_equal(pulled_at("store-1", 2), 0);
	(void)snprintf(reference, sizeof(reference), "docker.io/library/a@%s",
	    digest_text(&d, text));
	assert_string_equal(site("store-1")->pulled, reference);
	assert_int_equal(site("store-2")->n_errors, 1);
	assert_int_equal(site("store-2")->failed_status, 503);
	assert_null(site("store-2")->pulled);
	assert_null(sites_find(sites, "store-3"));
}

static void
a_tag_is_its_manifest(void **state)
{
	struct digest none = { .alg = 0 }, sent = digest_no(7);
	struct site_id id = named(NULL);
	struct pull_note note = { .site = &id,
		.scope = STR("ghcr.io/x"),
		.tag = STR("1.2"),
		.digest = &none,
		.manifest = &sent,
		.status = 200 };

	(void)state;
	pulls_note(pulls, &note);
	restart();
	assert_int_equal(pulled_at("10.1.2.3", 7), NOON);
	assert_string_equal(site("10.1.2.3")->pulled, "ghcr.io/x:1.2");
	assert_int_equal(site("10.1.2.3")->origin, SITE_BY_ADDRESS);
}

/* Of manifests 10 to 19, twice each. */
static void
how_far_with_a_set(void **state)
{
	struct manifest_set *set = manifest_set_new(20);
	int64_t last_at;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct digest digest = digest_no(10 + i % 10);

		manifest_set_add(set, &digest);
	}
	manifest_set_close(set);
	assert_int_equal(manifest_set_count(set), 10);
	get("a", 5, PULL_GOOD);
	get("a", 12, PULL_BAD);
	restart();
	assert_int_equal(manifest_set_pulled(set, site("a"), &last_at), 0);
	assert_int_equal(last_at, 0);
	now += 10;
	for (unsigned i = 12; i < 40; i += 2)
		get("a", i, PULL_GOOD);
	restart();
	now += 10;
	get("a", 11, PULL_GOOD);
	get("a", 5, PULL_GOOD);
	restart();
	now += 10;
	get("a", 5, PULL_GOOD);
	restart();
	assert_int_equal(manifest_set_pulled(set, site("a"), &last_at), 5);
	assert_int_equal(last_at, NOON + 20);
	manifest_set_free(set);
}

static void
failing_until_it_went_well(void **state)
{
	(void)state;
	get("a", 1, PULL_BAD);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
	get("a", 2, PULL_GOOD);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
	get("a", 1, PULL_LEFT);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
	get("a", 1, PULL_BAD);
	get("a", 1, PULL_GOOD);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_SEEN);
	assert_int_equal(site("a")->n_errors, 2);
	get("a", 1, PULL_GOOD);
	get("a", 1, PULL_BAD);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
}

/* A HEAD that goes well says nothing about the GET. */
static void
heads_and_gets(void **state)
{
	struct site_id id = named("a");
	struct digest digest = digest_no(1);
	struct pull_note note = { .site = &id,
		.scope = STR("docker.io/library/a"),
		.digest = &digest,
		.is_head = true,
		.status = 200 };

	(void)state;
	get("a", 1, PULL_BAD);
	pulls_note(pulls, &note);
	restart();
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
	assert_int_equal(pulled_at("a", 1), 0);
}

static void
states_by_age(void **state)
{
	(void)state;
	get("bad", 1, PULL_BAD);
	get("good", 1, PULL_GOOD);
	restart();
	now += SITE_FAILING_S - 1;
	assert_int_equal(site_state(site("bad"), now), SITE_FAILING);
	now += 1;
	assert_int_equal(site_state(site("bad"), now), SITE_SEEN);
	now = NOON + SITE_SILENT_S - 1;
	assert_int_equal(site_state(site("good"), now), SITE_SEEN);
	now += 1;
	assert_int_equal(site_state(site("good"), now), SITE_SILENT);
	assert_string_equal(site_state_name(SITE_SILENT), "silent");
}

/* ---- ceilings ----------------------------------------------------------- */

static void
note_sites(unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		(void)snprintf(name, sizeof(name), "s%05u", i);
		get(name, i, PULL_GOOD);
		deliver();
	}
}

static void
the_oldest_is_forgotten(void **state)
{
	struct site *s = NULL;
	unsigned n = 0;

	(void)state;
	note_sites(0, SITES_MAX);
	get("s00000", 1, PULL_GOOD); /* and so s00001 is the oldest */
	now -= DAY;                  /* whatever the clock says */
	note_sites(SITES_MAX, SITES_MAX + 2);
	restart();
	assert_int_equal(sites_count(sites), SITES_MAX);
	assert_non_null(sites_find(sites, "s00000"));
	assert_null(sites_find(sites, "s00001"));
	assert_null(sites_find(sites, "s00002"));
	assert_non_null(sites_find(sites, "s00003"));
	note_sites(SITES_MAX + 2, SITES_MAX + 3); /* the order was kept */
	restart();
	assert_null(sites_find(sites, "s00003"));
	for (s = sites_next(sites, NULL); s != NULL;
	     s = sites_next(sites, s->name), n++)
		assert_true(sites_next(sites, s->name) == NULL ||
		    strcmp(s->name, sites_next(sites, s->name)->name) < 0);
	assert_int_equal(n, SITES_MAX);
	assert_string_equal(sites_next(sites, "s00004x")->name, "s00005");
	assert_null(sites_next(sites, "t"));
}

static void
the_oldest_manifest_is_forgotten(void **state)
{
	unsigned n_left = 0;

	(void)state;
	for (unsigned i = 0; i < SITE_ROWS_MAX + 10; i++) {
		now++;
		get("a", i, PULL_GOOD);
		if (i % 400 == 399) /* before the table is full: a second */
			restart();
	}
	restart();
	assert_int_equal(site("a")->n_rows, SITE_ROWS_MAX);
	for (unsigned i = 0; i < 400; i++) /* all of the same time */
		n_left += pulled_at("a", i) != 0;
	assert_int_equal(n_left, 390);
	for (unsigned i = 400; i < SITE_ROWS_MAX; i++)
		assert_int_not_equal(pulled_at("a", i), 0);
	assert_int_equal(pulled_at("a", SITE_ROWS_MAX + 9), now);
	assert_int_equal(pulled_at("a", SITE_ROWS_MAX / 2),
	    NOON + 800); /* of the third table */
	assert_int_equal(site("a")->n_requests, SITE_ROWS_MAX + 10);
}

/* Of all sites there are as many rows as there may be: a new site shows what it
 * pulls nevertheless, at the cost of the one not seen for longest. */
static void
a_new_site_among_full_ones(void **state)
{
	struct sites *ss = sites;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; ss->n_rows < ROWS_MAX; i++) {
		struct site *s = site_new("");

		(void)snprintf(s->name, sizeof(s->name), "s%05u", i);
		sites_add(ss, s);
		for (unsigned k = 0; k < SITE_ROWS_MAX; k++)
			if (ss->n_rows < ROWS_MAX)
				site_rows_put(ss, s, k, 1 + k);
	}
	for (unsigned i = 0; i < 150; i++)
		get("t", i, PULL_GOOD);
	restart();
	ss = sites;
	for (unsigned i = 0; i < 150; i++)
		n += pulled_at("t", i) != 0;
	assert_int_equal(n, ROWS_MAX / SITES_MAX);
	assert_int_equal(site("t")->n_rows, n);
	assert_int_equal(site("s00000")->n_rows, SITE_ROWS_MAX - n);
	assert_int_equal(site("s00001")->n_rows, SITE_ROWS_MAX);
	assert_int_equal(ss->n_rows, ROWS_MAX);
}

/* The sites are asleep: four tables take what they can, the rest is counted. */
static void
what_is_lost_is_counted(void **state)
{
	int64_t before = metric_value(metric_get(M_site_pulls_lost_total));
	uint64_t noted = 0;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "s%05u", i);
		get(name, 1, PULL_GOOD);
	}
	deliver();
	get("s00000", 1, PULL_GOOD);
	restart();
	for (struct site *s = sites_next(sites, NULL); s != NULL;
	     s = sites_next(sites, s->name))
		noted += s->n_requests;
	assert_true(noted > 1000 && noted <= 4 * 512 + 1);
	assert_int_equal(
	    metric_value(metric_get(M_site_pulls_lost_total)) - before,
	    5001 - noted);
	assert_int_equal(site("s00000")->n_requests, 2);
}

/* ---- clocks ------------------------------------------------------------- */

static void
a_clock_that_steps_back(void **state)
{
	(void)state;
	get("a", 1, PULL_BAD);
	get("a", 2, PULL_GOOD);
	restart();
	now = NOON - DAY;
	restart();
	assert_int_equal(site("a")->last_seen_at, NOON - DAY);
	assert_int_equal(site("a")->failed_at, NOON - DAY);
	assert_int_equal(pulled_at("a", 2), NOON - DAY);
	assert_int_equal(site_state(site("a"), now), SITE_FAILING);
	now += SITE_FAILING_S;
	assert_int_equal(site_state(site("a"), now), SITE_SEEN);
}

/* ---- rings -------------------------------------------------------------- */

static struct config *
configured(const char *yaml)
{
	struct err err;
	struct config *c = config_parse("t.yaml", str_of(yaml), &err);

	assert_non_null(c);
	return c;
}

static void
rings_follow_the_configuration(void **state)
{
	struct config *one = configured(
	    "sites: [{match: \"store-*\", ring: a}, {match: 10.1.0.0/16, "
	    "ring: b}]\n");
	struct config *two = configured(
	    "sites: [{match: 10.1.0.0/16, ring: b}, {match: \"store-*\", "
	    "ring: a}]\n");

	(void)state;
	get("store-1", 1, PULL_GOOD);
	get(NULL, 1, PULL_GOOD);
	restart();
	assert_string_equal(sites_ring(sites, site("store-1"), one), "a");
	assert_string_equal(sites_ring(sites, site("10.1.2.3"), one), "b");
	assert_string_equal(sites_ring(sites, site("store-1"), two), "b");
	assert_string_equal(sites_ring(sites, site("store-1"), one), "a");
	config_unref(one);
	config_unref(two);
}

/* A full table is sent at once. */
static void
note_and_send(const char *name)
{
	for (unsigned i = 0; i < 513; i++)
		get(name, i, PULL_GOOD);
	deliver();
}

static void
rings_follow_the_address(void **state)
{
	struct config *c =
	    configured("sites: [{match: 10.1.0.0/16, ring: b}]\n");

	(void)state;
	note_and_send("store-1");
	assert_string_equal(sites_ring(sites, site("store-1"), c), "b");
	address = 0x0a020304;
	note_and_send("store-1");
	assert_string_equal(sites_ring(sites, site("store-1"), c), "");
	address = 0x0a010203;
	config_unref(c);
}

/* ---- the file ----------------------------------------------------------- */

static size_t
read_file(char *out, size_t max)
{
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, max, f);
	(void)fclose(f);
	return n;
}

static void
write_file(const char *bytes, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	(void)fclose(f);
}

/* Any byte wrong, any length short: nothing of it is believed, and the next
 * start has what came since. */
static void
a_broken_file(void **state)
{
	static char whole[4096], spoilt[4096];
	size_t n;

	(void)state;
	get("a", 1, PULL_GOOD);
	get("b", 2, PULL_BAD);
	restart();
	n = read_file(whole, sizeof(whole));
	stop();
	log_setup(LOG_ERROR, LOG_TEXT);
	for (size_t i = 0; i < n; i++) {
		memcpy(spoilt, whole, n);
		spoilt[i] = (char)(spoilt[i] ^ 0x10);
		write_file(spoilt, n);
		start();
		assert_int_equal(sites_count(sites), 0);
		stop();
		write_file(whole, i);
		start();
		assert_int_equal(sites_count(sites), 0);
		stop();
	}
	start();
	get("c", 1, PULL_GOOD);
	restart();
	assert_int_equal(sites_count(sites), 1);
	log_setup(LOG_INFO, LOG_TEXT);
}

/* Nonsense under a right check sum is read without harm. */
static void
a_file_of_nonsense(void **state)
{
	static const unsigned char bits[] = { 0x01, 0x80, 0xff };
	static char whole[4096], spoilt[4096];
	uint32_t sum;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		get("a", i, PULL_GOOD);
	get("b", 2, PULL_BAD);
	restart();
	n = read_file(whole, sizeof(whole)) - sizeof(sum);
	stop();
	log_setup(LOG_ERROR, LOG_TEXT);
	for (size_t i = 0; i < n * sizeof(bits); i++) {
		memcpy(spoilt, whole, n);
		spoilt[i % n] = (char)(spoilt[i % n] ^ bits[i / n]);
		sum = crc32c(0, spoilt, n);
		memcpy(spoilt + n, &sum, sizeof(sum));
		write_file(spoilt, n + sizeof(sum));
		start();
		assert_true(sites_count(sites) <= 2);
		stop();
	}
	start();
	log_setup(LOG_INFO, LOG_TEXT);
}

static void
nothing_new_is_not_written(void **state)
{
	(void)state;
	get("a", 1, PULL_GOOD);
	restart();
	assert_int_equal(unlink(path), 0);
	restart();
	assert_int_equal(access(path, F_OK), -1);
}

/* ---- with threads ------------------------------------------------------- */

static void
deliver_notes(struct letter *letter)
{
	for (unsigned i = 0; i < 700; i++) /* a table, and part of another */
		get("a", i, PULL_GOOD);
	free(letter);
}

/* Waits until the file has been replaced. */
static void
await_file(int events)
{
	char event[512];

	assert_true(read(events, event, sizeof(event)) > 0);
}

static void
kept_while_it_runs(void **state)
{
	int events = inotify_init1(IN_CLOEXEC);
	struct letter *letter = calloc(1, sizeof(*letter));
	struct err err;

	(void)state;
	assert_true(inotify_add_watch(events, folder, IN_MOVED_TO) >= 0);
	assert_int_equal(loop_start(admin, &err), 0);
	assert_int_equal(loop_start(serve, &err), 0);
	letter->deliver = deliver_notes;
	loop_post(serve, letter);
	await_file(events); /* the full table */
	await_file(events); /* the other, a second later */
	loop_stop(serve);
	loop_join(serve);
	loop_stop(admin);
	loop_join(admin);
	deliver();
	assert_int_equal(unlink(path), 0);
	get("b", 1, PULL_GOOD);
	restart();
	assert_int_equal(site("a")->n_requests, 700);
	assert_int_equal(site("b")->n_requests, 1);
	(void)close(events);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_tag_is_its_manifest, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    how_far_with_a_set, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    failing_until_it_went_well, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    heads_and_gets, setup, teardown),
		cmocka_unit_test_setup_teardown(states_by_age, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_oldest_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_oldest_manifest_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_new_site_among_full_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_lost_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_clock_that_steps_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    rings_follow_the_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    rings_follow_the_address, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_file_of_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    nothing_new_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    kept_while_it_runs, setup, teardown),
	};
	int failed;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/sites", folder);
	metrics_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	metrics_done();
	(void)unlink(path);
	(void)rmdir(folder);
	return failed;
}
