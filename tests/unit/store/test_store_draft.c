/*
 * test_store_draft.c - drafts: bytes in any order become a blob; what was left
 * is resumed.
 */
#include <stdio.h>
#include <unistd.h>

#include "fixture.h"

#define SIZE (3u * DRAFT_CHUNK + 4321u)

/* ---- the straight way --------------------------------------------------- */

static void
becomes_a_blob(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 1);
	struct draft *d = open_draft(f, &b.digest);
	struct store_usage u;

	assert_int_equal(f->n_events, 1);
	assert_false(draft_was_resumed(d));
	assert_int_equal(draft_size(d), 0);
	draft_set_size(d, SIZE);
	assert_int_equal(draft_size(d), SIZE);
	write_all(d, 0, b.bytes, 1000);
	assert_int_equal(draft_front(d), 1000);
	assert_false(draft_is_hashed(d));
	write_all(d, 1000, b.bytes + 1000, SIZE - 1000);
	assert_int_equal(draft_front(d), SIZE);
	assert_int_equal(draft_bytes(f), SIZE);
	keep_draft(f, d);
	assert_int_equal(draft_bytes(f), 0);
	assert_stored(f, b.bytes, SIZE);
	assert_int_equal(n_drafts(f), 0);
	store_usage(f->store, &u);
	assert_int_equal(u.used_bytes, SIZE);
	assert_int_equal(u.n_objects, 1);
	draft_leave(d);
	close_store(f);
	open_store(f);
	assert_stored(f, b.bytes, SIZE);
	free(b.bytes);
}

static void
commits_the_owners_rows_with_it(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(10, 2);
	struct draft *d = open_draft(f, &b.digest);
	struct index_batch *batch = index_batch_new();
	struct index_reader *r;
	struct member_row member;
	struct blob_row row;
	struct err err;

	draft_set_size(d, 10);
	write_all(d, 0, b.bytes, 10);
	AWAIT(f, draft_is_hashed(d));
	index_batch_member(batch, STR("u/repo"), &b.digest, 10);
	draft_keep(d, true, batch);
	AWAIT(f, draft_state(d) == DRAFT_KEPT);
	r = index_reader_new(f->store, &err);
	assert_true(index_find_blob(r, &b.digest, &row));
	assert_true(row.is_public);
	assert_true(index_find_member(r, STR("u/repo"), &b.digest, &member));
	index_reader_free(r);
	draft_leave(d);
	free(b.bytes);
}

static void
empty_blob(void **state)
{
	struct fixture *f = *state;
	struct digest digest = digest_for("", 0);
	struct draft *d = open_draft(f, &digest);

	draft_set_size(d, 0);
	keep_draft(f, d);
	assert_stored(f, "", 0);
	draft_leave(d);
}

static void
sha512(void **state)
{
	struct fixture *f = *state;
	char *bytes = make_bytes(SIZE, 3);
	struct digest digest;
	struct draft *d;

	digest_of(DIGEST_SHA512, bytes, SIZE, &digest);
	d = open_draft(f, &digest);
	draft_set_size(d, SIZE);
	write_all(d, 0, bytes, SIZE);
	keep_draft(f, d);
	assert_true(is_there(blob_path(f, &digest)));
	draft_leave(d);
	free(bytes);
}

static void
twice_is_fine(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 4);

	for (int i = 0; i < 2; i++) {
		struct draft *d = open_draft(f, &b.digest);
		struct store_usage u;

		draft_set_size(d, SIZE);
		write_all(d, 0, b.bytes, SIZE);
		keep_draft(f, d);
		draft_leave(d);
		assert_stored(f, b.bytes, SIZE);
		store_usage(f->store, &u);
		assert_int_equal(u.used_bytes, SIZE);
		assert_int_equal(u.n_objects, 1);
	}
	free(b.bytes);
}

static void
many_at_once(void **state)
{
	enum { N = 40 };
	struct fixture *f = *state;
	struct blob blobs[N];
	struct draft *drafts[N];

	for (unsigned i = 0; i < N; i++) {
		blobs[i] = make_blob(SIZE + i, 100 + i);
		drafts[i] = start_draft(f, &blobs[i].digest, 0);
		draft_set_size(drafts[i], SIZE + i); /* while OPENING */
		assert_int_equal(draft_size(drafts[i]), SIZE + i);
	}
	for (unsigned i = 0; i < N; i++) {
		AWAIT(f, draft_state(drafts[i]) == DRAFT_OPEN);
		assert_int_equal(draft_size(drafts[i]), SIZE + i);
		write_all(drafts[i], 0, blobs[i].bytes, SIZE + i);
	}
	for (unsigned i = 0; i < N; i++) {
		AWAIT(f, draft_is_hashed(drafts[i]));
		draft_keep(drafts[i], false, NULL);
	}
	for (unsigned i = 0; i < N; i++) {
		AWAIT(f, draft_state(drafts[i]) == DRAFT_KEPT);
		assert_stored(f, blobs[i].bytes, SIZE + i);
		draft_leave(drafts[i]);
		free(blobs[i].bytes);
	}
	assert_int_equal(n_drafts(f), 0);
}

