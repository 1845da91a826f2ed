/*
 * test_store_draft_end.c - drafts: comparing with one that was wrong, closing
 * at any time, files that go away.
 */
#include <stdio.h>
#include <unistd.h>

#include "fixture.h"

#define SIZE (3u * DRAFT_CHUNK + 4321u)

/* ---- comparing ---------------------------------------------------------- */

struct pair {
	struct blob right;
	char *wrong;
	struct draft *first; /* with the wrong bytes */
	struct draft *second;
};

/* The first one has WRONG bytes at DIFFERENCE (or none). */
static struct pair
make_pair(struct fixture *f, size_t n, size_t difference)
{
	struct pair p = { .right = make_blob(n, 18) };

	p.wrong = make_bytes(n, 18);
	if (difference < n)
		p.wrong[difference] ^= 0x40;
	p.first = open_draft(f, &p.right.digest);
	draft_set_size(p.first, n);
	write_all(p.first, 0, p.wrong, n);
	AWAIT(f, draft_is_hashed(p.first));
	assert_int_equal(draft_matches(p.first), difference >= n);
	p.second = start_draft(f, &p.right.digest, 1);
	draft_compare(p.second, p.first);
	AWAIT(f, draft_state(p.second) == DRAFT_OPEN);
	draft_set_size(p.second, n);
	return p;
}

static void
free_pair(struct pair *p)
{
	draft_leave(p->second);
	draft_drop(p->first);
	free(p->right.bytes);
	free(p->wrong);
}

static void
agrees_up_to_the_first_difference(void **state)
{
	const size_t n = 5u << 20;
	const size_t at[] = { 0, 1, DRAFT_CHUNK - 1, DRAFT_CHUNK, 128u << 10,
		(1u << 20) - 1, 1u << 20, (1u << 20) + 1, n / 2 + 77, n - 1 };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct fixture *f = *state;
		struct pair p = make_pair(f, n, at[i]);

		write_all(p.second, 0, p.right.bytes, n);
		AWAIT(f, draft_differs(p.second));
		assert_int_equal(draft_agreed(p.second), at[i]);
		keep_draft(f, p.second);
		assert_int_equal(draft_agreed(p.second), at[i]);
		assert_stored(f, p.right.bytes, n);
		free_pair(&p);
	}
}

static void
agrees_as_far_as_both_go(void **state)
{
	struct fixture *f = *state;
	struct pair p = make_pair(f, SIZE, 150000);
	unsigned events = f->n_events;

	write_all(p.second, 0, p.right.bytes, 100000);
	AWAIT(f, draft_agreed(p.second) == 100000);
	assert_true(f->n_events > events); /* it was told */
	assert_false(draft_differs(p.second));
	write_all(p.second, 100000, p.right.bytes + 100000, SIZE - 100000);
	AWAIT(f, draft_differs(p.second));
	assert_int_equal(draft_agreed(p.second), 150000);
	draft_drop(p.second);
	p.second = NULL;
	free_pair(&p);
}

static void
agrees_with_the_whole(void **state)
{
	struct fixture *f = *state;
	struct pair p = make_pair(f, SIZE, SIZE);

	write_all(p.second, 0, p.right.bytes, SIZE);
	AWAIT(f, draft_agreed(p.second) == SIZE);
	assert_false(draft_differs(p.second));
	free_pair(&p);
}

/* Keeping may be asked for while a comparison is still running; the reference
 * may be taken away at any time. */
static void
compare_is_called_off(void **state)
{
	struct fixture *f = *state;
	struct pair p = make_pair(f, 8u << 20, 8u << 20);

	write_all(p.second, 0, p.right.bytes, 1000);
	draft_compare(p.second, NULL);
	draft_drop(p.first);
	p.first = NULL;
	write_all(p.second, 1000, p.right.bytes + 1000, p.right.n - 1000);
	AWAIT(f, draft_is_hashed(p.second));
	assert_int_equal(draft_agreed(p.second), 0);
	keep_draft(f, p.second);
	assert_stored(f, p.right.bytes, p.right.n);
	free_pair(&p);
}

static void
keep_while_comparing(void **state)
{
	struct fixture *f = *state;
	struct pair p = make_pair(f, 8u << 20, 8u << 20);

	draft_compare(p.second, NULL);
	write_all(p.second, 0, p.right.bytes, p.right.n);
	AWAIT(f, draft_is_hashed(p.second));
	draft_compare(p.second, p.first); /* begins at zero, now */
	draft_keep(p.second, false, index_batch_new());
	AWAIT(f, draft_state(p.second) == DRAFT_KEPT);
	assert_stored(f, p.right.bytes, p.right.n);
	free_pair(&p);
}

