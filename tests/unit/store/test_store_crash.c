/*
 * test_store_crash.c - a process that is killed anywhere leaves a store that
 * the next one opens, and a draft of which at most a chunk is lost.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define SIZE (20u * DRAFT_CHUNK + 999u)

enum stage {
	WHILE_OPENING,
	WHEN_OPEN,
	WITHOUT_SIZE,
	IN_A_CHUNK,
	BEHIND_A_GAP,
	WHEN_COMPLETE,
	WHEN_HASHED,
	WHILE_KEEPING,
	WHEN_KEPT,
	WHILE_DROPPING,
	AFTER_RESTART,
	STAGES
};

static _Noreturn void
die(void)
{
	(void)kill(getpid(), SIGKILL);
	_exit(9);
}

static void
write_some(struct draft *d, const char *bytes, enum stage stage)
{
	if (stage != WITHOUT_SIZE)
		draft_set_size(d, SIZE);
	switch (stage) {
	case IN_A_CHUNK:
	case WITHOUT_SIZE:
	case AFTER_RESTART:
		write_all(d, 0, bytes, 7 * DRAFT_CHUNK + 100);
		break;
	case BEHIND_A_GAP:
		write_all(d, 0, bytes, 3 * DRAFT_CHUNK);
		write_all(d, 5 * DRAFT_CHUNK + 1, bytes + 5 * DRAFT_CHUNK + 1,
		    4 * DRAFT_CHUNK);
		break;
	case WHEN_COMPLETE:
	case WHEN_HASHED:
	case WHILE_KEEPING:
	case WHEN_KEPT:
	case WHILE_DROPPING:
		write_all(d, 0, bytes, SIZE);
		break;
	case WHILE_OPENING:
	case WHEN_OPEN:
	case STAGES:
		break;
	}
}

/* The child's life. */
static _Noreturn void
live_until(struct fixture *f, const char *bytes, enum stage stage)
{
	struct digest digest = digest_for(bytes, SIZE);
	struct draft *d;

	open_store(f);
	d = start_draft(f, &digest, 0);
	if (stage == WHILE_OPENING)
		die();
	AWAIT(f, draft_state(d) == DRAFT_OPEN);
	if (stage == WHEN_OPEN)
		die();
	write_some(d, bytes, stage);
	if (stage == AFTER_RESTART) {
		draft_restart(d);
		write_all(d, 0, bytes, DRAFT_CHUNK);
	}
	if (stage == WHILE_DROPPING)
		draft_drop(d);
	if (stage < WHEN_HASHED || stage > WHEN_KEPT)
		die();
	AWAIT(f, draft_is_hashed(d));
	if (stage == WHEN_HASHED)
		die();
	draft_keep(d, false, index_batch_new());
	if (stage == WHEN_KEPT)
		AWAIT(f, draft_state(d) == DRAFT_KEPT);
	die();
}

static void
run_child(struct fixture *f, const char *bytes, enum stage stage)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		live_until(f, bytes, stage);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool
is_stored(struct fixture *f, const char *bytes)
{
	struct digest digest = digest_for(bytes, SIZE);
	struct err err;
	struct index_reader *r = index_reader_new(f->store, &err);
	struct blob_row row;
	bool found = index_find_blob(r, &digest, &row);

	index_reader_free(r);
	return found;
}

/* clang-format off */
static const uint64_t fronts[STAGES] = {
	[IN_A_CHUNK]    = 7 * DRAFT_CHUNK,
	[WITHOUT_SIZE]  = 7 * DRAFT_CHUNK,
	[BEHIND_A_GAP]  = 3 * DRAFT_CHUNK,
	[WHEN_COMPLETE] = SIZE,
	[WHEN_HASHED]   = SIZE,
	[AFTER_RESTART] = DRAFT_CHUNK,
};
/* clang-format on */

static void
go_on(struct fixture *f, const char *bytes, enum stage stage)
{
	struct digest digest = digest_for(bytes, SIZE);
	struct draft *d = open_draft(f, &digest);
	uint64_t start, end;

	if (stage != WHILE_KEEPING) /* renamed or not */
		assert_int_equal(draft_front(d), fronts[stage]);
	draft_set_size(d, SIZE);
	while (draft_gap(d, 0, &start, &end))
		write_all(d, start, bytes + start, end - start);
	keep_draft(f, d);
	draft_leave(d);
}

static void
killed_at_every_stage(void **state)
{
	struct fixture *f = *state;

	for (enum stage stage = 0; stage < STAGES; stage++) {
		char *bytes = make_bytes(SIZE, stage);

		close_store(f);
		run_child(f, bytes, stage);
		open_store(f);
		if (stage == WHEN_KEPT)
			assert_true(is_stored(f, bytes));
		else if (stage != WHILE_KEEPING)
			assert_false(is_stored(f, bytes));
		if (!is_stored(f, bytes))
			go_on(f, bytes, stage);
		assert_stored(f, bytes, SIZE);
		assert_int_equal(count_files(path_of(f, "drafts")), 0);
		free(bytes);
	}
}

/* Again and again in the midst of keeping and committing. */
static void
killed_many_times(void **state)
{
	enum { N = 25 };
	struct fixture *f = *state;
	struct store_usage u;

	for (unsigned i = 0; i < N; i++) {
		char *bytes = make_bytes(SIZE, 1000 + i);

		close_store(f);
		run_child(f, bytes, WHILE_KEEPING);
		open_store(f);
		if (!is_stored(f, bytes))
			go_on(f, bytes, WHILE_KEEPING);
		assert_stored(f, bytes, SIZE);
		free(bytes);
	}
	store_usage(f->store, &u);
	assert_int_equal(u.n_objects, N);
	assert_int_equal(u.used_bytes, (uint64_t)N * SIZE);
	assert_int_equal(u.draft_bytes, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(killed_at_every_stage),
		TEST(killed_many_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