/* ---- bytes -------------------------------------------------------------- */

static void
out_of_order(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 5);
	struct draft *d = open_draft(f, &b.digest);
	uint64_t start, end;

	draft_set_size(d, SIZE);
	write_all(d, 100000, b.bytes + 100000, SIZE - 100000);
	assert_int_equal(draft_front(d), 0);
	assert_true(draft_gap(d, 0, &start, &end));
	assert_int_equal(start, 0);
	assert_int_equal(end, 100000);
	assert_false(draft_gap(d, 100000, &start, &end));
	write_all(d, 0, b.bytes, 50000);
	assert_int_equal(draft_front(d), 50000);
	assert_true(draft_gap(d, 0, &start, &end));
	assert_int_equal(start, 50000);
	write_all(d, 40000, b.bytes + 40000, 60000); /* some of it again */
	assert_int_equal(draft_front(d), SIZE);
	assert_false(draft_gap(d, 0, &start, &end));
	keep_draft(f, d);
	assert_stored(f, b.bytes, SIZE);
	draft_leave(d);
	free(b.bytes);
}

static void
size_comes_last(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 6);
	struct draft *d = open_draft(f, &b.digest);

	write_all(d, 0, b.bytes, SIZE);
	write_all(d, 0, b.bytes, 0);
	assert_false(draft_is_hashed(d));
	draft_set_size(d, SIZE);
	keep_draft(f, d);
	assert_stored(f, b.bytes, SIZE);
	draft_leave(d);
	free(b.bytes);
}

static void
too_many_bytes(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(100, 7);
	struct draft *d = open_draft(f, &b.digest);
	struct err err;

	draft_set_size(d, 100);
	write_all(d, 0, b.bytes, 60);
	assert_int_equal(draft_write(d, 60, b.bytes, 41, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_int_equal(draft_write(d, 101, b.bytes, 1, &err), -1);
	assert_int_equal(draft_write(d, UINT64_MAX, b.bytes, 2, &err), -1);
	assert_int_equal(draft_front(d), 60);
	write_all(d, 60, b.bytes + 60, 40);
	keep_draft(f, d);
	draft_leave(d);
	free(b.bytes);
}

static void
wrong_bytes_then_right_ones(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 8);
	char *longer = make_bytes(SIZE + 100000, 9);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE + 100000);
	write_all(d, 0, longer, SIZE + 100000);
	AWAIT(f, draft_is_hashed(d));
	assert_false(draft_matches(d));
	draft_restart(d);
	assert_false(draft_is_hashed(d));
	assert_int_equal(draft_front(d), 0);
	assert_int_equal(draft_bytes(f), 0);
	assert_int_equal(draft_size(d), SIZE + 100000);
	draft_set_size(d, SIZE);
	write_all(d, 0, b.bytes, SIZE);
	keep_draft(f, d); /* and cuts off what was behind */
	assert_stored(f, b.bytes, SIZE);
	draft_leave(d);
	free(longer);
	free(b.bytes);
}

static void
another_size_throws_the_bytes_away(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 10);
	struct draft *d = open_draft(f, &b.digest);

	write_all(d, 0, b.bytes, SIZE);
	draft_set_size(d, SIZE - 1); /* does not fit */
	assert_int_equal(draft_front(d), 0);
	write_all(d, 0, b.bytes, 10);
	draft_set_size(d, SIZE - 1); /* the same again */
	assert_int_equal(draft_front(d), 10);
	draft_set_size(d, SIZE); /* not what it was */
	assert_int_equal(draft_front(d), 0);
	assert_int_equal(draft_size(d), SIZE);
	write_all(d, 0, b.bytes, SIZE);
	keep_draft(f, d);
	draft_leave(d);
	free(b.bytes);
}

/* A restart must make a running pass's result void, whenever it comes. */
static void
restart_at_any_time(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(4u << 20, 11);
	char *wrong = make_bytes(4u << 20, 12);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, b.n);
	for (size_t n = 0; n < 12; n++) {
		write_all(d, 0, wrong, b.n);
		for (size_t i = 0; i < n && !draft_is_hashed(d); i++)
			(void)loop_drain(f->loop);
		draft_restart(d);
		assert_false(draft_is_hashed(d));
	}
	write_all(d, 0, b.bytes, b.n);
	keep_draft(f, d);
	assert_stored(f, b.bytes, b.n);
	draft_leave(d);
	free(wrong);
	free(b.bytes);
}

/* ---- resuming ----------------------------------------------------------- */

