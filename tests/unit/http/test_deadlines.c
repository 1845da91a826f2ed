/*
 * test_deadlines.c - clients that are slow, silent or too many.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "peer.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define SHORT_MS 100
#define HEAD_MS 500 /* a busy machine gets a whole head through in it */

static struct rig rig;

static int
tear_down(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static int64_t
refused(const char *reason)
{
	return metric_value(metric_cell(
	    M_http_requests_refused_total, (const char *[]){ reason }));
}

/* A byte every 10 ms until the server has had enough. */
static void
trickle(int fd, const char *text)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (; *text != '\0'; text++) {
		peer_send_bytes(fd, text, 1);
		if (poll(&p, 1, 10) > 0)
			return;
	}
	fail_msg("the server waited for all of it");
}

static void
slow_head(void **state)
{
	uint64_t began = clock_mono_us();
	struct reply r;
	int fd;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.head_timeout_ms = HEAD_MS;
	rig_open(&rig);
	fd = peer_connect(rig.port);
	trickle(fd,
	    "GET /hello HTTP/1.1\r\nX-Long: 0123456789012345678901234567890"
	    "12345678901234567890123456789\r\nX-Long: 0123456789012345678901"
	    "2345678901234567890123456789\r\n");
	peer_reply(fd, &r);
	assert_int_equal(r.status, 408);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	assert_true(clock_mono_us() - began >= HEAD_MS * 1000u);
	assert_int_equal(refused("timeout"), 1);
	assert_int_equal(rig.n_called, 0);
	(void)close(fd);
	/* The second head of a connection is timed as well. */
	fd = peer_connect(rig.port);
	peer_ask(fd, GET("/hello") "GET /", 200);
	peer_reply(fd, &r);
	assert_int_equal(r.status, 408);
	reply_done(&r);
	(void)close(fd);
}

/* A connection on which nothing ever comes is closed without a word. */
static void
silent(void **state)
{
	struct buf out;
	int fd;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.head_timeout_ms = SHORT_MS;
	rig_open(&rig);
	buf_init(&out, 1u << 16);
	fd = peer_connect(rig.port);
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_int_equal(out.n, 0);
	(void)close(fd);
	buf_done(&out);
}

static void
idle(void **state)
{
	uint64_t began;
	int fd;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.idle_timeout_ms = SHORT_MS;
	rig_open(&rig);
	fd = peer_connect(rig.port);
	began = clock_mono_us();
	peer_ask(fd, GET("/hello"), 200);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	assert_true(clock_mono_us() - began >= (SHORT_MS - 10) * 1000u);
	assert_int_equal(refused("timeout"), 0);
	(void)close(fd);
}

static void
slow_body(void **state)
{
	struct reply r;
	int fd;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.idle_timeout_ms = SHORT_MS;
	rig_open(&rig);
	fd = peer_connect(rig.port);
	peer_send(fd,
	    "PUT /echo HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 100\r\n\r\n");
	trickle(fd,
	    "0123456789012345678901234567890123456789012345678901234567890");
	peer_reply(fd, &r);
	assert_int_equal(r.status, 408);
	reply_done(&r);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	assert_int_equal(rig.n_called, 0);
	(void)close(fd);
}

static void
client_that_does_not_read(void **state)
{
	int fd;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.idle_timeout_ms = SHORT_MS;
	rig_open(&rig);
	fd = peer_connect_narrow(rig.port);
	peer_send(fd, GET("/file"));
	rig_wait_ended(&rig, 1);
	assert_int_equal(rig_ended_as(&rig, END_GONE), 1);
	assert_true(rig.body_sent < RIG_FILE_BYTES);
	rig_wait_connections(&rig, 0);
	(void)close(fd);
}

static void
answer(struct rig *r)
{
	reply_text(r->held, 200, "text/plain", STR("late\n"));
}

/* Handlers may take longer than any timeout of ours. */
static void
handler_that_takes_long(void **state)
{
	struct pollfd p = { .events = POLLIN };

	(void)state;
	rig_init(&rig);
	rig.spec.limits.idle_timeout_ms = 20;
	rig.spec.limits.head_timeout_ms = HEAD_MS;
	rig_open(&rig);
	p.fd = peer_connect(rig.port);
	peer_send(p.fd, GET("/late"));
	rig_wait_called(&rig, 1);
	assert_int_equal(poll(&p, 1, HEAD_MS + SHORT_MS), 0);
	rig_call(&rig, answer);
	assert_int_equal(poll(&p, 1, 60000), 1);
	(void)close(p.fd);
}

