/*
 * test_drain.c - the end of a server: who is still answered.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct rig rig;
static int client; /* of those below that run on the loop */

static int
set_up(void **state)
{
	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static void
on_drained(void *arg)
{
	struct rig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	assert_int_equal(http_server_connections(r->server), 0);
	r->is_drained = true;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
drain(struct rig *r)
{
	http_server_drain(r->server, on_drained, r);
}

static void
wait_drained(void)
{
	(void)pthread_mutex_lock(&rig.lock);
	while (!rig.is_drained)
		(void)pthread_cond_wait(&rig.changed, &rig.lock);
	(void)pthread_mutex_unlock(&rig.lock);
}

static void
answer(struct rig *r)
{
	reply_text(r->held, 200, "text/plain", STR("late\n"));
}

static void
with_nobody(void **state)
{
	(void)state;
	rig_call(&rig, drain);
	wait_drained();
}

static void
idle_connections_end(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_ask(fd, GET("/hello"), 200);
	rig_call(&rig, drain);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
}

/* The loop sees the connection and the drain in one go: what is in the queue
 * was promised an answer by the kernel. */
static void
connect_and_drain(struct rig *r)
{
	struct pollfd queue = { .fd = r->spec.listen_fd, .events = POLLIN };
	int fd = peer_connect(r->port);

	peer_send(fd, GET("/hello"));
	assert_int_equal(poll(&queue, 1, 60000), 1);
	client = fd;
	http_server_drain(r->server, on_drained, r);
}

static void
queued_connection_is_answered(void **state)
{
	struct reply r;
	int fd;

	(void)state;
	rig_call(&rig, connect_and_drain);
	fd = client;
	peer_reply(fd, &r);
	assert_int_equal(r.status, 200);
	assert_memory_equal(reply_find(&r, "Connection"), "close\r\n", 7);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
}

/* A request that is in the socket's buffer already, on an idle connection. */
static void
send_and_drain(struct rig *r)
{
	peer_send(client, GET("/hello"));
	http_server_drain(r->server, on_drained, r);
}

static void
request_in_flight_is_answered(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_ask(fd, GET("/hello"), 200);
	rig_wait_ended(&rig, 1);
	client = fd;
	rig_call(&rig, send_and_drain);
	peer_reply(fd, &r);
	assert_int_equal(r.status, 200);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
}

static void
exchanges_are_finished(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd, GET("/late"));
	rig_wait_called(&rig, 1);
	rig_call(&rig, drain);
	rig_call(&rig, answer);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "late\n");
	assert_memory_equal(reply_find(&r, "Connection"), "close\r\n", 7);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
	assert_int_equal(rig.n_ended_as[END_SENT], 1);
}

/* A connection that was accepted but has asked nothing yet may do so. */
static void
fresh_connection_may_ask(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	rig_wait_connections(&rig, 1);
	rig_call(&rig, drain);
	peer_ask(fd, GET("/hello"), 200);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
}

/* What is left after drain_ms is cut: a FIN, over unread bytes too. */
static void
the_rest_is_cut(void **state)
{
	struct buf out;
	int fd = peer_connect(rig.port);
	int file = peer_connect_narrow(rig.port);

	(void)state;
	buf_init(&out, RIG_FILE_BYTES + 4096);
	peer_send(fd, GET("/late") GET("/hello"));
	peer_send(file, GET("/file"));
	rig_wait_called(&rig, 2);
	rig_call(&rig, drain);
	wait_drained();
	assert_int_equal(rig.n_ended_as[END_CUT], 2);
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_int_equal(out.n, 0);
	assert_int_equal(peer_until_end(file, &out), PEER_EOF);
	assert_true(out.n > 0 && out.n < RIG_FILE_BYTES);
	(void)close(fd);
	(void)close(file);
	buf_done(&out);
}

static int
set_up_short(void **state)
{
	(void)state;
	rig_init(&rig);
	rig.spec.limits.drain_ms = 50;
	rig_open(&rig);
	return 0;
}

static void
nobody_is_accepted_any_more(void **state)
{
	int fd = peer_connect(rig.port);
	int late;

	(void)state;
	peer_send(fd, GET("/late"));
	rig_wait_called(&rig, 1);
	rig_call(&rig, drain);
	rig_call(&rig, answer); /* the drain has begun by then */
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	wait_drained();
	late = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(late, (struct sockaddr *)&rig.address.sa, rig.address.len),
	    -1);
	assert_int_equal(errno, ECONNREFUSED);
	(void)close(late);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(with_nobody),
		TEST(idle_connections_end),
		TEST(queued_connection_is_answered),
		TEST(request_in_flight_is_answered),
		TEST(exchanges_are_finished),
		TEST(fresh_connection_may_ask),
		cmocka_unit_test_setup_teardown(
		    the_rest_is_cut, set_up_short, tear_down),
		TEST(nobody_is_accepted_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
