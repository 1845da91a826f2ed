/*
 * test_store_draft_map.c - which bytes are here, against a model that keeps
 * them one by one.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft_int.h"
#include "fixture.h"

#define CHUNK DRAFT_CHUNK

static int
map_file(void)
{
	int fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
add(struct draft_map *m, uint64_t start, uint64_t end)
{
	struct err err;

	assert_int_equal(draft_map_add(m, start, end, &err), 0);
}

static void
assert_gap(const struct draft_map *m, uint64_t from, uint64_t want_start,
    uint64_t want_end)
{
	uint64_t start, end;

	assert_true(draft_map_gap(m, from, &start, &end));
	assert_int_equal(start, want_start);
	assert_int_equal(end, want_end);
}

static void
front_and_gaps(void **state)
{
	struct draft_map m;
	uint64_t start, end;

	(void)state;
	draft_map_init(&m);
	draft_map_set_size(&m, 1000);
	assert_gap(&m, 0, 0, 1000);
	add(&m, 100, 200);
	assert_int_equal(draft_map_front(&m), 0);
	assert_gap(&m, 0, 0, 100);
	assert_gap(&m, 100, 200, 1000);
	assert_gap(&m, 150, 200, 1000);
	assert_gap(&m, 300, 300, 1000);
	add(&m, 0, 99);
	assert_int_equal(draft_map_front(&m), 99);
	assert_gap(&m, 0, 99, 100);
	add(&m, 99, 100); /* touches both */
	assert_int_equal(draft_map_front(&m), 200);
	assert_int_equal(m.n_extents, 1);
	add(&m, 200, 1000);
	assert_int_equal(draft_map_front(&m), 1000);
	assert_int_equal(m.n_bytes, 1000);
	assert_false(draft_map_gap(&m, 0, &start, &end));
	assert_false(draft_map_gap(&m, 1000, &start, &end));
	draft_map_clear(&m);
	assert_int_equal(draft_map_front(&m), 0);
	assert_int_equal(m.n_bytes, 0);
	draft_map_done(&m);
}

static void
a_gap_of_unknown_size_has_no_end(void **state)
{
	struct draft_map m;

	(void)state;
	draft_map_init(&m);
	add(&m, 0, 10);
	assert_gap(&m, 0, 10, SIZE_UNKNOWN);
	draft_map_done(&m);
}

/* What a second process would find, of a file of BYTES. */
static uint64_t
resumed_front(const struct draft_map *m, uint64_t bytes, uint64_t *n_bytes)
{
	struct draft_map again;
	uint64_t front;

	draft_map_init(&again);
	*n_bytes = 0;
	if (draft_map_load(&again, dup(m->fd), bytes) == 0)
		*n_bytes = again.n_bytes;
	front = draft_map_front(&again);
	draft_map_done(&again);
	return front;
}

static void
whole_chunks_are_resumed(void **state)
{
	struct draft_map m;
	uint64_t n;

	(void)state;
	draft_map_init(&m);
	draft_map_create(&m, map_file());
	add(&m, 0, CHUNK - 1);
	assert_int_equal(resumed_front(&m, CHUNK - 1, &n), 0);
	add(&m, CHUNK - 1, CHUNK + 1);
	assert_int_equal(resumed_front(&m, CHUNK + 1, &n), CHUNK);
	assert_int_equal(n, CHUNK);
	assert_int_equal(draft_map_resumable(&m), CHUNK);
	/* The last one is shorter, once the size is known. */
	add(&m, CHUNK + 1, 2 * CHUNK + 7);
	assert_int_equal(resumed_front(&m, 2 * CHUNK + 7, &n), 2 * CHUNK);
	draft_map_set_size(&m, 2 * CHUNK + 7);
	assert_int_equal(resumed_front(&m, 2 * CHUNK + 7, &n), 2 * CHUNK + 7);
	assert_int_equal(draft_map_resumable(&m), 2 * CHUNK + 7);
	draft_map_done(&m);
}

static void
the_file_says_how_much_is_believed(void **state)
{
	struct draft_map m;
	uint64_t n;

	(void)state;
	draft_map_init(&m);
	draft_map_create(&m, map_file());
	draft_map_set_size(&m, 10 * CHUNK);
	add(&m, 0, 3 * CHUNK);
	add(&m, 5 * CHUNK, 10 * CHUNK);
	assert_int_equal(resumed_front(&m, 10 * CHUNK, &n), 3 * CHUNK);
	assert_int_equal(n, 8 * CHUNK);
	assert_int_equal(resumed_front(&m, 7 * CHUNK + 1, &n), 3 * CHUNK);
	assert_int_equal(n, 5 * CHUNK);
	assert_int_equal(resumed_front(&m, 2 * CHUNK - 1, &n), CHUNK);
	assert_int_equal(n, CHUNK);
	assert_int_equal(resumed_front(&m, 0, &n), 0);
	assert_int_equal(n, 0);
	draft_map_done(&m);
}

