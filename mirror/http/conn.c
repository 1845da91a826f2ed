/*
 * conn.c - a connection, as an object with states.
 *
 *	HELLO --> IDLE <--> HEAD --> BODY --> HANDLE --> REPLY --> (next HEAD)
 *	  |                  |        |          |         |
 *	  +------------------+--------+----------+---------+--> LINGER
 *	                                                          |
 *	                                                          v
 *	                                                        CLOSED
 *
 *	HELLO   TLS handshake; waits for the client
 *	IDLE    between requests: holds no turn
 *	HEAD    part of a head is in; waits for the client
 *	BODY    a request body is gathered; waits for the client
 *	HANDLE  waits for the handler's reply
 *	REPLY   waits until the client reads, the handler allows more, or a disk
 *	LINGER  our side is shut; waits for the client's end, so that closing
 *	        sends no RST that would take our last bytes back
 *
 * Callbacks note what happened and call conn_run(), the only place that runs
 * steps and that frees.  Reading is level triggered and asked for only while
 * nothing is known to be there (may_read), so bytes that come during a reply
 * are kept while there is room, and pipelined requests are a loop.
 *
 * A client that closes its side still gets its reply: some tools half-close
 * after the request, and a FIN does not tell which it was.  A client that left
 * is noticed by its RST or by the failing write.
 *
 * One deadline, by state: the head's from its first byte (or from accept), the
 * body's from its head, a stalled client's from its last progress, an idle
 * one's from its last reply.  The timer is set only when the deadline comes
 * before it, and looks again when it fires early.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"
#include "http_int.h"
#include "loop/loop.h"

#define NEVER UINT64_MAX
#define RUN_REQUESTS_MAX 64        /* pipelined, until others have a turn */
#define RUN_BYTES_MAX (512u << 10) /* of file: others wait meanwhile */
#define BODY_ROOM_MIN 1024         /* input kept free for a body to pass */
#define LINGER_MS 5000
#define LINGER_BYTES_MAX (1u << 20)
#define SINK_BYTES (16u << 10)
#define DRAIN_FRESH_MS 1000 /* for the first request of a new connection */
#define TLS_RECORD_HANDSHAKE 0x16

enum step { STEP_AGAIN, STEP_WAIT };

static enum step step_hello(struct conn *);
static enum step step_idle(struct conn *);
static enum step step_head(struct conn *);
static enum step step_body(struct conn *);
static enum step step_handle(struct conn *);
static enum step step_reply(struct conn *);
static enum step step_linger(struct conn *);
static enum step step_closed(struct conn *);

/* clang-format off */
#define TO(s) (1u << CONN_##s)
static const struct {
	const char *name;
	enum step (*step)(struct conn *);
	unsigned next; /* states it may lead to */
} states[] = {
	[CONN_HELLO]  = { "hello",  step_hello,  TO(IDLE) | TO(REPLY) | TO(LINGER) | TO(CLOSED) },
	[CONN_IDLE]   = { "idle",   step_idle,   TO(HEAD) | TO(CLOSED) },
	[CONN_HEAD]   = { "head",   step_head,   TO(IDLE) | TO(BODY) | TO(HANDLE) | TO(REPLY) | TO(CLOSED) },
	[CONN_BODY]   = { "body",   step_body,   TO(HANDLE) | TO(REPLY) | TO(CLOSED) },
	[CONN_HANDLE] = { "handle", step_handle, TO(REPLY) | TO(CLOSED) },
	[CONN_REPLY]  = { "reply",  step_reply,  TO(IDLE) | TO(HEAD) | TO(LINGER) | TO(CLOSED) },
	[CONN_LINGER] = { "linger", step_linger, TO(CLOSED) },
	[CONN_CLOSED] = { "closed", step_closed, 0 },
};
#undef TO
/* clang-format on */

/* The only place that writes c->state. */
static enum step
conn_move(struct conn *c, enum conn_state to)
{
	check(states[c->state].next & (1u << to));
	log_debug("connection", LOG_Z("peer", c->peer_text),
	    LOG_Z("from", states[c->state].name), LOG_Z("to", states[to].name));
	c->state = to;
	return STEP_AGAIN;
}

/* ---- deadlines ---------------------------------------------------------- */

static const struct config_limits *
limits(const struct conn *c)
{
	return &c->server->spec.limits;
}

static void
set_deadline(struct conn *c, uint64_t ms)
{
	c->deadline = loop_now_ms(c->server->spec.loop) + ms;
	if (c->deadline >= c->armed_for)
		return;
	c->armed_for = c->deadline;
	timer_set(&c->timer, ms);
}