static void
resumes_what_was_left(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 13);
	struct draft *d = open_draft(f, &b.digest);
	uint64_t start, end;

	draft_set_size(d, SIZE);
	write_all(d, 0, b.bytes, 2 * DRAFT_CHUNK + 5);
	draft_leave(d);
	AWAIT(f, draft_bytes(f) == 2 * DRAFT_CHUNK);
	close_store(f);
	open_store(f);
	assert_int_equal(draft_bytes(f), 2 * DRAFT_CHUNK);
	d = open_draft(f, &b.digest);
	assert_true(draft_was_resumed(d));
	assert_int_equal(draft_size(d), SIZE);
	assert_int_equal(draft_front(d), 2 * DRAFT_CHUNK);
	assert_int_equal(draft_bytes(f), 2 * DRAFT_CHUNK);
	assert_true(draft_gap(d, 0, &start, &end));
	assert_int_equal(end, SIZE);
	draft_set_size(d, SIZE);
	write_all(d, start, b.bytes + start, SIZE - start);
	keep_draft(f, d);
	assert_int_equal(draft_bytes(f), 0);
	assert_stored(f, b.bytes, SIZE);
	draft_leave(d);
	free(b.bytes);
}

static void
resumes_behind_gaps(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(10 * DRAFT_CHUNK + 9, 14);
	struct draft *d = open_draft(f, &b.digest);
	uint64_t start, end, n_gaps = 0;

	draft_set_size(d, b.n);
	write_all(d, DRAFT_CHUNK, b.bytes + DRAFT_CHUNK, DRAFT_CHUNK);
	write_all(d, 10 * DRAFT_CHUNK, b.bytes + 10 * DRAFT_CHUNK, 9);
	draft_leave(d);
	d = open_draft(f, &b.digest);
	assert_int_equal(draft_front(d), 0);
	while (draft_gap(d, 0, &start, &end)) {
		write_all(d, start, b.bytes + start, end - start);
		n_gaps++;
	}
	assert_int_equal(n_gaps, 2);
	keep_draft(f, d);
	draft_leave(d);
	free(b.bytes);
}

static void
resumed_bytes_of_another_size_go(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 15);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE + 1);
	write_all(d, 0, b.bytes, SIZE);
	draft_leave(d);
	d = start_draft(f, &b.digest, 0);
	draft_set_size(d, SIZE);
	AWAIT(f, draft_state(d) == DRAFT_OPEN);
	assert_true(draft_was_resumed(d));
	assert_int_equal(draft_front(d), 0);
	assert_int_equal(draft_size(d), SIZE);
	write_all(d, 0, b.bytes, SIZE);
	keep_draft(f, d);
	draft_leave(d);
	free(b.bytes);
}

static void
a_resumed_lie_is_found_out(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 16);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE);
	b.bytes[70000] ^= 1;
	write_all(d, 0, b.bytes, 2 * DRAFT_CHUNK);
	b.bytes[70000] ^= 1;
	draft_leave(d);
	d = open_draft(f, &b.digest);
	write_all(d, 2 * DRAFT_CHUNK, b.bytes + 2 * DRAFT_CHUNK,
	    SIZE - 2 * DRAFT_CHUNK);
	AWAIT(f, draft_is_hashed(d));
	assert_false(draft_matches(d));
	draft_restart(d);
	write_all(d, 0, b.bytes, SIZE);
	keep_draft(f, d);
	draft_leave(d);
	free(b.bytes);
}

static void
sweeps_what_cant_be_resumed(void **state)
{
	static const char *const names[] = { "put-7", "sha256-no-digest",
		"readme", "%s", "%s.2", "%s.3", "%s.2.map" };
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 17);
	char draft[128], hex[DIGEST_TEXT_MAX], path[600], map[640];

	(void)snprintf(
	    draft, sizeof(draft), "sha256-%s", digest_hex(&b.digest, hex));
	close_store(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *name = strdup(names[i]);
		char *tail = strstr(name, "%s");

		(void)snprintf(path, sizeof(path), "%s/drafts/%s%s",
		    f->store_path, tail != NULL ? draft : name,
		    tail != NULL ? tail + 2 : "");
		write_file(path, "x", 1);
		free(name);
	}
	/* A map whose draft is gone. */
	(void)snprintf(
	    map, sizeof(map), "%s/drafts/sha512-%0128d.map", f->store_path, 0);
	write_file(map, "x", 1);
	open_store(f);
	assert_false(is_there(map));
	assert_false(is_there(path_of(f, "drafts/put-7")));
	assert_true(is_there(path_of(f, "drafts/readme")));
	assert_true(is_there(path_of(f, "drafts/sha256-no-digest")));
	(void)snprintf(path, sizeof(path), "drafts/%s.2.map", draft);
	assert_true(is_there(path_of(f, path))); /* nothing that we make */
	assert_int_equal(n_drafts(f), 3);
	free(b.bytes);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(becomes_a_blob),
		TEST(commits_the_owners_rows_with_it),
		TEST(empty_blob),
		TEST(sha512),
		TEST(twice_is_fine),
		TEST(many_at_once),
		TEST(out_of_order),
		TEST(size_comes_last),
		TEST(too_many_bytes),
		TEST(wrong_bytes_then_right_ones),
		TEST(another_size_throws_the_bytes_away),
		TEST(restart_at_any_time),
		TEST(resumes_what_was_left),
		TEST(resumes_behind_gaps),
		TEST(resumed_bytes_of_another_size_go),
		TEST(a_resumed_lie_is_found_out),
		TEST(sweeps_what_cant_be_resumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
