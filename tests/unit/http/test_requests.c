/*
 * test_requests.c - request bodies, and requests refused before the handler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "peer.h"
#include "rig.h"

#define PUT "PUT /echo HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED PUT "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
#define BODY_MAX 1000

static struct rig rig;

static int
set_up(void **state)
{
	(void)state;
	rig_init(&rig);
	rig.spec.body_max = BODY_MAX;
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

/* TEXT is answered with BODY, and the connection goes on. */
static void
assert_echo(const char *text, const char *body)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	peer_send(fd, text);
	peer_send(fd, NEXT);
	peer_reply(fd, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, body);
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	(void)close(fd);
}

static void
bodies(void **state)
{
	(void)state;
	assert_echo(PUT "Content-Length: 5\r\n\r\nabcde", "abcde");
	assert_echo(PUT "Content-Length: 0\r\n\r\n", "");
	assert_echo(PUT "\r\n", "");
	assert_echo(
	    CHUNKED "3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\n\r\n", "abcde");
	assert_echo(CHUNKED "00a\r\n0123456789\r\n0 \r\nX-T: y\r\nZ: a\r\n\r\n",
	    "0123456789");
	assert_echo(CHUNKED "0\r\n\r\n", "");
}

static void
body_byte_by_byte(void **state)
{
	static const char text[] =
	    CHUNKED "A;ext\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
	int fd = peer_connect(rig.port);
	struct reply r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++)
		peer_send_bytes(fd, text + i, 1);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "0123456789");
	reply_done(&r);
	(void)close(fd);
}

/* As many as pass through the buffer several times. */
static void
largest_body(void **state)
{
	char body[BODY_MAX];
	int fd = peer_connect(rig.port);
	struct reply r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(body); i++)
		body[i] = (char)('a' + i % 26);
	peer_send(fd, PUT "Content-Length: 1000\r\n\r\n");
	peer_send_bytes(fd, body, sizeof(body));
	peer_reply(fd, &r);
	assert_int_equal(r.n, sizeof(body));
	assert_memory_equal(r.body, body, sizeof(body));
	reply_done(&r);
	peer_send(fd, CHUNKED);
	for (i = 0; i < sizeof(body); i++) {
		peer_send(fd, "1\r\n");
		peer_send_bytes(fd, body + i, 1);
		peer_send(fd, "\r\n");
	}
	peer_send(fd, "0\r\n\r\n");
	peer_reply(fd, &r);
	assert_int_equal(r.n, sizeof(body));
	assert_memory_equal(r.body, body, sizeof(body));
	reply_done(&r);
	(void)close(fd);
}

static void
expect_100(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd, PUT "Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
	peer_head(fd, &r);
	assert_int_equal(r.status, 100);
	peer_send(fd, "abc");
	peer_reply(fd, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "abc");
	reply_done(&r);
	/* Who does not wait for it need not get it. */
	peer_send(
	    fd, PUT "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
	peer_reply(fd, &r);
	assert_int_equal(r.status, 200);
	reply_done(&r);
	/* Too much: refused without a 100. */
	peer_send(
	    fd, PUT "Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n");
	peer_reply(fd, &r);
	assert_int_equal(r.status, 413);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
}

/* TEXT, and what the client goes on to send, is refused: the client reads the
 * reply and an end, no RST. */
static void
assert_refused(const char *text, const char *more, int status)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	peer_send(fd, text);
	peer_send(fd, more);
	peer_reply(fd, &r);
	if (r.status != status)
		print_error("%d: %s\n", r.status, text);
	assert_int_equal(r.status, status);
	assert_memory_equal(reply_find(&r, "Connection"), "close\r\n", 7);
	assert_memory_equal(
	    reply_find(&r, "Content-Type"), "application/json\r\n", 18);
	assert_memory_equal(r.body, "{\"errors\":[{\"code\":\"", 20);
	assert_memory_equal(r.body + r.n - 5, "\"}]}\n", 5);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
}