static void
the_second_copy_is_not_resumed(void **state)
{
	struct fixture *f = *state;
	struct pair p = make_pair(f, SIZE, 5);
	struct draft *third = start_draft(f, &p.right.digest, 2);

	AWAIT(f, draft_state(third) == DRAFT_OPEN);
	write_all(third, 0, "x", 1);
	write_all(p.second, 0, p.right.bytes, SIZE / 2);
	free_pair(&p);
	draft_leave(third);
	AWAIT(f, n_drafts(f) == 0 && draft_bytes(f) == 0);
}

/* ---- closing at any time ------------------------------------------------ */

static void
drop_while_opening(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(10, 19);

	draft_drop(start_draft(f, &b.digest, 0));
	draft_leave(start_draft(f, &b.digest, 1));
	close_store(f);
	while (loop_drain(f->loop) > 0)
		;
	assert_int_equal(f->n_events, 0);
	open_store(f); /* sweeps, if it was closed before they were removed */
	assert_int_equal(n_drafts(f), 0);
	free(b.bytes);
}

/* Its bytes are no worse than before, and the next one may have them. */
static void
drop_while_opening_resumed_bytes(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 29);
	struct draft *d = open_draft(f, &b.digest);

	write_all(d, 0, b.bytes, 2 * DRAFT_CHUNK);
	draft_leave(d);
	for (int i = 0; i < 20; i++) {
		d = start_draft(f, &b.digest, 0);
		draft_set_size(d, 1); /* never comes to pass */
		draft_drop(d);
		d = open_draft(f, &b.digest);
		assert_int_equal(draft_front(d), 2 * DRAFT_CHUNK);
		draft_leave(d);
	}
	d = start_draft(f, &b.digest, 0);
	draft_drop(d);
	d = open_draft(f, &b.digest);
	draft_set_size(d, SIZE);
	write_all(d, 2 * DRAFT_CHUNK, b.bytes + 2 * DRAFT_CHUNK,
	    SIZE - 2 * DRAFT_CHUNK);
	keep_draft(f, d);
	draft_leave(d);
	assert_stored(f, b.bytes, SIZE);
	free(b.bytes);
}

static void
drop_while_open(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 20);
	struct draft *d = open_draft(f, &b.digest);
	struct shared_fd *fd = shared_fd_ref(draft_fd(d));
	char got[100];

	write_all(d, 0, b.bytes, SIZE);
	draft_drop(d); /* its pass runs */
	AWAIT(f, n_drafts(f) == 0);
	assert_int_equal(pread(fd->fd, got, sizeof(got), 1000), sizeof(got));
	assert_memory_equal(got, b.bytes + 1000, sizeof(got));
	shared_fd_unref(fd);
	d = open_draft(f, &b.digest);
	assert_false(draft_was_resumed(d));
	draft_drop(d);
	AWAIT(f, n_drafts(f) == 0 && draft_bytes(f) == 0);
	assert_int_equal(f->n_events, 2); /* two openings */
	free(b.bytes);
}

static void
drop_while_keeping(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 21);
	struct draft *d = open_draft(f, &b.digest);
	unsigned events;

	draft_set_size(d, SIZE);
	write_all(d, 0, b.bytes, SIZE);
	AWAIT(f, draft_is_hashed(d));
	draft_keep(d, false, index_batch_new());
	events = f->n_events;
	draft_drop(d);
	close_store(f); /* finishes it */
	while (loop_drain(f->loop) > 0)
		;
	assert_int_equal(f->n_events, events);
	open_store(f);
	assert_stored(f, b.bytes, SIZE);
	free(b.bytes);
}

static void
drop_when_kept(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 22);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE);
	write_all(d, 0, b.bytes, SIZE);
	keep_draft(f, d);
	draft_drop(d);
	draft_drop(NULL);
	draft_leave(NULL);
	assert_stored(f, b.bytes, SIZE);
	free(b.bytes);
}

