/*
 * test_store_pins.c - pins: what is counted as missing is what is missing,
 * whatever order things come and go in.
 */
#include "common/check.h"
#include "fixture.h"

#define A STR("release-a")
#define B STR("release-b")

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
commit_ok(struct fixture *f, struct index_batch *b)
{
	const struct err *err = commit(f, b);

	if (err != NULL)
		fail_msg("%s", err->text);
}

static void
assert_counts(
    struct fixture *f, struct str release, const struct pin_counts *want)
{
	struct pin_counts got = { 0 };
	struct index_reader *r = new_reader(f);

	assert_int_equal(
	    index_find_counts(r, release, &got), want->n_digests > 0);
	assert_int_equal(got.n_digests, want->n_digests);
	assert_int_equal(got.n_missing, want->n_missing);
	assert_int_equal(got.n_open, want->n_open);
	assert_int_equal(got.bytes, want->bytes);
	assert_int_equal(got.missing_bytes, want->missing_bytes);
	index_reader_free(r);
}

static void
pin(struct index_batch *b, struct str release, unsigned n, uint64_t size)
{
	struct pin_row row = { .size = size };
	struct digest d = number(n);

	index_batch_pin(b, release, &d, &row);
}

static void
unpin(struct index_batch *b, struct str release, unsigned n)
{
	struct digest d = number(n);

	index_batch_unpin(b, release, &d);
}

static void
put(struct index_batch *b, unsigned n, uint64_t size)
{
	struct digest d = number(n);

	index_batch_blob(b, &d, size, false);
}

static void
forget(struct index_batch *b, unsigned n)
{
	struct digest d = number(n);

	index_batch_forget(b, &d);
}

static void
comes_and_goes(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();

	put(b, 1, 10);
	pin(b, A, 1, 10);
	pin(b, A, 2, 20);
	pin(b, B, 2, 20);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 2, 1, 0, 30, 20 });
	assert_counts(f, B, &(struct pin_counts){ 1, 1, 0, 20, 20 });

	b = index_batch_new();
	put(b, 2, 20);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 2, 0, 0, 30, 0 });
	assert_counts(f, B, &(struct pin_counts){ 1, 0, 0, 20, 0 });

	b = index_batch_new();
	forget(b, 2);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 2, 1, 0, 30, 20 });
	assert_counts(f, B, &(struct pin_counts){ 1, 1, 0, 20, 20 });

	close_store(f);
	open_store(f);
	assert_counts(f, A, &(struct pin_counts){ 2, 1, 0, 30, 20 });

	b = index_batch_new();
	unpin(b, A, 1);
	unpin(b, A, 2);
	unpin(b, A, 3);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 0 });
	assert_counts(f, B, &(struct pin_counts){ 1, 1, 0, 20, 20 });
}

static void
twice_is_once(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();

	pin(b, A, 1, 10);
	pin(b, A, 1, 10);
	put(b, 1, 10);
	put(b, 1, 10);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 1, 0, 0, 10, 0 });
	b = index_batch_new();
	forget(b, 1);
	forget(b, 1);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 1, 1, 0, 10, 10 });
	b = index_batch_new();
	unpin(b, A, 1);
	unpin(b, A, 1);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 0 });
}

/* A manifest is open until what it names is pinned; the size is learnt when it
 * comes. */
static void
open_until_read(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest one = number(1);
	struct pin_row row = { .is_open = true };

	index_batch_pin(b, A, &one, &row);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 1, 1, 1, 0, 0 });
	b = index_batch_new();
	put(b, 1, 500);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 1, 0, 1, 500, 0 });
	b = index_batch_new();
	row.is_open = false;
	index_batch_pin(b, A, &one, &row);
	pin(b, A, 2, 7);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 2, 1, 0, 507, 7 });
	b = index_batch_new();
	row.is_open = true;
	index_batch_pin(b, A, &one, &row);
	commit_ok(f, b);
	assert_counts(f, A, &(struct pin_counts){ 2, 1, 0, 507, 7 });
}

/* ---- pages -------------------------------------------------------------- */

static void
pages(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct index_reader *r;
	struct pin page[7];
	size_t n, n_all = 0, n_pages = 0;
	struct digest after, five = number(5), none = number(1000);

	for (unsigned i = 0; i < 20; i++)
		pin(b, A, i, i + 1);
	pin(b, STR("release"), 100, 1);
	pin(b, STR("release-a2"), 101, 1);
	commit_ok(f, b);
	r = new_reader(f);
	n = index_list_pins(r, A, NULL, page, 7);
	while (n > 0) {
		for (size_t i = 1; i < n; i++)
			assert_true(memcmp(&page[i - 1].digest, &page[i].digest,
					sizeof(struct digest)) < 0);
		n_all += n;
		n_pages++;
		after = page[n - 1].digest;
		n = index_list_pins(r, A, &after, page, 7);
	}
	assert_int_equal(n_all, 20);
	assert_int_equal(n_pages, 3);
	assert_int_equal(index_list_pins(r, STR("release"), NULL, page, 7), 1);
	assert_int_equal(index_list_pins(r, STR("releas"), NULL, page, 7), 0);
	assert_true(index_is_pinned(r, &five));
	assert_false(index_is_pinned(r, &none));
	index_reader_free(r);
}

