/*
 * test_store_index.c - rows: what is written is found, by whom, and when not.
 */
#include <event2/event.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "common/check.h"
#include "fixture.h"

static struct digest
number(unsigned n)
{
	return digest_for(&n, sizeof(n));
}

static struct index_reader *
new_reader(struct fixture *f)
{
	struct err err;
	struct index_reader *r = index_reader_new(f->store, &err);

	assert_non_null(r);
	return r;
}

static void
assert_usage(struct fixture *f, uint64_t bytes, uint64_t objects)
{
	struct store_usage u;

	store_usage(f->store, &u);
	assert_int_equal(u.used_bytes, bytes);
	assert_int_equal(u.n_objects, objects);
}

static void
commit_ok(struct fixture *f, struct index_batch *b)
{
	const struct err *err = commit(f, b);

	if (err != NULL)
		fail_msg("%s", err->text);
}

static void
reopen(struct fixture *f)
{
	close_store(f);
	open_store(f);
}

/* ---- rows --------------------------------------------------------------- */

static void
blobs(void **state)
{
	struct fixture *f = *state;
	struct index_reader *r = new_reader(f);
	struct index_batch *b = index_batch_new();
	struct digest one = number(1), two = number(2);
	struct blob_row row;

	assert_false(index_find_blob(r, &one, &row));
	index_batch_blob(b, &one, 100, false);
	index_batch_blob(b, &two, 23, true);
	commit_ok(f, b);
	/* Still the moment of the first find, until it lets go. */
	assert_false(index_find_blob(r, &one, &row));
	index_release(r);
	index_release(r);
	assert_true(index_find_blob(r, &one, &row));
	assert_int_equal(row.size, 100);
	assert_false(row.is_public);
	assert_true(row.stored_at > 1600000000);
	assert_true(index_find_blob(r, &two, &row));
	assert_true(row.is_public);
	index_reader_free(r);
	assert_usage(f, 123, 2);
	reopen(f);
	assert_usage(f, 123, 2);
	r = new_reader(f);
	assert_true(index_find_blob(r, &two, &row));
	assert_int_equal(row.size, 23);
	index_reader_free(r);
}

static bool
is_public(struct fixture *f, const struct digest *d)
{
	struct index_reader *r = new_reader(f);
	struct blob_row row;

	assert_true(index_find_blob(r, d, &row));
	index_reader_free(r);
	return row.is_public;
}

static void
public_once_is_public_for_ever(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest one = number(1), two = number(2), three = number(3);

	index_batch_public(b, &one); /* before its row: marks come last */
	index_batch_public(b, &three);
	index_batch_blob(b, &one, 1, false);
	index_batch_blob(b, &two, 2, false);
	commit_ok(f, b);
	assert_true(is_public(f, &one));
	assert_false(is_public(f, &two));
	assert_usage(f, 3, 2); /* none of three */
	b = index_batch_new();
	index_batch_blob(b, &one, 1, false);
	index_batch_public(b, &two);
	commit_ok(f, b);
	assert_true(is_public(f, &one));
	assert_true(is_public(f, &two));
	assert_usage(f, 3, 2);
}

static void
forgetting(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest one = number(1), two = number(2);
	struct index_reader *r;
	struct manifest_row manifest;
	struct blob_row blob;

	index_batch_blob(b, &one, 100, false);
	index_batch_manifest(b, &one, STR("t"), STR("{}"));
	index_batch_blob(b, &two, 50, false);
	commit_ok(f, b);
	b = index_batch_new();
	index_batch_forget(b, &one);
	index_batch_forget(b, &one);
	commit_ok(f, b);
	assert_usage(f, 50, 1);
	r = new_reader(f);
	assert_false(index_find_blob(r, &one, &blob));
	assert_false(index_find_manifest(r, &one, &manifest));
	assert_true(index_find_blob(r, &two, &blob));
	index_reader_free(r);
}

static void
a_blob_counts_once(void **state)
{
	struct fixture *f = *state;
	struct digest one = number(1);

	for (unsigned i = 1; i <= 3; i++) {
		struct index_batch *b = index_batch_new();

		index_batch_blob(b, &one, i * 1000, false);
		commit_ok(f, b);
		assert_usage(f, i * 1000, 1);
	}
	assert_int_equal(metric_value(metric_get(M_store_commits_total)), 1);
}