/* The next draft of a digest must not lose its files to the one before. */
static void
drop_and_open_again_at_once(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 23);

	for (int i = 0; i < 50; i++) {
		struct draft *d = open_draft(f, &b.digest);

		assert_false(draft_was_resumed(d));
		write_all(d, 0, b.bytes, SIZE - 1);
		draft_drop(d);
		d = open_draft(f, &b.digest);
		assert_false(draft_was_resumed(d));
		write_all(d, 0, b.bytes, 2 * DRAFT_CHUNK);
		draft_leave(d);
		d = open_draft(f, &b.digest);
		assert_true(draft_was_resumed(d));
		draft_set_size(d, SIZE);
		write_all(d, 0, b.bytes, SIZE);
		keep_draft(f, d);
		draft_drop(d);
	}
	assert_stored(f, b.bytes, SIZE);
	free(b.bytes);
}

/* Two of one digest with one file: the second finds it renamed. */
static void
left_while_keeping_and_opened_again(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 24);

	for (int i = 0; i < 30; i++) {
		struct draft *d = open_draft(f, &b.digest);
		struct draft *again;

		draft_set_size(d, SIZE);
		write_all(d, 0, b.bytes, SIZE);
		AWAIT(f, draft_is_hashed(d));
		again = open_draft(f, &b.digest);
		draft_keep(d, false, NULL);
		draft_leave(d);
		assert_true(draft_was_resumed(again));
		keep_draft(f, again);
		draft_leave(again);
		assert_stored(f, b.bytes, SIZE);
	}
	free(b.bytes);
}

struct closer {
	struct fixture *f;
	struct draft *d;
	unsigned n;
};

static void
close_in_event(void *arg)
{
	struct closer *c = arg;

	c->n++;
	draft_drop(c->d);
}

static void
drop_in_its_own_callback(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(10, 25);
	struct closer c = { .f = f };
	struct draft_spec spec = { .store = f->store,
		.loop = f->loop,
		.digest = b.digest,
		.on_event = close_in_event,
		.arg = &c };
	struct err err;

	c.d = draft_open(&spec, &err);
	AWAIT(f, c.n == 1 && n_drafts(f) == 0);
	assert_int_equal(c.n, 1);
	free(b.bytes);
}

/* ---- disks -------------------------------------------------------------- */

static void
someone_takes_the_file_away(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 26);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE);
	write_all(d, 0, b.bytes, SIZE);
	AWAIT(f, draft_is_hashed(d));
	assert_int_equal(run("rm %s/drafts/*", f->store_path), 0);
	draft_keep(d, false, index_batch_new());
	AWAIT(f, draft_state(d) == DRAFT_BROKEN);
	assert_int_equal(draft_error(d)->code, ERR_DISK);
	assert_non_null(strstr(draft_error(d)->text, f->store_path));
	assert_int_equal(draft_fd(d)->fd >= 0, 1);
	draft_drop(d);
	free(b.bytes);
}

static void
the_file_becomes_shorter(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 27);
	struct draft *d = open_draft(f, &b.digest);

	draft_set_size(d, SIZE);
	write_all(d, 1000, b.bytes + 1000, SIZE - 1000);
	assert_int_equal(ftruncate(draft_fd(d)->fd, 0), 0);
	write_all(d, 0, b.bytes, 1000);
	AWAIT(f, draft_state(d) == DRAFT_BROKEN);
	assert_false(draft_is_hashed(d));
	draft_drop(d);
	free(b.bytes);
}

static void
no_folder_to_open_in(void **state)
{
	struct fixture *f = *state;
	struct blob b = make_blob(SIZE, 28);
	struct draft *d;

	assert_int_equal(run("rmdir %s/drafts", f->store_path), 0);
	d = start_draft(f, &b.digest, 0);
	AWAIT(f, draft_state(d) == DRAFT_BROKEN);
	assert_int_equal(draft_error(d)->code, ERR_DISK);
	assert_null(draft_fd(d));
	draft_drop(d);
	free(b.bytes);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(agrees_up_to_the_first_difference),
		TEST(agrees_as_far_as_both_go),
		TEST(agrees_with_the_whole),
		TEST(compare_is_called_off),
		TEST(keep_while_comparing),
		TEST(the_second_copy_is_not_resumed),
		TEST(drop_while_opening),
		TEST(drop_while_opening_resumed_bytes),
		TEST(drop_while_open),
		TEST(drop_while_keeping),
		TEST(drop_when_kept),
		TEST(drop_and_open_again_at_once),
		TEST(left_while_keeping_and_opened_again),
		TEST(drop_in_its_own_callback),
		TEST(someone_takes_the_file_away),
		TEST(the_file_becomes_shorter),
		TEST(no_folder_to_open_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
