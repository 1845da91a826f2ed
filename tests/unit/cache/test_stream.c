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
	assert_int_equal(stream_limit(s, SIZE, false), 0);
	atomic_store(&s->readable, 4096);
	assert_int_equal(stream_limit(s, SIZE, false), 4096);
	stream_unref(s);
}

static void
tail_is_held_back_until_verified(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, SIZE);
	assert_int_equal(
	    stream_limit(s, SIZE, false), SIZE - STREAM_HOLD_BYTES);
	assert_int_equal(stream_limit(s, SIZE, true), SIZE);
	stream_unref(s);
}

/* A client that asked for a part must not be able to complete it, either. */
static void
end_of_a_bounded_range_is_held_back(void **state)
{
	struct stream *s = stream_of(false);

	(void)state;
	atomic_store(&s->readable, SIZE / 2);
	assert_int_equal(
	    stream_limit(s, 1u << 20, false), (1u << 20) - STREAM_HOLD_BYTES);
	assert_int_equal(stream_limit(s, STREAM_HOLD_BYTES, false), 0);
	assert_int_equal(stream_limit(s, 10, false), 0);
	assert_int_equal(stream_limit(s, 10, true), 10);
	stream_unref(s);
}

static void
held_whole_gives_nothing_until_verified(void **state)
{
	struct stream *s = stream_of(true);

	(void)state;
	atomic_store(&s->readable, SIZE);
	assert_int_equal(stream_limit(s, SIZE, false), 0);
	assert_int_equal(stream_limit(s, SIZE, true), SIZE);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
