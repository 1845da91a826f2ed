/*
 * test_warm.c - releases over a real store and a real upstream (an OCI layout):
 * whatever is put, forgotten, removed and corrupted, a release that says it is
 * ready is; and its counts are what a walk of our own finds.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/config.h"

#define N_ROUNDS 30

/* ---- tests --------------------------------------------------------------------------- */

static void
all_of_them(void **state)
{
	struct bench *b = *state;

	put(b, 0xff);
	assert_true(b->call.is_new && b->call.has_changed);
	await_ready(b);
	assert_whole(b, 0xff);
	put(b, 0xff);
	assert_false(b->call.is_new || b->call.has_changed);
	call(b, RELEASE_DELETE, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	call(b, RELEASE_VIEW, NULL);
	assert_int_equal(b->call.error.code, ERR_NOT_FOUND);
}

static void
reopen(struct bench *b)
{
	release_call_done(&b->call);
	close_mirror(b);
	open_store(b->f);
	open_mirror(b);
}

static void
kept_over_a_restart(void **state)
{
	struct bench *b = *state;
	int64_t accepted_at, ready_at;

	put(b, 0x0f);
	await_ready(b);
	accepted_at = b->now.accepted_at;
	ready_at = b->now.ready_at;
	reopen(b);
	await_ready(b);
	assert_whole(b, 0x0f);
	assert_int_equal(b->now.accepted_at, accepted_at);
	assert_int_equal(b->now.ready_at, ready_at);
	assert_int_equal(b->now.lost_at, 0);
}

static bool
has_pins(struct bench *b)
{
	char name[INDEX_RELEASE_MAX + 1];
	struct err err;
	struct index_reader *reader = index_reader_new(b->f->store, &err);
	bool is_it = index_next_release(reader, STR(""), name);

	index_release(reader);
	index_reader_free(reader);
	return is_it;
}

/* What can't be read is not gone. */
static void
the_folder_can_not_be_read(void **state)
{
	struct bench *b = *state;
	const char *at = b->f->store_path;

	put(b, 0x0f);
	await_ready(b);
	assert_int_equal(
	    run("cd %s/state && mv releases away && touch releases", at), 0);
	reopen(b);
	call(b, RELEASE_VIEW, NULL);
	assert_int_equal(b->call.error.code, ERR_NOT_FOUND);
	reopen(b); /* all that was begun has ended */
	assert_true(has_pins(b));
	assert_int_equal(
	    run("cd %s/state && rm releases && mv away releases", at), 0);
	reopen(b);
	await_ready(b);
	assert_whole(b, 0x0f);
}

/* Every part of every image, and how it is. */
static void
an_image_shown(void **state)
{
	struct bench *b = *state;

	put(b, 0x01);
	await_ready(b);
	call(b, RELEASE_IMAGE, NULL);
	assert_int_equal(b->call.view->n_images, 1);
	assert_int_equal(b->call.view->n_digests, 4);
	assert_int_equal(b->call.view->digests[0].part, RELEASE_MANIFEST);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(b->call.view->digests[i].state, RELEASE_READY);
}

static void
a_plan_begins_nothing(void **state)
{
	struct bench *b = *state;
	struct parts want;
	uint64_t bytes = 0;

	parts_of(b, 0xff, &want);
	for (size_t i = 0; i < want.n; i++)
		bytes += want.all[i].n;
	call(b, RELEASE_PLAN, list_of(b, 0xff));
	assert_int_equal(b->call.error.code, ERR_NONE);
	assert_int_equal(b->now.counts.n_digests, want.n);
	assert_int_equal(b->call.view->n_shares, 1);
	assert_string_equal(b->call.view->shares[0].upstream, "demo.local");
	for (unsigned i = 0; i < N_IMAGES; i++) /* no blob came */
		for (unsigned k = 1; k < 4; k++)
			assert_false(is_there(
			    blob_path(b->f, &b->images[i].parts[k].digest)));
	assert_true(b->now.counts.missing_bytes <= bytes);
	put(b, 0xff);
	await_ready(b);
	call(b, RELEASE_PLAN, list_of(b, 0xff));
	assert_int_equal(b->now.counts.bytes, bytes);
	assert_int_equal(b->now.counts.missing_bytes, 0);
}

/* ---- proof -------------------------------------------------------------------------- */

/* No file can be opened from here on, until the old limit is back. */
static rlim_t
spend_descriptors(void)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = 3; /* those that are open stay so */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void
give_descriptors(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
what_is_not_read_is_no_proof(void **state)
{
	struct bench *b = *state;
	rlim_t before;

	put(b, 0x01);
	await_ready(b);
	before = spend_descriptors();
	call(b, RELEASE_VERIFY, NULL);
	give_descriptors(before);
	assert_int_equal(b->call.verified.n_digests, 4);
	assert_int_equal(b->call.verified.n_unread, 4);
	assert_int_equal(b->call.verified.n_corrupt, 0);
	assert_non_null(strstr(b->call.verified.why, "can't open"));
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_unread, 0);
	assert_int_equal(b->call.verified.n_digests, 4);
	assert_int_equal(b->call.verified.bytes, b->now.counts.bytes);
}

#define N_CALLERS 20

struct caller {
	struct release_call call;
	unsigned *n_answers;
};

static void
on_called(struct release_call *c)
{
	struct caller *caller = container_of(c, struct caller, call);

	(*caller->n_answers)++;
}

static void
ask_many(struct bench *b, struct caller callers[N_CALLERS], unsigned *n)
{
	memset(callers, 0, N_CALLERS * sizeof(*callers));
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		callers[i].n_answers = n;
		c->home = b->f->loop;
		c->done = on_called;
		c->verb = RELEASE_VERIFY;
		(void)snprintf(
		    c->name, sizeof(c->name), "%s", i % 2 == 0 ? "r" : "s");
		releases_call(b->releases, c);
	}
}

