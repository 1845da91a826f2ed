/*
 * engine.c - HTTP/1.1 clients in one epoll loop.
 */
#include "engine.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reply.h"
#include "tls.h"

#define EVENTS_MAX 256
#define TLS_PIECE (256u << 10)
#define NS 1000000000u

uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* ---- connections ---------------------------------------------------------- */

void
conn_init(struct conn *c, struct engine *e, void *owner)
{
	memset(c, 0, sizeof(*c));
	c->engine = e;
	c->owner = owner;
	c->fd = -1;
}

static void
disconnect(struct conn *c)
{
	if (c->ssl != NULL)
		tls_detach(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

void
conn_done(struct conn *c)
{
	struct linger at_once = { .l_onoff = 1 };

	if (c->fd >= 0 && c->state != CONN_ENDING)
		(void)setsockopt(
		    c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	disconnect(c);
}

static void
wait_for(struct conn *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(c->engine->epoll_fd, operation, c->fd, &event) != 0)
		err(1, "epoll_ctl");
}

static void
start_connecting(struct conn *c)
{
	struct engine *e = c->engine;
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(1, "a client needs a socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&e->peer, sizeof(e->peer)) != 0 &&
	    errno != EINPROGRESS)
		err(1, "connecting a client");
	c->state = CONN_CONNECTING;
	c->is_used = false;
	wait_for(c, EPOLL_CTL_ADD, EPOLLOUT);
}

/* The server may end a connection that idles: its request is sent on another.
 */
static void
begin_anew(struct conn *c)
{
	if (!c->is_used || c->head_n > 0)
		err(1, "the server ended a connection before the reply");
	disconnect(c);
	c->n_sent = 0;
	start_connecting(c);
}

static void
step_sending(struct conn *c)
{
	const struct request *q = c->request;
	size_t n = q->n - c->n_sent;
	const char *from = q->bytes + c->n_sent;
	ssize_t sent = c->ssl != NULL ? tls_write(c->ssl, from, n)
				      : send(c->fd, from, n, MSG_NOSIGNAL);

	if (sent < 0 && errno == EAGAIN)
		return;
	if (sent <= 0) {
		begin_anew(c);
		return;
	}
	c->n_sent += (size_t)sent;
	if (c->n_sent == q->n)
		c->state = CONN_HEAD;
}

static void
step_connecting(struct conn *c)
{
	struct engine *e = c->engine;
	int status = 0;
	socklen_t n = sizeof(status);

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &status, &n);
	if (status != 0) {
		errno = status;
		err(1, "connecting a client");
	}
	wait_for(c, EPOLL_CTL_MOD, EPOLLIN);
	e->n_connects++;
	if (e->tls != NULL)
		c->ssl = tls_attach(e->tls, c->fd, e->is_resuming);
	c->state = CONN_SENDING;
	step_sending(c);
}

void
conn_begin(struct conn *c, const struct request *q, uint64_t begun_ns)
{
	c->request = q;
	c->begun_ns = begun_ns;
	c->n_sent = 0;
	c->head_n = 0;
	if (c->fd < 0) {
		start_connecting(c);
		return;
	}
	c->state = CONN_SENDING;
	step_sending(c);
}

/* ---- replies -------------------------------------------------------------- */

static void
finish(struct conn *c)
{
	struct engine *e = c->engine;

	e->n_replies++;
	if (c->ssl != NULL && !c->is_used)
		e->n_resumed += (uint64_t)SSL_session_reused(c->ssl);
	histogram_add(&e->whole, now_ns() - c->begun_ns);
	c->is_used = true;
	if (e->is_one_shot) {
		c->state = CONN_ENDING;
		return;
	}
	c->state = CONN_IDLE;
	e->done(c);
}

/* Ends the program; the request is named by its first line. */
static _Noreturn void
fail(const struct conn *c, const char *what, int64_t got, int64_t wanted)
{
	const char *line = c->request->bytes;

	errx(1, "%.*s: %s %lld, expected %lld", (int)strcspn(line, "\r"), line,
	    what, (long long)got, (long long)wanted);
}

static void
take_body(struct conn *c, int64_t n)
{
	if (n > c->left)
		fail(c, "bytes after the head:", n, c->left);
	c->left -= n;
	c->engine->n_bytes += (uint64_t)n;
	if (c->left == 0)
		finish(c);
}

static void
check_reply(const struct conn *c, const struct reply *r)
{
	if (r->status != c->request->status)
		fail(c, "status", r->status, c->request->status);
	if (r->length != c->request->length)
		fail(c, "Content-Length", r->length, c->request->length);
}

/* Something for read(2) to say. */
static ssize_t
receive(struct conn *c, void *buf, size_t n)
{
	ssize_t got =
	    c->ssl != NULL ? tls_read(c->ssl, buf, n) : recv(c->fd, buf, n, 0);

	if (got == 0 || (got < 0 && errno != EAGAIN))
		begin_anew(c);
	return got;
}

static bool
step_head(struct conn *c)
{
	struct reply r;
	ssize_t got =
	    receive(c, c->head + c->head_n, sizeof(c->head) - c->head_n);

	if (got <= 0)
		return false;
	c->head_n += (size_t)got;
	switch (reply_parse(c->head, c->head_n, &r)) {
	case 0:
		if (c->head_n == sizeof(c->head))
			errx(1, "a reply's head is longer than %d", HEAD_MAX);
		return true;
	case -1:
		errx(1, "that is no HTTP/1.1 reply: %.60s", c->head);
	default:
		break;
	}
	check_reply(c, &r);
	histogram_add(&c->engine->first_byte, now_ns() - c->begun_ns);
	c->left = c->request->is_head ? 0 : r.length;
	c->state = CONN_BODY;
	take_body(c, (int64_t)(c->head_n - r.head_n));
	return true;
}

static bool
step_body(struct conn *c)
{
	static char piece[TLS_PIECE];
	ssize_t got;

	if (c->ssl != NULL)
		got = tls_read(c->ssl, piece, sizeof(piece));
	else
		got = recv(c->fd, NULL, (size_t)c->left + 1, MSG_TRUNC);
	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0)
		fail(c, "ended early, bytes left", c->left, 0);
	take_body(c, got);
	return true;
}