static void
see_cpu(struct rig *r)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	r->position =
	    (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
answer_with_part(struct rig *r)
{
	reply_start(r->held, 200);
	reply_file(r->held, shared_fd_ref(r->file), 0, RIG_FILE_BYTES,
	    RIG_FILE_BYTES - 1);
}

static void
drink(int fd)
{
	char *bytes = malloc(RIG_FILE_BYTES);
	struct reply r;

	assert_non_null(bytes);
	peer_head(fd, &r);
	peer_read(fd, bytes, RIG_FILE_BYTES - 1);
	free(bytes);
}

/* MORE bytes come behind the request, or an end. */
static void
wait_on_late_reply(size_t more, bool is_end)
{
	char *bytes = calloc(1, more + 1);
	struct pollfd p = { .events = 0 };
	uint64_t before;

	assert_non_null(bytes);
	rig_init(&rig);
	rig_open(&rig);
	p.fd = peer_connect_narrow(rig.port);
	peer_send(p.fd, GET("/late"));
	peer_send_bytes(p.fd, bytes, more);
	if (is_end)
		(void)shutdown(p.fd, SHUT_WR);
	rig_wait_called(&rig, 1);
	rig_call(&rig, answer_with_part);
	drink(p.fd);
	rig_call(&rig, see_cpu);
	before = rig.position;
	assert_int_equal(poll(&p, 1, 2 * SHORT_MS), 0);
	rig_call(&rig, see_cpu);
	assert_true(rig.position - before < SHORT_MS * 1000u);
	(void)close(p.fd);
	free(bytes);
}

/* The loop sleeps while a reply waits, also when the client was slow before,
 * sent more than we keep, or closed its side. */
static void
waiting_costs_nothing(void **state)
{
	(void)state;
	wait_on_late_reply(0, false);
	rig_close(&rig);
	wait_on_late_reply(50000, false);
	rig_close(&rig);
	wait_on_late_reply(0, true);
}

/* ---- ceilings ----------------------------------------------------------- */

/* The 503 arrives, or the connection is just closed. */
static void
assert_turned_away(void)
{
	struct buf out;
	int fd = peer_connect(rig.port);

	buf_init(&out, 1u << 16);
	(void)peer_until_end(fd, &out);
	assert_true(out.n > 13);
	assert_memory_equal(out.p, "HTTP/1.1 503 ", 13);
	assert_non_null(memmem(out.p, out.n, "Connection: close\r\n", 19));
	(void)close(fd);
	buf_done(&out);
}

static void
ceiling_in_all(void **state)
{
	int a, b;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.connections = 2;
	rig_open(&rig);
	a = peer_connect(rig.port);
	b = peer_connect(rig.port);
	peer_ask(a, GET("/hello"), 200);
	peer_ask(b, GET("/hello"), 200);
	assert_turned_away();
	assert_turned_away();
	assert_int_equal(metric_value(metric_cell(M_connections_refused_total,
			     (const char *[]){ "connections" })),
	    2);
	(void)close(a);
	rig_wait_connections(&rig, 1);
	a = peer_connect(rig.port);
	peer_ask(a, GET("/hello"), 200);
	(void)close(a);
	(void)close(b);
	rig_wait_connections(&rig, 0);
}

/* Takes every descriptor there is below N; returns how many. */
static size_t
take_descriptors(int *taken, size_t max)
{
	size_t n = 0;

	while (n < max && (taken[n] = dup(0)) >= 0)
		n++;
	assert_int_equal(errno, EMFILE);
	return n;
}

/* Out of descriptors: connections wait, and are accepted when there are some
 * again. */
static void
out_of_descriptors(void **state)
{
	struct rlimit before, low;
	struct pollfd queue = { .events = POLLIN };
	int taken[1024];
	size_t n;
	int fd;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	fd = peer_connect(rig.port);
	peer_ask(fd, GET("/hello"), 200);
	(void)close(fd);
	rig_wait_connections(&rig, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	n = take_descriptors(taken, 1024);
	(void)close(taken[--n]);
	fd = peer_connect(rig.port); /* has the last one */
	peer_send(fd, GET("/hello"));
	queue.fd = rig.spec.listen_fd;
	assert_int_equal(poll(&queue, 1, 60000), 1);
	rig_call(&rig, see_cpu);
	assert_int_equal(metric_value(metric_get(M_connections)), 0);
	while (n > 0)
		(void)close(taken[--n]);
	peer_ask(fd, "", 200);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	(void)close(fd);
}

static int
connect_from(uint32_t host)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(host) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)rig.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void
ceiling_by_address(void **state)
{
	int a, b, other;

	(void)state;
	rig_init(&rig);
	rig.spec.limits.connections_per_address = 2;
	rig_open(&rig);
	a = peer_connect(rig.port);
	b = peer_connect(rig.port);
	peer_ask(a, GET("/hello"), 200);
	peer_ask(b, GET("/hello"), 200);
	assert_turned_away();
	other = connect_from(INADDR_LOOPBACK + 1);
	peer_ask(other, GET("/hello"), 200);
	assert_int_equal(metric_value(metric_cell(M_connections_refused_total,
			     (const char *[]){ "connections_per_address" })),
	    1);
	(void)close(a);
	rig_wait_connections(&rig, 2);
	a = peer_connect(rig.port);
	peer_ask(a, GET("/hello"), 200);
	(void)close(a);
	(void)close(b);
	(void)close(other);
	rig_wait_connections(&rig, 0);
}

static void
set_limits(struct rig *r)
{
	struct config_limits limits = r->spec.limits;

	limits.head_bytes = 1024;
	limits.connections_per_address = 1;
	http_server_set(r->server, &limits, NULL);
}

/* New limits are for connections and requests from now on. */
static void
reload(void **state)
{
	char head[4096] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: ";
	int fd, other;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	memset(head + strlen(head), 'x', 2000);
	(void)strncat(head, "\r\n\r\n", 5);
	fd = peer_connect(rig.port);
	peer_ask(fd, head, 200);
	rig_call(&rig, set_limits);
	other = peer_connect(rig.port); /* the first was not counted */
	peer_ask(other, GET("/hello"), 200);
	assert_turned_away();
	peer_ask(fd, head, 431);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	(void)close(other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(slow_head),
		TEST(silent),
		TEST(idle),
		TEST(slow_body),
		TEST(client_that_does_not_read),
		TEST(handler_that_takes_long),
		TEST(waiting_costs_nothing),
		TEST(out_of_descriptors),
		TEST(ceiling_in_all),
		TEST(ceiling_by_address),
		TEST(reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
