/*
 * test_watch.c - readiness as it comes and goes.
 *
 * The loop has no thread here: the test turns its event base itself.
 */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "loop/watch.h"

struct end {
	struct watch w;
	struct end *other; /* stopped by on_stop_other() */
	unsigned n;
	unsigned ready; /* of the last call */
	unsigned next;  /* wanted by on_change() */
};

static struct loop *l;
static int fds[2];

static int
setup(void **state)
{
	struct err err;

	(void)state;
	l = loop_new("test", &err);
	return l == NULL ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0
	    ? -1
	    : 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(fds[0]);
	(void)close(fds[1]);
	loop_free(l);
	return 0;
}

/* Lets happen what is due now. */
static void
turn(void)
{
	assert_int_equal(
	    event_base_loop(loop_base(l), EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
}

static void
on_ready(unsigned ready, void *arg)
{
	struct end *e = arg;

	e->n++;
	e->ready = ready;
}

static void
send_byte(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void
receive_byte(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
}

/* Fills the way from FD until it would block. */
static void
fill(int fd)
{
	char bytes[4096] = { 0 };

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void
level_triggered(void **state)
{
	struct end e = { .n = 0 };

	(void)state;
	watch_init(&e.w, l, fds[0], on_ready, &e);
	turn();
	watch_set(&e.w, WATCH_READ);
	turn();
	assert_int_equal(e.n, 0);
	send_byte(fds[1]);
	turn();
	turn(); /* nobody read: it is told again */
	assert_int_equal(e.n, 2);
	assert_int_equal(e.ready, WATCH_READ);
	receive_byte(fds[0]);
	turn();
	assert_int_equal(e.n, 2);
	watch_stop(&e.w);
}

static void
what_is_wanted(void **state)
{
	struct end e = { .n = 0 };

	(void)state;
	watch_init(&e.w, l, fds[0], on_ready, &e);
	send_byte(fds[1]);
	watch_set(&e.w, WATCH_WRITE);
	turn();
	assert_int_equal(e.ready, WATCH_WRITE);
	watch_set(&e.w, WATCH_READ | WATCH_WRITE);
	turn();
	assert_int_equal(e.ready, WATCH_READ | WATCH_WRITE);
	assert_int_equal(e.n, 2); /* both in one call */
	fill(fds[0]);
	turn();
	assert_int_equal(e.ready, WATCH_READ);
	watch_set(&e.w, WATCH_WRITE);
	e.n = 0;
	turn();
	assert_int_equal(e.n, 0);
	watch_set(&e.w, 0);
	watch_set(&e.w, WATCH_READ);
	watch_set(&e.w, WATCH_READ); /* no change */
	turn();
	assert_int_equal(e.n, 1);
	watch_set(&e.w, 0);
	turn();
	assert_int_equal(e.n, 1);
	watch_stop(&e.w);
	watch_stop(&e.w);
}

static void
a_closed_peer_is_readable(void **state)
{
	struct end e = { .n = 0 };

	(void)state;
	watch_init(&e.w, l, fds[0], on_ready, &e);
	watch_set(&e.w, WATCH_READ);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	turn();
	assert_int_equal(e.ready, WATCH_READ);
	watch_stop(&e.w);
}

static void
on_stop_other(unsigned ready, void *arg)
{
	struct end *e = arg;

	on_ready(ready, arg);
	watch_stop(&e->other->w);
}

/* Both are ready in the same round; the first to run stops the other. */
static void
stopped_when_already_ready(void **state)
{
	struct end a = { .n = 0 }, b = { .n = 0, .other = &a };

	(void)state;
	a.other = &b;
	watch_init(&a.w, l, fds[0], on_stop_other, &a);
	watch_init(&b.w, l, fds[1], on_stop_other, &b);
	watch_set(&a.w, WATCH_WRITE);
	watch_set(&b.w, WATCH_WRITE);
	turn();
	assert_int_equal(a.n + b.n, 1);
	watch_stop(&a.w);
	watch_stop(&b.w);
}

static void
on_change(unsigned ready, void *arg)
{
	struct end *e = arg;

	on_ready(ready, arg);
	watch_set(&e->w, e->next);
}

static void
changed_from_the_callback(void **state)
{
	struct end e = { .next = WATCH_WRITE };

	(void)state;
	watch_init(&e.w, l, fds[0], on_change, &e);
	watch_set(&e.w, WATCH_READ);
	send_byte(fds[1]);
	turn();
	assert_int_equal(e.ready, WATCH_READ);
	e.next = 0;
	turn();
	assert_int_equal(e.ready, WATCH_WRITE);
	turn();
	assert_int_equal(e.n, 2);
	watch_stop(&e.w);
}

static void
on_free(unsigned ready, void *arg)
{
	struct end *e = arg;

	(void)ready;
	watch_stop(&e->w);
	free(e);
	fds[0] = -1;
}

static void
the_owner_may_go(void **state)
{
	struct end *e = calloc(1, sizeof(*e));
	int fd = fds[0];

	(void)state;
	watch_init(&e->w, l, fd, on_free, e);
	watch_set(&e->w, WATCH_READ | WATCH_WRITE);
	send_byte(fds[1]);
	turn();
	assert_int_equal(fds[0], -1);
	turn();
	fds[0] = fd;
}

/* A number that comes again is another descriptor. */
static void
a_descriptor_comes_again(void **state)
{
	struct end e = { .n = 0 };
	int more[2];

	(void)state;
	watch_init(&e.w, l, fds[0], on_ready, &e);
	watch_set(&e.w, WATCH_READ);
	turn();
	watch_stop(&e.w);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, more), 0);
	assert_true(dup2(more[0], fds[0]) == fds[0]);
	watch_init(&e.w, l, fds[0], on_ready, &e);
	watch_set(&e.w, WATCH_READ);
	send_byte(more[1]);
	turn();
	assert_int_equal(e.n, 1);
	watch_stop(&e.w);
	(void)close(more[0]);
	(void)close(more[1]);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(level_triggered),
		TEST(what_is_wanted),
		TEST(a_closed_peer_is_readable),
		TEST(stopped_when_already_ready),
		TEST(changed_from_the_callback),
		TEST(the_owner_may_go),
		TEST(a_descriptor_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
