/*
 * test_stream.c - how far a reader may read before the digest is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "cache/stream.h"

#define SIZE (10u << 20)

static struct stream *
stream_of(bool is_held)
{
	struct shared_fd *fd = shared_fd_new(open("/dev/null", O_RDONLY));
	struct stream *s = stream_new(fd, SIZE, 1, is_held);

	shared_fd_unref(fd);
	return s;
}

static void
readable_is_the_limit(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	assert_int_equal(stream_limit(s, 0, SIZE, false), 0);
	atomic_store(&s->readable, 4096);
	assert_int_equal(stream_limit(s, 0, SIZE, false), 4096);
	stream_unref(s);
}

static void
tail_is_held_back_until_verified(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, SIZE);
	assert_int_equal(
	    stream_limit(s, 0, SIZE, false), SIZE - STREAM_HOLD_BYTES);
	assert_int_equal(stream_limit(s, 0, SIZE, true), SIZE);
	stream_unref(s);
}

/* A client that asked for a part must not be able to complete it, either. */
static void
end_of_a_bounded_range_is_held_back(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, SIZE / 2);
	assert_int_equal(stream_limit(s, 0, 1u << 20, false),
	    (1u << 20) - STREAM_HOLD_BYTES);
	assert_int_equal(stream_limit(s, 0, STREAM_HOLD_BYTES, false), 0);
	assert_int_equal(stream_limit(s, 0, 10, false), 0);
	assert_int_equal(stream_limit(s, 0, 10, true), 10);
	stream_unref(s);
}

static void
held_whole_gives_nothing_until_verified(void **state)
{
	struct stream *s = stream_of(true);

	(void)state;
	atomic_store(&s->readable, SIZE);
	assert_int_equal(stream_limit(s, 0, SIZE, false), 0);
	assert_int_equal(stream_limit(s, 0, SIZE, true), SIZE);
	stream_unref(s);
}

/* Whole chunks only, from where one reads, and never the tail. */
static void
ahead_of_the_front(void **state)
{
	const uint64_t chunk = STREAM_HOLD_BYTES;
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, chunk);
	stream_show(s, 8 * chunk - 1, 10 * chunk + 5);
	assert_int_equal(stream_limit(s, 0, SIZE, false), chunk);
	assert_int_equal(stream_limit(s, 9 * chunk, SIZE, false), 10 * chunk);
	assert_int_equal(
	    stream_limit(s, 8 * chunk + 7, SIZE, false), 10 * chunk);
	assert_true(stream_limit(s, 10 * chunk + 1, SIZE, false) <= 10 * chunk);
	assert_true(stream_limit(s, 7 * chunk + 7, SIZE, false) <= 7 * chunk);
	assert_int_equal(
	    stream_limit(s, 8 * chunk, 9 * chunk + 10, false), 8 * chunk + 10);
	stream_show(s, 10 * chunk, SIZE);
	assert_int_equal(
	    stream_limit(s, 9 * chunk, SIZE, false), SIZE - STREAM_HOLD_BYTES);
	assert_int_equal(stream_limit(s, 9 * chunk, SIZE, true), SIZE);
	stream_unref(s);
}

static void
only_who_is_ahead_wants(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, 4096);
	stream_want(s, 4096, 4096);
	assert_int_equal(atomic_load(&s->wanted), 0);
	stream_want(s, 9000, 100);
	assert_int_equal(atomic_load(&s->wanted), 9000);
	stream_want(s, 9000, 70000);
	assert_int_equal(atomic_load(&s->wanted), 70000);
	stream_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable_is_the_limit),
		cmocka_unit_test(tail_is_held_back_until_verified),
		cmocka_unit_test(end_of_a_bounded_range_is_held_back),
		cmocka_unit_test(held_whole_gives_nothing_until_verified),
		cmocka_unit_test(ahead_of_the_front),
		cmocka_unit_test(only_who_is_ahead_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