/* ---- ends of a turn ----------------------------------------------------- */

static void
drop_turn(struct conn *c, enum exchange_end how)
{
	if (c->turn == NULL)
		return;
	turn_end(c->turn, how);
	turn_give(c->turn);
	c->turn = NULL;
}

static enum step
conn_close(struct conn *c)
{
	drop_turn(c, END_GONE);
	return conn_move(c, CONN_CLOSED);
}

static enum step
conn_linger(struct conn *c, enum exchange_end how)
{
	drop_turn(c, how);
	c->io.ops->shut(&c->io);
	c->is_blocked = false;
	if (c->is_eof)
		return conn_move(c, CONN_CLOSED);
	set_deadline(c, LINGER_MS);
	return conn_move(c, CONN_LINGER);
}

static enum step
conn_refuse(struct conn *c, int status, const char *text)
{
	reply_refusal(c->turn, status, text);
	c->deadline = NEVER;
	return conn_move(c, CONN_REPLY);
}

/* A client that asked for the end sends nothing behind that request (RFC 9112,
 * section 9.6): once all of it was read, closing sends no RST, and saves asking.
 * Of a request that was refused, the body may still be on its way. */
static bool
may_close_now(const struct conn *c)
{
	const struct turn *t = c->turn;

	return t->is_called && t->x.request.is_last && t->start == t->n &&
	    !c->may_read && c->io.ssl == NULL;
}

/* The reply went out whole. */
static enum step
conn_next(struct conn *c)
{
	struct turn *t = c->turn;

	if (t->closes && may_close_now(c)) {
		drop_turn(c, END_SENT);
		return conn_move(c, CONN_CLOSED);
	}
	if (t->closes)
		return conn_linger(c, END_SENT);
	c->n_run++;
	set_deadline(c, limits(c)->idle_timeout_ms);
	if (t->start == t->n && !c->may_read && !c->is_eof) {
		drop_turn(c, END_SENT);
		return conn_move(c, CONN_IDLE);
	}
	turn_end(t, END_SENT);
	if (t->start == t->n || t->cap - t->n < BODY_ROOM_MIN)
		turn_compact(t);
	turn_reset(t);
	return conn_move(c, CONN_HEAD);
}

/* ---- reading ------------------------------------------------------------ */

/* Into the turn's input, which has room. */
static ssize_t
conn_recv(struct conn *c)
{
	struct turn *t = c->turn;
	size_t room = t->cap - t->n;
	ssize_t n;

	check(room > 0);
	n = c->io.ops->recv(&c->io, t->input + t->n, room);
	if (n < (ssize_t)room)
		c->may_read = false;
	if (n == IO_END)
		c->is_eof = true;
	if (n <= 0)
		return n;
	if (memchr(t->input + t->n, '\n', (size_t)n) != NULL)
		t->has_line = true;
	t->n += (size_t)n;
	return n;
}

/* What comes while a reply is awaited or sent is kept for later.  False when
 * the client is gone. */
static bool
conn_overhear(struct conn *c)
{
	if (!c->may_read || c->turn->n == c->turn->cap)
		return true;
	return conn_recv(c) != IO_GONE;
}

/* ---- states ------------------------------------------------------------- */

static enum step
hello_failed(struct conn *c)
{
	metric_count1(M_http_requests_refused_total, "tls", 1);
	return conn_linger(c, END_GONE); /* it reads our alert */
}

static enum step
hello_is_plain(struct conn *c)
{
	c->io.ops->done(&c->io);
	c->io.ops = &plain_ops;
	c->turn = turn_take(c);
	if (c->turn == NULL)
		return conn_close(c);
	return conn_refuse(c, 400, "this port speaks TLS: use https, not http");
}

static enum step
step_hello(struct conn *c)
{
	enum hello hello = tls_io_hello(&c->io);

	c->may_read = false;
	c->is_blocked = hello == HELLO_WANTS_WRITE;
	switch (hello) {
	case HELLO_WANTS_READ:
	case HELLO_WANTS_WRITE:
		return STEP_WAIT;
	case HELLO_IS_PLAIN:
		return hello_is_plain(c);
	case HELLO_FAILED:
		return hello_failed(c);
	case HELLO_DONE:
		break;
	}
	c->has_certificate = tls_io_has_certificate(&c->io);
	c->client_name = tls_io_client_name(&c->io);
	c->may_read = true; /* OpenSSL may have the request already */
	set_deadline(c, limits(c)->head_timeout_ms);
	return conn_move(c, CONN_IDLE);
}