static void
refused_bodies(void **state)
{
	char more[100000];

	(void)state;
	memset(more, 'x', sizeof(more) - 1);
	more[sizeof(more) - 1] = '\0';
	assert_refused(PUT "Content-Length: 1001\r\n\r\n", more, 413);
	assert_refused(
	    PUT "Content-Length: 18446744073709551615\r\n\r\n", more, 413);
	assert_refused(CHUNKED "3e9\r\n", more, 413);
	assert_refused(CHUNKED "fffffffffffffff\r\n", more, 413);
	assert_refused(CHUNKED "3E8\r\n", more, 400);
	assert_refused(CHUNKED "1\r\nab\r\n", more, 400);
	assert_refused(CHUNKED "1\nab\r\n", more, 400);
	assert_refused(CHUNKED "\r\n", more, 400);
	assert_refused(CHUNKED "-1\r\n", more, 400);
	assert_refused(CHUNKED "0x1\r\n", more, 400);
	assert_refused(CHUNKED ";\r\n", more, 400);
	assert_refused(CHUNKED "0000000000000001\r\n", more, 400);
	assert_refused(CHUNKED "1;\n", more, 400);
	assert_refused(CHUNKED "0\r\nX: y\n\r\n", more, 400);
	assert_refused(CHUNKED "1;", more, 400);       /* endless extension */
	assert_refused(CHUNKED "0\r\nX: ", more, 400); /* endless trailer */
	assert_int_equal(rig.n_called, 0);
	assert_int_equal(metric_value(metric_cell(M_http_requests_refused_total,
			     (const char *[]){ "body_too_large" })),
	    4);
}

static void
refused_heads(void **state)
{
	char more[20000];

	(void)state;
	memset(more, 'x', sizeof(more) - 1);
	more[sizeof(more) - 1] = '\0';
	assert_refused("GET / HTTP/1.1\r\n\r\n", more, 400);
	assert_refused("GET / HTTP/3.0\r\n\r\n", more, 505);
	assert_refused(PUT "Transfer-Encoding: gzip\r\n\r\n", more, 501);
	assert_refused("CONNECT a:1 HTTP/1.1\r\n\r\n", more, 405);
	assert_refused("GET /", more, 414);
	assert_refused("GET / HTTP/1.1\r\nX: ", more, 431);
	assert_refused(
	    PUT "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", more, 400);
	assert_int_equal(rig.n_called, 0);
}

/* A complete head that is too long, though it fits the buffer. */
static void
head_of_every_length(void **state)
{
	char text[20000];
	int n, fd;

	(void)state;
	n = snprintf(text, sizeof(text),
	    "GET /hello HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", 16384 - 37, 0);
	assert_int_equal(n, 16384);
	fd = peer_connect(rig.port);
	peer_ask(fd, text, 200);
	peer_ask(fd, NEXT, 200);
	(void)close(fd);
	n = snprintf(text, sizeof(text),
	    "GET /hello HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", 16385 - 37, 0);
	assert_int_equal(n, 16385);
	assert_refused(text, "", 431);
}

/* A pipelined head that ends where the buffer does: its body needs room. */
static void
body_behind_a_full_buffer(void **state)
{
	char *text = malloc(30000);
	size_t cap = 16384 + 4096; /* of the input buffer */
	int fd = peer_connect(rig.port);
	struct reply r;
	size_t n;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, 30000,
	    "GET /hello HTTP/1.1\r\nHost: a\r\nX: %015000d\r\n\r\n" PUT
	    "Content-Length: 5\r\nX: ",
	    0);
	n += (size_t)snprintf(
	    text + n, 30000 - n, "%0*d\r\n\r\n", (int)(cap - n - 4), 0);
	assert_int_equal(n, cap);
	memcpy(text + n, "abcde", 5);
	peer_send_bytes(fd, text, n + 5);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "abcde");
	reply_done(&r);
	(void)close(fd);
	free(text);
}

/* A request behind a refused one is not looked at. */
static void
nothing_behind_a_refusal(void **state)
{
	(void)state;
	assert_refused(PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
			   "\r\n0\r\n\r\n",
	    NEXT NEXT, 400);
	assert_int_equal(rig.n_called, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(bodies),
		TEST(body_byte_by_byte),
		TEST(largest_body),
		TEST(expect_100),
		TEST(refused_bodies),
		TEST(refused_heads),
		TEST(head_of_every_length),
		TEST(body_behind_a_full_buffer),
		TEST(nothing_behind_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