static void
manifests(void **state)
{
	struct fixture *f = *state;
	char *bytes = make_bytes(INDEX_INLINE_MANIFEST + 1, 1);
	struct index_batch *b = index_batch_new();
	struct digest one = number(1), two = number(2), three = number(3);
	struct index_reader *r;
	struct manifest_row row;

	index_batch_manifest(b, &one, STR("application/x"),
	    (struct str){ bytes, INDEX_INLINE_MANIFEST });
	index_batch_manifest(b, &two, STR("application/y"),
	    (struct str){ bytes, INDEX_INLINE_MANIFEST + 1 });
	index_batch_manifest(b, &three, STR(""), STR(""));
	commit_ok(f, b);
	r = new_reader(f);
	assert_true(index_find_manifest(r, &one, &row));
	assert_true(str_eqz(row.media_type, "application/x"));
	assert_int_equal(row.size, INDEX_INLINE_MANIFEST);
	assert_int_equal(row.bytes.n, row.size);
	assert_memory_equal(row.bytes.p, bytes, row.size);
	assert_true(index_find_manifest(r, &two, &row));
	assert_true(str_eqz(row.media_type, "application/y"));
	assert_int_equal(row.size, INDEX_INLINE_MANIFEST + 1);
	assert_null(row.bytes.p);
	assert_true(index_find_manifest(r, &three, &row));
	assert_non_null(row.bytes.p);
	assert_int_equal(row.size, 0);
	index_reader_free(r);
	free(bytes);
}

static void
tags(void **state)
{
	struct fixture *f = *state;
	struct tag_row one = { number(1), 1000 }, got;
	struct tag_row two = { .confirmed_at = -5 };
	struct index_batch *b = index_batch_new();
	struct index_reader *r;

	digest_of(DIGEST_SHA512, "x", 1, &two.digest);
	index_batch_tag(b, STR("u/a"), STR("latest"), &two);
	index_batch_tag(b, STR("u/a"), STR("latest"), &one); /* replaces */
	index_batch_tag(b, STR("u/al"), STR("atest"), &two);
	commit_ok(f, b);
	r = new_reader(f);
	assert_true(index_find_tag(r, STR("u/a"), STR("latest"), &got));
	assert_true(digest_equal(&got.digest, &one.digest));
	assert_int_equal(got.confirmed_at, 1000);
	assert_true(index_find_tag(r, STR("u/al"), STR("atest"), &got));
	assert_true(digest_equal(&got.digest, &two.digest));
	assert_int_equal(got.confirmed_at, -5);
	assert_false(index_find_tag(r, STR("u/a"), STR("lates"), &got));
	index_release(r);
	b = index_batch_new();
	index_batch_forget_tag(b, STR("u/a"), STR("latest"));
	index_batch_forget_tag(b, STR("u/a"), STR("never"));
	commit_ok(f, b);
	assert_false(index_find_tag(r, STR("u/a"), STR("latest"), &got));
	assert_true(index_find_tag(r, STR("u/al"), STR("atest"), &got));
	index_reader_free(r);
}

static uint64_t
member_size(struct fixture *f, struct str scope, const struct digest *d)
{
	struct index_reader *r = new_reader(f);
	struct member_row row = { 0 };

	assert_true(index_find_member(r, scope, d, &row));
	index_reader_free(r);
	return row.size;
}

static void
members(void **state)
{
	static const struct {
		uint64_t size, want;
	} steps[] = { { 0, 0 }, { 77, 77 }, { 0, 77 }, { 78, 78 } };
	struct fixture *f = *state;
	struct digest one = number(1), two = number(2);
	struct index_reader *r;
	struct member_row row;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct index_batch *b = index_batch_new();

		index_batch_member(b, STR("u/repo"), &one, steps[i].size);
		commit_ok(f, b);
		assert_int_equal(
		    member_size(f, STR("u/repo"), &one), steps[i].want);
	}
	r = new_reader(f);
	assert_false(index_find_member(r, STR("u/repo"), &two, &row));
	assert_false(index_find_member(r, STR("u/other"), &one, &row));
	index_reader_free(r);
}

static void
documents(void **state)
{
	struct fixture *f = *state;
	struct document_row tag_list = { STR("[1]"), 10 }, got;
	struct document_row referrers = { STR(""), 20 };
	struct index_batch *b = index_batch_new();
	struct index_reader *r;

	index_batch_document(b, DOCUMENT_TAGS, STR("u/a"), STR(""), &tag_list);
	index_batch_document(
	    b, DOCUMENT_REFERRERS, STR("u/a"), STR("sha256:x"), &referrers);
	commit_ok(f, b);
	r = new_reader(f);
	assert_true(
	    index_find_document(r, DOCUMENT_TAGS, STR("u/a"), STR(""), &got));
	assert_true(str_eqz(got.bytes, "[1]"));
	assert_int_equal(got.confirmed_at, 10);
	assert_true(index_find_document(
	    r, DOCUMENT_REFERRERS, STR("u/a"), STR("sha256:x"), &got));
	assert_int_equal(got.bytes.n, 0);
	assert_int_equal(got.confirmed_at, 20);
	assert_false(index_find_document(
	    r, DOCUMENT_REFERRERS, STR("u/a"), STR(""), &got));
	index_reader_free(r);
}