static enum step
step_idle(struct conn *c)
{
	if (c->is_eof)
		return conn_close(c);
	if (c->may_read) {
		c->turn = turn_take(c);
		return c->turn == NULL ? conn_close(c)
				       : conn_move(c, CONN_HEAD);
	}
	if (c->is_used && c->server->drain != DRAIN_NO)
		return conn_close(c);
	return STEP_WAIT;
}

/* The handler may answer before this returns. */
static enum step
conn_call(struct conn *c)
{
	struct http_spec *spec = &c->server->spec;

	c->deadline = NEVER;
	(void)conn_move(c, CONN_HANDLE);
	c->turn->is_called = true;
	spec->handler(&c->turn->x, spec->arg);
	return STEP_AGAIN;
}

/* A client that waits for leave to send its body.  Our side of the connection
 * is at rest, so that the line goes out whole or not at all; without it the
 * client sends after a while by itself. */
static bool
conn_continue(struct conn *c)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct http_request *r = &c->turn->x.request;
	struct iovec iov = { (void *)line, sizeof(line) - 1 };
	ssize_t n;

	if (r->minor == 0 || c->turn->start < c->turn->n ||
	    !str_ieq(r->header[HTTP_EXPECT_HEADER], STR("100-continue")))
		return true;
	n = c->io.ops->send(&c->io, &iov, 1, false);
	return n == IO_AGAIN || n == (ssize_t)iov.iov_len;
}

static enum step
head_is_in(struct conn *c, size_t n)
{
	struct turn *t = c->turn;
	const struct http_request *r = &t->x.request;

	t->start += n;
	t->head_end = t->start;
	t->x.id = ++c->server->next_id;
	t->x.started_us = clock_mono_us();
	c->is_used = true;
	if (r->content_length == 0 && !r->is_chunked)
		return conn_call(c);
	if (r->content_length > c->server->spec.body_max)
		return conn_refuse(c, 413, "the body is too large");
	body_init(&t->body, r, c->server->spec.body_max);
	set_deadline(c, limits(c)->idle_timeout_ms);
	if (!conn_continue(c))
		return conn_close(c);
	return conn_move(c, CONN_BODY);
}

/* There is no head yet, nor anything to read. */
static enum step
head_is_awaited(struct conn *c)
{
	struct turn *t = c->turn;

	if (c->is_eof)
		return conn_close(c);
	if (t->start == t->n) {
		drop_turn(c, END_GONE);
		return conn_move(c, CONN_IDLE);
	}
	if (!t->is_timed)
		set_deadline(c, limits(c)->head_timeout_ms);
	t->is_timed = true;
	return STEP_WAIT;
}

static enum step
head_is_too_large(struct conn *c)
{
	struct turn *t = c->turn;

	if (memchr(t->input + t->start, '\n', t->n - t->start) == NULL)
		return conn_refuse(c, 414, "the target is too long");
	return conn_refuse(c, 431, "the headers are too large");
}

/* Does a TLS client take us for a TLS server? */
static bool
is_tls_hello(const struct conn *c)
{
	const struct turn *t = c->turn;

	return c->io.ssl == NULL && !c->is_used && t->n > t->start &&
	    t->input[t->start] == TLS_RECORD_HANDSHAKE;
}

/* Of a turn from before a reload, too. */
static size_t
head_max(const struct conn *c)
{
	size_t room = c->turn->cap - INPUT_SLACK_BYTES;

	return limits(c)->head_bytes < room ? limits(c)->head_bytes : room;
}

static enum step
step_head(struct conn *c)
{
	struct turn *t = c->turn;
	struct http_refusal why;
	long n = 0;

	if (is_tls_hello(c))
		return conn_refuse(
		    c, 400, "this port speaks plain HTTP, not TLS");
	if (t->has_line)
		n = http_parse_head(t->input + t->start, t->n - t->start,
		    &t->x.arena, &t->x.request, &why);
	t->has_line = false;
	if (n < 0)
		return conn_refuse(c, why.status, why.text);
	if ((n > 0 ? (size_t)n : t->n - t->start) > head_max(c))
		return head_is_too_large(c);
	if (n > 0)
		return head_is_in(c, (size_t)n);
	if (!c->may_read)
		return head_is_awaited(c);
	arena_reset(&t->x.arena);
	turn_compact(t);
	return conn_recv(c) == IO_GONE ? conn_close(c) : STEP_AGAIN;
}