static void
one_proof_for_all_who_ask(void **state)
{
	struct bench *b = *state;
	struct caller callers[N_CALLERS];
	unsigned n = 0;

	put_as(b, "s", 0x03);
	put(b, 0x01);
	await_ready(b);
	ask_many(b, callers, &n);
	AWAIT(b->f, n == N_CALLERS);
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		assert_int_equal(c->error.code, ERR_NONE);
		assert_non_null(c->view);
		assert_int_equal(c->verified.n_unread, 0);
		if (i % 2 == 0)
			assert_int_equal(c->verified.n_digests, 4);
		release_call_done(c);
	}
}

/* Nobody is told that all was read when the mirror stopped half way. */
static void
no_proof_of_a_mirror_that_stops(void **state)
{
	struct bench *b = *state;
	struct caller callers[N_CALLERS];
	unsigned n = 0;

	put_as(b, "s", 0x03);
	put(b, 0x01);
	await_ready(b);
	release_call_done(&b->call);
	memset(&b->call, 0, sizeof(b->call));
	ask_many(b, callers, &n);
	close_mirror(b);
	AWAIT(b->f, n == N_CALLERS);
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		if (c->error.code != ERR_NONE)
			assert_int_equal(c->error.code, ERR_CANCELLED);
		else if (i % 2 == 0)
			assert_int_equal(c->verified.n_digests, 4);
		release_call_done(c);
	}
	open_store(b->f);
	open_mirror(b);
}

/* ---- freezes ------------------------------------------------------------------------ */

static const char *
freeze_file(struct bench *b)
{
	static char path[300];

	(void)snprintf(
	    path, sizeof(path), "%s/state/freeze.json", b->f->store_path);
	return path;
}

static const struct freeze *
freeze_now(struct bench *b)
{
	do
		call(b, RELEASES_LIST, NULL);
	while (!b->call.overview->is_read);
	return &b->call.overview->freeze;
}

static void
restart(struct bench *b)
{
	release_call_done(&b->call);
	memset(&b->call, 0, sizeof(b->call));
	close_mirror(b);
	open_store(b->f);
	open_mirror(b);
}