/* ---- batches ------------------------------------------------------------ */

static void
names_too_long(void **state)
{
	struct fixture *f = *state;
	char *text = make_bytes(600, 1);
	struct str longest = { text, INDEX_SCOPE_MAX };
	struct str too_long = { text, INDEX_SCOPE_MAX + 1 };
	struct tag_row tag = { number(1), 1 };
	struct index_batch *b = index_batch_new();
	struct index_reader *r = new_reader(f);
	struct digest one = number(1);
	struct member_row row;
	struct tag_row got;

	memset(text, 'a', 600);
	index_batch_member(b, longest, &one, 1);
	index_batch_tag(b, longest, (struct str){ text, 128 }, &tag);
	commit_ok(f, b);
	assert_true(index_find_member(r, longest, &one, &row));
	assert_false(index_find_member(r, too_long, &one, &row));
	assert_false(
	    index_find_tag(r, longest, (struct str){ text, 600 }, &got));
	index_reader_free(r);
	b = index_batch_new();
	index_batch_blob(b, &one, 1, false);
	index_batch_member(b, too_long, &one, 1);
	assert_int_equal(commit(f, b)->code, ERR_NAME_INVALID);
	assert_usage(f, 0, 0); /* all of it or nothing */
	free(text);
}

static void
too_much_at_once(void **state)
{
	struct fixture *f = *state;
	char *bytes = make_bytes(INDEX_BATCH_MAX, 1);
	struct document_row row = { { bytes, INDEX_BATCH_MAX / 2 }, 1 };
	struct index_batch *b = index_batch_new();
	struct digest one = number(1);

	index_batch_blob(b, &one, 1, false);
	index_batch_document(b, DOCUMENT_TAGS, STR("a"), STR(""), &row);
	index_batch_document(b, DOCUMENT_TAGS, STR("b"), STR(""), &row);
	index_batch_blob(b, &one, 1, false);
	assert_int_equal(commit(f, b)->code, ERR_NO_MEMORY);
	assert_usage(f, 0, 0);
	free(bytes);
}

static void
large_documents(void **state)
{
	struct fixture *f = *state;
	char *bytes = make_bytes(20u << 20, 1);
	struct document_row row = { { bytes, 20u << 20 }, 1 }, got;
	struct index_reader *r;

	for (int i = 0; i < 3; i++) { /* past what a group may hold */
		struct index_batch *b = index_batch_new();

		index_batch_document(b, DOCUMENT_TAGS, STR("a"), STR(""), &row);
		index_commit(f->store, b, NULL, NULL, NULL);
	}
	commit_ok(f, index_batch_new());
	r = new_reader(f);
	assert_true(
	    index_find_document(r, DOCUMENT_TAGS, STR("a"), STR(""), &got));
	assert_int_equal(got.bytes.n, 20u << 20);
	assert_memory_equal(got.bytes.p, bytes, 20u << 20);
	index_reader_free(r);
	free(bytes);
}

static void
an_empty_batch_and_none_to_tell(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest one = number(1);

	index_batch_free(NULL);
	index_batch_blob(b, &one, 5, false);
	index_commit(f->store, b, NULL, NULL, NULL);
	commit_ok(f, index_batch_new()); /* comes after it */
	assert_usage(f, 5, 1);
	b = index_batch_new();
	index_batch_forget(b, &one);
	index_commit(f->store, b, NULL, NULL, NULL);
	reopen(f); /* closing commits what was handed over */
	assert_usage(f, 0, 0);
}

/* ---- threads ------------------------------------------------------------ */

#define COMMITTERS 4u
#define BATCHES_EACH 125u

struct tally {
	struct fixture *f;
	unsigned first; /* number of its first blob */
	atomic_uint n_good;
};

static void
on_good(void *arg, const struct err *err)
{
	struct tally *t = arg;

	check(err == NULL);
	check(loop_is_here(t->f->loop));
	atomic_fetch_add(&t->n_good, 1);
}

static void *
commit_many(void *arg)
{
	struct tally *t = arg;

	for (unsigned i = 0; i < BATCHES_EACH; i++) {
		struct index_batch *b = index_batch_new();
		struct digest d = number(t->first + i);

		index_batch_blob(b, &d, 10, false);
		index_batch_member(b, STR("u/repo"), &d, 10);
		index_commit(t->f->store, b, t->f->loop, on_good, t);
	}
	return NULL;
}