static enum step
step_body(struct conn *c)
{
	struct turn *t = c->turn;
	size_t eaten;

	switch (body_eat(&t->body,
	    (struct str){ t->input + t->start, t->n - t->start }, &eaten)) {
	case BODY_DONE:
		t->start += eaten;
		t->x.request.body = buf_str(&t->body.bytes);
		return conn_call(c);
	case BODY_BAD:
		return conn_refuse(c, 400, "the body's chunks are broken");
	case BODY_TOO_LARGE:
		return conn_refuse(c, 413, "the body is too large");
	case BODY_MORE:
		break;
	}
	t->start = t->head_end;
	t->n = t->head_end;
	if (c->is_eof)
		return conn_close(c);
	if (!c->may_read)
		return STEP_WAIT;
	return conn_recv(c) == IO_GONE ? conn_close(c) : STEP_AGAIN;
}

static enum step
step_handle(struct conn *c)
{
	if (c->turn->reply >= REPLY_BODY)
		return conn_move(c, CONN_REPLY);
	return conn_overhear(c) ? STEP_WAIT : conn_close(c);
}

/* The client reads too slowly, or has had enough for now. */
static enum step
reply_is_blocked(struct conn *c, bool has_progress)
{
	c->is_blocked = true;
	if (has_progress || c->deadline == NEVER)
		set_deadline(c, limits(c)->idle_timeout_ms);
	return STEP_WAIT;
}

static enum step
step_reply(struct conn *c)
{
	struct turn *t = c->turn;
	uint64_t before = t->sent + t->position;
	uint64_t budget = RUN_BYTES_MAX;

	if (t->reply == REPLY_CUT)
		return conn_linger(c, END_CUT);
	if (!conn_overhear(c))
		return conn_close(c);
	c->is_blocked = false;
	switch (turn_send(t, &budget)) {
	case SENT_ALL:
		return conn_next(c);
	case SENT_WAITS:
		c->deadline = NEVER;
		return STEP_WAIT;
	case SENT_BLOCKED:
	case SENT_YIELDS:
		return reply_is_blocked(c, t->sent + t->position > before);
	case SENT_SHORT:
		return conn_linger(c, END_CUT);
	case SENT_GONE:
		break;
	}
	return conn_close(c);
}

