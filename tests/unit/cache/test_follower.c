/*
 * test_follower.c - what readers hear when there is no memory to tell them, and
 * when their blob is found in the store while they are at a draft.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>

#include "common/metrics.h"
#include "follower.h"

#define SIZE (10u << 20)

static bool is_starved;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_starved ? NULL : __real_calloc(n, size);
}

struct bench {
	struct cache_port port;
	struct follower *follower;
	struct reader reader;
	struct stream *streams[2]; /* the second is right */
	enum reader_event last;
	unsigned n_events;
};

static void
on_event(struct reader *r, enum reader_event event)
{
	struct bench *b = container_of(r, struct bench, reader);

	b->last = event;
	b->n_events++;
}

static uint64_t
position(const struct reader *r)
{
	return r->has_begun ? 1u << 20 : 0;
}

static struct stream *
new_stream(unsigned serial)
{
	struct shared_fd *fd = shared_fd_new(open("/dev/null", O_RDONLY));
	struct stream *s = stream_new(fd, SIZE, serial, false);

	shared_fd_unref(fd);
	atomic_store(&s->readable, SIZE / 2);
	return s;
}

static int
set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct cache_key key;
	struct err err;

	metrics_init();
	b->port.loop = loop_new("test", &err);
	b->port.followers = map_new(8);
	b->follower = calloc(1, sizeof(*b->follower));
	b->follower->port = &b->port;
	cache_key(&key, ASK_BLOB, &b->follower->target);
	assert_int_equal(
	    map_put(b->port.followers, key.bytes, key.n, b->follower), 0);
	TAILQ_INIT(&b->follower->readers);
	b->reader.on_event = on_event;
	b->reader.position = position;
	b->reader.follower = b->follower;
	TAILQ_INSERT_TAIL(&b->follower->readers, &b->reader, link);
	b->streams[0] = new_stream(1);
	b->streams[1] = new_stream(2);
	atomic_store(&b->streams[1]->agreed, SIZE);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;

	stream_unref(b->streams[0]);
	stream_unref(b->streams[1]);
	loop_free(b->port.loop);
	map_free(b->port.followers);
	free(b);
	return 0;
}

static void
begin(struct bench *b)
{
	follower_stream(b->follower, b->streams[0], false);
	(void)loop_drain(b->port.loop);
	assert_true(b->reader.has_begun);
	assert_int_equal(b->last, READER_ALLOW);
}

static void
end(struct bench *b, enum news_kind kind)
{
	follower_end(b->follower, kind, NULL);
	(void)loop_drain(b->port.loop);
	assert_null(b->reader.follower);
}

static void
end_is_told(void **state)
{
	struct bench *b = *state;

	begin(b);
	end(b, NEWS_ENDED);
	assert_int_equal(b->last, READER_ENDED);
	assert_int_equal(b->reader.allowed, SIZE);
}

static void
second_draft_is_gone_on_with(void **state)
{
	struct bench *b = *state;

	begin(b);
	follower_halt(b->follower);
	follower_stream(b->follower, b->streams[1], false);
	end(b, NEWS_ENDED);
	assert_int_equal(b->last, READER_ENDED);
}

/* It is at the wrong draft, and does not know. */
static void
who_missed_the_second_draft_is_cut(void **state)
{
	struct bench *b = *state;

	begin(b);
	is_starved = true;
	follower_halt(b->follower);
	follower_stream(b->follower, b->streams[1], false);
	is_starved = false;
	end(b, NEWS_ENDED);
	assert_int_equal(b->last, READER_CUT);
	assert_int_equal(b->reader.error.code, ERR_NO_MEMORY);
	assert_true(b->reader.allowed < SIZE);
}

static void
halt_that_is_missed_is_made_up_for(void **state)
{
	struct bench *b = *state;

	begin(b);
	is_starved = true;
	follower_halt(b->follower);
	is_starved = false;
	follower_stream(b->follower, b->streams[1], false);
	end(b, NEWS_ENDED);
	assert_int_equal(b->last, READER_ENDED);
}

/* Who has begun a reply can't begin it again from the store. */
static void
stored_cuts_who_has_begun(void **state)
{
	struct bench *b = *state;

	begin(b);
	end(b, NEWS_STORED);
	assert_int_equal(b->last, READER_CUT);
}

static void
stored_is_told_to_who_has_not_begun(void **state)
{
	struct bench *b = *state;

	end(b, NEWS_STORED);
	assert_int_equal(b->last, READER_STORED);
	assert_int_equal(b->n_events, 1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(end_is_told),
		TEST(second_draft_is_gone_on_with),
		TEST(who_missed_the_second_draft_is_cut),
		TEST(halt_that_is_missed_is_made_up_for),
		TEST(stored_cuts_who_has_begun),
		TEST(stored_is_told_to_who_has_not_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