/* At the moment of the answer the file is there; what could not be written is
 * an error. */
static void
a_freeze_is_kept_when_it_is_answered(void **state)
{
	struct bench *b = *state;
	char path[400];

	call(b, RELEASES_FREEZE, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	assert_true(b->call.overview->freeze.is_on);
	assert_true(is_there(freeze_file(b)));
	restart(b);
	assert_true(freeze_now(b)->is_on);
	(void)snprintf(path, sizeof(path), "%s.new", freeze_file(b));
	assert_int_equal(mkdir(path, 0755), 0);
	call(b, RELEASES_THAW, NULL);
	assert_int_equal(b->call.error.code, ERR_DISK);
	assert_non_null(strstr(b->call.error.text, "until the next start"));
	assert_int_equal(rmdir(path), 0);
	call(b, RELEASES_THAW, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	restart(b);
	assert_false(freeze_now(b)->is_on);
}

static void
an_unreadable_freeze_is_one(void **state)
{
	static const char *const texts[] = { "", "{\"is_on\": tr", "[]",
		"{\"reason\": \"storm\"}" };
	struct bench *b = *state;

	assert_false(freeze_now(b)->is_on);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(freeze_file(b), texts[i], strlen(texts[i]));
		restart(b);
		assert_true(freeze_now(b)->is_on);
		assert_non_null(strstr(freeze_now(b)->reason, "freeze.json"));
		call(b, RELEASES_THAW, NULL);
		assert_false(b->call.overview->freeze.is_on);
		restart(b);
		assert_false(freeze_now(b)->is_on);
	}
}

/* ---- at random -------------------------------------------------------------------------- */

static const struct part *
any_part(struct bench *b, unsigned which)
{
	static struct parts all;

	parts_of(b, which, &all);
	return &all.all[(size_t)random() % all.n];
}

/* As an eviction would, if pins were no obstacle. */
static void
forget(struct bench *b, const struct part *p)
{
	struct index_batch *batch = index_batch_new();

	index_batch_forget(batch, &p->digest);
	assert_null(commit(b->f, batch));
	(void)unlink(blob_path(b->f, &p->digest));
	call(b, RELEASE_VIEW, NULL);
	assert_true(
	    b->now.state != RELEASE_READY || b->now.counts.n_missing == 0);
}

static void
corrupt(struct bench *b, const struct part *p)
{
	char *bytes = make_bytes(p->n, 77);

	write_file(blob_path(b->f, &p->digest), bytes, p->n);
	free(bytes);
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_corrupt, 1);
}

static void
lose(struct bench *b, const struct part *p)
{
	assert_int_equal(unlink(blob_path(b->f, &p->digest)), 0);
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_corrupt, 1);
}

static void
at_random(void **state)
{
	struct bench *b = *state;
	unsigned which = 0x3;

	srandom(20261122);
	put(b, which);
	await_ready(b);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		switch (random() % 4) {
		case 0:
			which = 1 + (unsigned)random() % 0xff;
			put(b, which);
			break;
		case 1:
			forget(b, any_part(b, which));
			break;
		case 2:
			corrupt(b, any_part(b, which));
			break;
		default:
			lose(b, any_part(b, which));
			break;
		}
		await_ready(b);
		assert_whole(b, which);
		call(b, RELEASE_VERIFY, NULL);
		assert_int_equal(b->call.verified.n_corrupt, 0);
		assert_int_equal(b->call.verified.n_missing, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_them, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    kept_over_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_folder_can_not_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_image_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_plan_begins_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_not_read_is_no_proof, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    one_proof_for_all_who_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    no_proof_of_a_mirror_that_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_freeze_is_kept_when_it_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_unreadable_freeze_is_one, setup, teardown),
		cmocka_unit_test_setup_teardown(at_random, setup, teardown),
	};

	return cmocka_run_group_tests_name("warm", tests, NULL, NULL);
}
