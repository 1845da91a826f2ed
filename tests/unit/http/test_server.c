/*
 * test_server.c - connections: keep-alive, pipelining, many at once, clients
 * that behave oddly.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "peer.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define CROWD 2000

static struct rig rig;

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
keep_alive(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		peer_send(fd, GET("/hello"));
		peer_reply(fd, &r);
		assert_int_equal(r.status, 200);
		assert_string_equal(r.body, "hello\n");
		assert_null(reply_find(&r, "Connection"));
		assert_memory_equal(
		    reply_find(&r, "Content-Type"), "text/plain\r\n", 12);
		assert_non_null(strstr(reply_find(&r, "Date"), " GMT\r\n"));
		reply_done(&r);
	}
	assert_int_equal(metric_value(metric_get(M_connections_total)), 1);
	assert_int_equal(metric_value(metric_get(M_connections)), 1);
	(void)close(fd);
	rig_wait_connections(&rig, 0);
	assert_int_equal(rig_ended_as(&rig, END_SENT), 3);
}

static void
connection_close(void **state)
{
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 16);
	peer_send(fd,
	    "GET /hello HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\n\r\n");
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_non_null(memmem(out.p, out.n, "Connection: close\r\n", 19));
	assert_non_null(memmem(out.p, out.n, "\r\n\r\nhello\n", 10));
	(void)close(fd);
	buf_done(&out);
}

static void
http_1_0(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	peer_reply(fd, &r);
	assert_memory_equal(reply_find(&r, "Connection"), "keep-alive", 10);
	reply_done(&r);
	peer_ask(fd, "GET /hello HTTP/1.0\r\n\r\n", 200);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
}

static void
head_has_no_body(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd,
	    "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n"
	    "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" GET("/hello"));
	peer_reply_to_head(fd, &r);
	assert_int_equal(strtoul(reply_find(&r, "Content-Length"), NULL, 10),
	    RIG_FILE_BYTES);
	reply_done(&r);
	peer_reply_to_head(fd, &r);
	assert_int_equal(
	    strtoul(reply_find(&r, "Content-Length"), NULL, 10), 6);
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	(void)close(fd);
}

/* All in one write, so that heads lie across every edge of the buffer. */
static void
pipelined(void **state)
{
	char *all = malloc(1000 * 64);
	int fd = peer_connect(rig.port);
	struct reply r;
	char path[32];
	size_t n = 0;
	int i;

	(void)state;
	assert_non_null(all);
	for (i = 0; i < 1000; i++)
		n += (size_t)snprintf(
		    all + n, 64, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
	peer_send_bytes(fd, all, n);
	for (i = 0; i < 1000; i++) {
		peer_reply(fd, &r);
		(void)snprintf(path, sizeof(path), "/%d", i);
		assert_string_equal(r.body, path);
		reply_done(&r);
	}
	rig_wait_ended(&rig, 1000);
	free(all);
	(void)close(fd);
}

static void
byte_by_byte(void **state)
{
	static const char text[] = GET("/hello") "PUT /echo HTTP/1.1\r\n"
						 "Host: a\r\n"
						 "Content-Length: 3\r\n\r\nabc";
	int fd = peer_connect(rig.port);
	struct reply r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++)
		peer_send_bytes(fd, text + i, 1);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "abc");
	reply_done(&r);
	(void)close(fd);
}

static void
half_closed_client_gets_its_replies(void **state)
{
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 24);
	peer_send(fd, GET("/big") GET("/hello"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_true(out.n > RIG_BIG_BYTES);
	assert_memory_equal(out.p + out.n - 6, "hello\n", 6);
	(void)close(fd);
	buf_done(&out);
}

static void
half_a_request_then_gone(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_send(fd, "GET /hel");
	(void)close(fd);
	fd = peer_connect(rig.port);
	peer_send(fd,
	    "PUT /echo HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 3\r\n\r\na");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	rig_wait_connections(&rig, 0);
	assert_int_equal(rig.n_called, 0);
}

static void
tls_hello_on_a_plain_port(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc";
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 16);
	peer_send_bytes(fd, hello, sizeof(hello) - 1);
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_memory_equal(out.p, "HTTP/1.1 400 ", 13);
	(void)close(fd);
	buf_done(&out);
	rig_wait_connections(&rig, 0);
}

static void
crowd(void **state)
{
	struct rlimit files;
	struct reply r;
	int *fds = calloc(CROWD, sizeof(*fds));
	int i;

	(void)state;
	assert_non_null(fds);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < 2 * CROWD + 100) {
		files.rlim_cur = files.rlim_max;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	}
	for (i = 0; i < CROWD; i++)
		fds[i] = peer_connect(rig.port);
	for (i = 0; i < CROWD; i++)
		peer_send(fds[i], GET("/hello"));
	for (i = 0; i < CROWD; i++) {
		peer_reply(fds[i], &r);
		assert_string_equal(r.body, "hello\n");
		reply_done(&r);
	}
	rig_wait_connections(&rig, CROWD);
	for (i = 0; i < CROWD; i++)
		(void)close(fds[i]);
	rig_wait_connections(&rig, 0);
	free(fds);
}

static void
who(void **state)
{
	struct sockaddr_in in4;
	socklen_t len = sizeof(in4);
	int fd = peer_connect(rig.port);
	struct reply r;
	char want[64];

	(void)state;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in4, &len), 0);
	(void)snprintf(
	    want, sizeof(want), "127.0.0.1:%u  plain", ntohs(in4.sin_port));
	peer_send(fd, GET("/who"));
	peer_reply(fd, &r);
	assert_string_equal(r.body, want);
	reply_done(&r);
	(void)close(fd);
}

static int
set_up_dual_stack(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	(void)state;
	rig_init(&rig);
	memcpy(&rig.address.sa, &in6, sizeof(in6));
	rig.address.len = sizeof(in6);
	rig_open(&rig);
	return 0;
}

/* What is open when the loop stops ends as gone. */
static void
closing_with_exchanges_open(void **state)
{
	int late = peer_connect(rig.port);
	int big = peer_connect_narrow(rig.port);

	(void)state;
	peer_send(late, GET("/late"));
	peer_send(big, GET("/file"));
	rig_wait_called(&rig, 2);
	rig_close(&rig);
	assert_int_equal(rig.n_ended_as[END_GONE], 2);
	(void)close(late);
	(void)close(big);
	rig_init(&rig);
	rig_open(&rig);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(keep_alive),
		TEST(connection_close),
		TEST(http_1_0),
		TEST(head_has_no_body),
		TEST(pipelined),
		TEST(byte_by_byte),
		TEST(half_closed_client_gets_its_replies),
		TEST(half_a_request_then_gone),
		TEST(tls_hello_on_a_plain_port),
		TEST(crowd),
		TEST(who),
		cmocka_unit_test_setup_teardown(
		    who, set_up_dual_stack, tear_down),
		TEST(closing_with_exchanges_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