/* After the one reply of a connection only its end may come. */
static void
step_ending(struct conn *c)
{
	char extra;
	ssize_t got = c->ssl != NULL ? tls_read(c->ssl, &extra, 1)
				     : recv(c->fd, &extra, 1, 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		fail(c, "bytes after the reply:", got, 0);
	disconnect(c);
	c->state = CONN_IDLE;
	c->engine->done(c);
}

/* True while there may be more to read at once: TLS buffers by itself. */
static bool
step(struct conn *c)
{
	bool is_more = false;

	switch (c->state) {
	case CONN_CONNECTING:
		step_connecting(c);
		break;
	case CONN_SENDING:
		step_sending(c);
		break;
	case CONN_HEAD:
		is_more = step_head(c);
		break;
	case CONN_BODY:
		is_more = step_body(c);
		break;
	case CONN_ENDING:
		step_ending(c);
		break;
	case CONN_IDLE: /* the server ends what it has kept open */
		disconnect(c);
		break;
	}
	return is_more && c->ssl != NULL && c->state != CONN_IDLE;
}

/* ---- the loop ------------------------------------------------------------- */

void
engine_init(struct engine *e, const char *address, const char *port)
{
	e->peer.sin_family = AF_INET;
	e->peer.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (inet_pton(AF_INET, address, &e->peer.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", address);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll_fd < 0)
		err(1, "epoll_create1");
}

void
engine_done(struct engine *e)
{
	(void)close(e->epoll_fd);
}

static int
wait_events(struct engine *e, struct epoll_event *events, uint64_t until_ns)
{
	uint64_t now = until_ns == WHENEVER ? 0 : now_ns();
	uint64_t wait = until_ns > now ? until_ns - now : 0;
	struct timespec t = { .tv_sec = (time_t)(wait / NS),
		.tv_nsec = (long)(wait % NS) };

	return epoll_pwait2(e->epoll_fd, events, EVENTS_MAX,
	    until_ns == WHENEVER ? NULL : &t, NULL);
}

void
engine_step(struct engine *e, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int i, n = wait_events(e, events, until_ns);

	if (n < 0 && errno != EINTR)
		err(1, "epoll_pwait2");
	for (i = 0; i < n; i++)
		while (step(events[i].data.ptr))
			continue;
}

void
engine_forget(struct engine *e)
{
	e->n_replies = e->n_bytes = e->n_connects = e->n_resumed = 0;
	memset(&e->first_byte, 0, sizeof(e->first_byte));
	memset(&e->whole, 0, sizeof(e->whole));
}

void
engine_print(const struct engine *e)
{
	printf("\"replies\": %llu, \"bytes\": %llu, \"connects\": %llu, "
	       "\"resumed\": %llu, \"first_byte_us\": ",
	    (unsigned long long)e->n_replies, (unsigned long long)e->n_bytes,
	    (unsigned long long)e->n_connects,
	    (unsigned long long)e->n_resumed);
	histogram_print(&e->first_byte);
	printf(", \"whole_us\": ");
	histogram_print(&e->whole);
}