static void *
read_until_all(void *arg)
{
	struct fixture *f = arg;
	struct err err;
	struct index_reader *r = index_reader_new(f->store, &err);
	struct member_row member;
	struct blob_row row;
	unsigned found;

	check(r != NULL);
	do {
		found = 0;
		for (unsigned i = 0; i < COMMITTERS * BATCHES_EACH; i++) {
			struct digest d = number(i);

			if (!index_find_blob(r, &d, &row))
				continue;
			/* One transaction: never one without the other. */
			check(row.size == 10);
			check(index_find_member(r, STR("u/repo"), &d, &member));
			found++;
		}
		index_release(r);
	} while (found < COMMITTERS * BATCHES_EACH);
	index_reader_free(r);
	return NULL;
}

static void
many_threads(void **state)
{
	struct fixture *f = *state;
	struct tally tallies[COMMITTERS] = { 0 };
	pthread_t writers[COMMITTERS], readers[3];
	struct err err;

	assert_int_equal(loop_start(f->loop, &err), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&readers[i], NULL, read_until_all, f), 0);
	for (unsigned i = 0; i < COMMITTERS; i++) {
		tallies[i].f = f;
		tallies[i].first = i * BATCHES_EACH;
		assert_int_equal(
		    pthread_create(&writers[i], NULL, commit_many, &tallies[i]),
		    0);
	}
	for (unsigned i = 0; i < 3; i++)
		(void)pthread_join(readers[i], NULL);
	for (unsigned i = 0; i < COMMITTERS; i++)
		(void)pthread_join(writers[i], NULL);
	loop_stop(f->loop);
	loop_join(f->loop);
	close_store(f);
	while (loop_drain(f->loop) > 0)
		;
	for (unsigned i = 0; i < COMMITTERS; i++)
		assert_int_equal(atomic_load(&tallies[i].n_good), BATCHES_EACH);
	open_store(f);
	assert_usage(
	    f, 10u * COMMITTERS * BATCHES_EACH, COMMITTERS * BATCHES_EACH);
}

/* ---- damage ------------------------------------------------------------- */

/* Changes the value of the only row (or the row NAMED) of TABLE, behind the
 * store's back: byte AT, or its length when AT is past the end. */
static void
spoil(struct fixture *f, const char *table, const char *named, size_t at)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val key, value;
	char copy[512];
	int op = MDB_FIRST;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, path_of(f, "index"), 0, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
	if (named != NULL) {
		key = (MDB_val){ strlen(named), (void *)(uintptr_t)named };
		op = MDB_SET_KEY;
	}
	assert_int_equal(mdb_cursor_get(cursor, &key, &value, op), 0);
	assert_true(value.mv_size <= sizeof(copy));
	memcpy(copy, value.mv_data, value.mv_size);
	if (at < value.mv_size)
		copy[at] ^= 1;
	else
		value.mv_size--;
	value.mv_data = copy;
	assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void
a_row_with_a_wrong_sum_is_absent(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest one = number(1);
	struct tag_row tag = { number(1), 5 }, got;
	struct index_reader *r;
	struct blob_row row;

	index_batch_blob(b, &one, 10, false);
	index_batch_tag(b, STR("u/a"), STR("t"), &tag);
	commit_ok(f, b);
	for (size_t at = 0; at < 26; at++) { /* the last: one byte less */
		close_store(f);
		spoil(f, "blobs", NULL, at);
		open_store(f);
		r = new_reader(f);
		assert_int_equal(index_n_damaged(f->store), 0);
		assert_false(index_find_blob(r, &one, &row));
		assert_int_equal(index_n_damaged(f->store), 1);
		assert_true(index_find_tag(r, STR("u/a"), STR("t"), &got));
		index_reader_free(r);
		b = index_batch_new();
		index_batch_forget(b, &one);
		index_batch_blob(b, &one, 10, false);
		commit_ok(f, b);
	}
}

static void
usage_is_counted_again(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();

	for (unsigned i = 0; i < 50; i++) {
		struct digest d = number(i);

		index_batch_blob(b, &d, 100, false);
	}
	commit_ok(f, b);
	close_store(f);
	spoil(f, "counters", "usage", 12);
	open_store(f);
	assert_usage(f, 5000, 50);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blobs),
		TEST(public_once_is_public_for_ever),
		TEST(forgetting),
		TEST(a_blob_counts_once),
		TEST(manifests),
		TEST(tags),
		TEST(members),
		TEST(documents),
		TEST(names_too_long),
		TEST(too_much_at_once),
		TEST(large_documents),
		TEST(an_empty_batch_and_none_to_tell),
		TEST(many_threads),
		TEST(a_row_with_a_wrong_sum_is_absent),
		TEST(usage_is_counted_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