/* ---- the watcher -------------------------------------------------------- */

struct seen {
	unsigned n_calls, n_came, n_lost;
	struct digest last;
};

static void
on_change(void *arg, const struct pin_change *changes, size_t n)
{
	struct seen *s = arg;

	s->n_calls++;
	for (size_t i = 0; i < n; i++) {
		s->n_came += changes[i].is_here;
		s->n_lost += !changes[i].is_here;
		s->last = changes[i].digest;
	}
}

static void
watched(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest two = number(2);
	struct seen s = { 0 };

	index_watch(f->store, f->loop, on_change, &s);
	pin(b, A, 1, 10);
	pin(b, B, 1, 10);
	pin(b, A, 2, 10);
	put(b, 3, 10); /* nobody's */
	commit_ok(f, b);
	assert_int_equal(s.n_calls, 0);
	b = index_batch_new();
	put(b, 1, 10);
	put(b, 2, 10);
	commit_ok(f, b);
	AWAIT(f, s.n_calls == 1);
	assert_int_equal(s.n_came, 2);
	b = index_batch_new();
	forget(b, 2);
	forget(b, 3);
	commit_ok(f, b);
	AWAIT(f, s.n_calls == 2);
	assert_int_equal(s.n_lost, 1);
	assert_true(digest_equal(&s.last, &two));
	index_watch(f->store, NULL, NULL, NULL);
}

/* ---- at random ---------------------------------------------------------- */

#define N_DIGESTS 40
#define N_ROUNDS 400

/* What the index should say, kept the plain way. */
struct model {
	bool is_here[N_DIGESTS];
	bool is_pinned[2][N_DIGESTS];
};

static void
one_step(struct model *m, struct index_batch *b)
{
	unsigned n = (unsigned)random() % N_DIGESTS;
	unsigned r = (unsigned)random() % 2;
	struct str release = r == 0 ? A : B;

	switch (random() % 4) {
	case 0:
		put(b, n, n + 1);
		m->is_here[n] = true;
		break;
	case 1:
		forget(b, n);
		m->is_here[n] = false;
		break;
	case 2:
		pin(b, release, n, n + 1);
		m->is_pinned[r][n] = true;
		break;
	default:
		unpin(b, release, n);
		m->is_pinned[r][n] = false;
		break;
	}
}

static void
assert_model(struct fixture *f, const struct model *m)
{
	for (unsigned r = 0; r < 2; r++) {
		struct pin_counts c = { 0 };

		for (unsigned n = 0; n < N_DIGESTS; n++) {
			if (!m->is_pinned[r][n])
				continue;
			c.n_digests++;
			c.bytes += n + 1;
			c.n_missing += !m->is_here[n];
			c.missing_bytes += m->is_here[n] ? 0 : n + 1;
		}
		assert_counts(f, r == 0 ? A : B, &c);
	}
}

/* The counts, and what walking the pins and looking for each blob gives. */
static void
assert_walk(struct fixture *f, struct str release)
{
	struct index_reader *r = new_reader(f);
	struct pin all[N_DIGESTS + 1];
	size_t n = index_list_pins(r, release, NULL, all, N_DIGESTS + 1);
	struct pin_counts c = { 0 };
	struct blob_row blob;

	for (size_t i = 0; i < n; i++) {
		bool is_here = index_find_blob(r, &all[i].digest, &blob);

		assert_int_equal(is_here, all[i].row.is_here);
		assert_true(index_is_pinned(r, &all[i].digest));
		c.n_digests++;
		c.bytes += all[i].row.size;
		c.n_missing += !is_here;
		c.missing_bytes += is_here ? 0 : all[i].row.size;
	}
	assert_counts(f, release, &c);
	index_reader_free(r);
}

static void
at_random(void **state)
{
	struct fixture *f = *state;
	struct model m = { 0 };

	srandom(20261122);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		struct index_batch *b = index_batch_new();

		for (long n = random() % 12; n >= 0; n--)
			one_step(&m, b);
		commit_ok(f, b);
		assert_model(f, &m);
		assert_walk(f, A);
		assert_walk(f, B);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    comes_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    twice_is_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    open_until_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(at_random, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("store_pins", tests, NULL, NULL);
}