static void
nothing_is_resumed_from_a_broken_map(void **state)
{
	struct draft_map m;
	uint64_t n;

	(void)state;
	draft_map_init(&m);
	draft_map_create(&m, map_file());
	add(&m, 0, 3 * CHUNK);
	assert_int_equal(resumed_front(&m, 3 * CHUNK, &n), 3 * CHUNK);
	for (int i = 0; i < 20; i += 4) { /* magic, version, size, zero */
		char byte, wrong;

		assert_int_equal(pread(m.fd, &byte, 1, i), 1);
		wrong = (char)(byte ^ 0x10);
		assert_int_equal(pwrite(m.fd, &wrong, 1, i), 1);
		assert_int_equal(resumed_front(&m, 3 * CHUNK, &n), 0);
		assert_int_equal(pwrite(m.fd, &byte, 1, i), 1);
	}
	assert_int_equal(resumed_front(&m, 3 * CHUNK, &n), 3 * CHUNK);
	draft_map_forget(&m);
	assert_int_equal(resumed_front(&m, 3 * CHUNK, &n), 0);
	draft_map_done(&m);
}

static void
a_cleared_map_forgets_on_disk_too(void **state)
{
	struct draft_map m;
	uint64_t n;

	(void)state;
	draft_map_init(&m);
	draft_map_create(&m, map_file());
	add(&m, 0, 30 * CHUNK);
	draft_map_clear(&m);
	assert_int_equal(resumed_front(&m, 30 * CHUNK, &n), 0);
	add(&m, 0, CHUNK);
	assert_int_equal(resumed_front(&m, 30 * CHUNK, &n), CHUNK);
	draft_map_done(&m);
}

static void
gaps_have_a_ceiling(void **state)
{
	struct draft_map m;
	struct err err;
	uint64_t i;

	(void)state;
	draft_map_init(&m);
	for (i = 0; draft_map_add(&m, i * 2, i * 2 + 1, &err) == 0; i++)
		assert_true(i < 1 << 20);
	assert_int_equal(err.code, ERR_NO_MEMORY);
	assert_int_equal(m.n_bytes, i);
	add(&m, 1, 2); /* makes two into one: there is room again... */
	draft_map_done(&m);
}

/* ---- against a model ---------------------------------------------------- */

#define UNIT 4096u /* of the model */
#define UNITS 160u
#define MODEL_SIZE ((uint64_t)UNITS * UNIT - 100)

static void
check_against(const struct draft_map *m, const bool *here)
{
	uint64_t n_bytes = 0, front = UINT64_MAX, gap, end;

	for (unsigned i = 0; i < UNITS; i++) {
		uint64_t start = (uint64_t)i * UNIT;
		uint64_t stop = start + UNIT;

		if (stop > MODEL_SIZE)
			stop = MODEL_SIZE;
		if (here[i])
			n_bytes += stop - start;
		else if (front == UINT64_MAX)
			front = start;
		if (!here[i]) {
			assert_true(draft_map_gap(m, start, &gap, &end));
			assert_int_equal(gap, start);
		}
	}
	assert_int_equal(m->n_bytes, n_bytes);
	assert_int_equal(
	    draft_map_front(m), front == UINT64_MAX ? MODEL_SIZE : front);
}

static void
any_order(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 30; seed++) {
		bool here[UNITS] = { false };
		struct draft_map m;
		uint64_t resumed;
		unsigned x = seed;

		draft_map_init(&m);
		draft_map_create(&m, map_file());
		draft_map_set_size(&m, MODEL_SIZE);
		for (unsigned i = 0; i < 120; i++) {
			unsigned first, last;
			uint64_t end;

			x = x * 1103515245u + 12345u;
			first = (x >> 8) % UNITS;
			last = first + (x >> 20) % 6;
			if (last >= UNITS)
				last = UNITS - 1;
			end = (uint64_t)(last + 1) * UNIT;
			add(&m, (uint64_t)first * UNIT,
			    end < MODEL_SIZE ? end : MODEL_SIZE);
			memset(here + first, true, last - first + 1);
			check_against(&m, here);
		}
		(void)resumed_front(&m, MODEL_SIZE, &resumed);
		assert_int_equal(resumed, draft_map_resumable(&m));
		draft_map_done(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(front_and_gaps),
		cmocka_unit_test(a_gap_of_unknown_size_has_no_end),
		cmocka_unit_test(whole_chunks_are_resumed),
		cmocka_unit_test(the_file_says_how_much_is_believed),
		cmocka_unit_test(nothing_is_resumed_from_a_broken_map),
		cmocka_unit_test(a_cleared_map_forgets_on_disk_too),
		cmocka_unit_test(gaps_have_a_ceiling),
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