/* Throws away what the client still sends; IO_END or IO_GONE at its end. */
static ssize_t
conn_sink(struct conn *c)
{
	char sink[SINK_BYTES];
	ssize_t n;

	do {
		n = recv(c->io.fd, sink, sizeof(sink), MSG_DONTWAIT);
		if (n > 0)
			c->lingered += (size_t)n;
	} while (n > 0 && c->lingered < LINGER_BYTES_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	return n == 0 ? IO_END : IO_GONE;
}

static enum step
step_linger(struct conn *c)
{
	c->may_read = false;
	return conn_sink(c) == IO_AGAIN ? STEP_WAIT : conn_move(c, CONN_CLOSED);
}

static enum step
step_closed(struct conn *c)
{
	(void)c;
	return STEP_WAIT;
}

/* ---- running ------------------------------------------------------------ */

static void
conn_free(struct conn *c)
{
	check(c->turn == NULL);
	(void)event_del(&c->on_read);
	(void)event_del(&c->on_write);
	timer_stop(&c->timer);
	c->io.ops->done(&c->io);
	(void)close(c->io.fd);
	quota_give(c->server->spec.quota, &c->peer, c->is_counted);
	server_forget(c->server, c);
	free(c->client_name);
	free(c);
}

static int
set_watched(struct conn *c, struct event *ev, unsigned bit, bool is_wanted)
{
	if (((c->watched & bit) != 0) == is_wanted)
		return 0;
	if (!is_wanted) {
		c->watched &= ~bit;
		return event_del(ev);
	}
	c->watched |= bit;
	return event_add(ev, NULL);
}

static int
conn_watch(struct conn *c)
{
	if (set_watched(c, &c->on_read, EV_READ, !c->may_read && !c->is_eof) !=
	    0)
		return -1;
	return set_watched(
	    c, &c->on_write, EV_WRITE, c->is_blocked || c->io.wants_write);
}

void
conn_run(struct conn *c)
{
	check(!c->is_running);
	c->is_running = true;
	c->n_run = 0;
	while (c->n_run < RUN_REQUESTS_MAX &&
	    states[c->state].step(c) == STEP_AGAIN)
		;
	if (c->state != CONN_CLOSED && conn_watch(c) != 0)
		(void)conn_close(c);
	c->is_running = false;
	if (c->state == CONN_CLOSED)
		conn_free(c);
	else if (c->n_run >= RUN_REQUESTS_MAX)
		conn_wake(c);
}

void
conn_wake(struct conn *c)
{
	if (c->is_running || c->is_woken)
		return;
	c->is_woken = true;
	TAILQ_INSERT_TAIL(&c->server->woken, c, woken);
	c->server->n_woken++;
	server_wake(c->server);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->may_read = true;
	conn_run(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->io.wants_write)
		c->may_read = true;
	conn_run(c);
}

static void
conn_expire(struct conn *c)
{
	c->deadline = NEVER;
	switch (c->state) {
	case CONN_HEAD:
		(void)conn_refuse(c, 408, "the request's head took too long");
		return;
	case CONN_BODY:
		(void)conn_refuse(c, 408, "the request's body took too long");
		return;
	case CONN_HELLO:
	case CONN_IDLE:
	case CONN_REPLY:
	case CONN_LINGER:
		(void)conn_close(c);
		return;
	case CONN_HANDLE:
	case CONN_CLOSED:
		break;
	}
	unreachable("no deadline runs in this state");
}

static void
on_timer(void *arg)
{
	struct conn *c = arg;
	uint64_t now = loop_now_ms(c->server->spec.loop);

	c->armed_for = NEVER;
	if (c->deadline == NEVER)
		return;
	if (c->deadline > now) {
		set_deadline(c, c->deadline - now);
		return;
	}
	conn_expire(c);
	conn_run(c);
}

/* ---- birth and death ---------------------------------------------------- */

static void
set_peer(struct conn *c, const union peer *peer)
{
	char host[INET6_ADDRSTRLEN] = "?";
	int n;

	c->peer = *peer;
	if (peer->sa.sa_family == AF_INET) {
		(void)inet_ntop(
		    AF_INET, &peer->in4.sin_addr, host, sizeof(host));
		n = snprintf(c->peer_text, sizeof(c->peer_text), "%s:%u", host,
		    ntohs(peer->in4.sin_port));
	} else {
		(void)inet_ntop(
		    AF_INET6, &peer->in6.sin6_addr, host, sizeof(host));
		n = snprintf(c->peer_text, sizeof(c->peer_text), "[%s]:%u",
		    host, ntohs(peer->in6.sin6_port));
	}
	check(n > 0 && (size_t)n < sizeof(c->peer_text));
	c->peer_text_n = (size_t)n;
}

static int
set_transport(struct conn *c, int fd)
{
	struct http_server *s = c->server;

	c->io.fd = fd;
	c->io.ops = &plain_ops;
	c->state = CONN_IDLE;
	if (s->spec.tls == NULL)
		return 0;
	c->state = CONN_HELLO;
	return tls_io_init(&c->io, s->spec.tls, s->scratch);
}

static int
conn_start(struct conn *c, int fd)
{
	struct event_base *base = loop_base(c->server->spec.loop);

	timer_init(&c->timer, c->server->spec.loop, on_timer, c);
	c->armed_for = NEVER;
	check(event_assign(&c->on_read, base, fd, EV_READ | EV_PERSIST,
		  on_readable, c) == 0);
	check(event_assign(&c->on_write, base, fd, EV_WRITE | EV_PERSIST,
		  on_writable, c) == 0);
	set_deadline(c, limits(c)->head_timeout_ms);
	return set_transport(c, fd);
}

void
conn_open(
    struct http_server *s, int fd, const union peer *peer, bool is_counted)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)close(fd);
		quota_give(s->spec.quota, peer, is_counted);
		return;
	}
	c->server = s;
	c->is_counted = is_counted;
	set_peer(c, peer);
	TAILQ_INSERT_TAIL(&s->conns, c, link);
	s->n_conns++;
	metric_add(s->m_connections, 1);
	metric_add(s->m_accepted, 1);
	if (conn_start(c, fd) != 0) {
		conn_free(c);
		return;
	}
	c->may_read = true; /* the request often came with the connection */
	conn_run(c);
}

void
conn_drain(struct conn *c)
{
	if (c->state != CONN_IDLE)
		return;
	if (!c->is_used)
		set_deadline(c, DRAIN_FRESH_MS);
	c->may_read = true; /* a request may have come just now */
	conn_run(c);
}

void
conn_kill(struct conn *c, enum exchange_end how)
{
	check(!c->is_running);
	drop_turn(c, how);
	if (how == END_CUT) {
		c->io.ops->shut(&c->io);
		(void)conn_sink(c);
	}
	conn_free(c);
}
