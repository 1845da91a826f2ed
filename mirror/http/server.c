/*
 * server.c - accepts connections, keeps them, drains.
 *
 * What can't be done inside somebody's callback (running a connection that was
 * answered, draining) waits for the wake-up event, which the loop runs before
 * it sleeps again.
 *
 *	drain: NO --> ASKED --> RUNS --> TOLD
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"
#include "http_int.h"
#include "loop/loop.h"

#define ACCEPT_MAX 64 /* in one go */
#define PAUSE_MS 100
#define TURN_AWAY_READS 64 /* of 512 bytes: more than a head has */
#define ID_BITS 40         /* request ids: the server's number above them */

/* ---- accepting ---------------------------------------------------------- */

/* An IPv4 client of a dual-stack socket is an IPv4 client. */
static void
unmap(union peer *peer)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	if (peer->sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr))
		return;
	in4.sin_port = peer->in6.sin6_port;
	memcpy(&in4.sin_addr, &peer->in6.sin6_addr.s6_addr[12],
	    sizeof(in4.sin_addr));
	peer->in4 = in4;
}

/* Says 503 to who speaks plain HTTP, and takes what he sent already: closing
 * over it would send a RST in place of the answer. */
static void
turn_away(struct http_server *s, int fd, const char *reason)
{
	static const char body[] =
	    "{\"errors\":[{\"code\":\"UNAVAILABLE\","
	    "\"message\":\"too many connections, try again later\"}]}\n";
	char text[512];
	unsigned n_reads = 0;
	int n;

	metric_count1(M_connections_refused_total, reason, 1);
	n = snprintf(text, sizeof(text),
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
	    sizeof(body) - 1, body);
	check(n > 0 && (size_t)n < sizeof(text));
	if (s->spec.tls == NULL) {
		(void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
		while (n_reads++ < TURN_AWAY_READS &&
		    recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
			;
	}
	(void)close(fd);
}

static void
admit(struct http_server *s, int fd, union peer *peer)
{
	bool is_counted;

	unmap(peer);
	switch (quota_take(s->spec.quota, peer, &s->spec.limits, &is_counted)) {
	case QUOTA_YES:
		conn_open(s, fd, peer, is_counted);
		return;
	case QUOTA_ALL:
		turn_away(s, fd, "connections");
		return;
	case QUOTA_ADDRESS:
		turn_away(s, fd, "connections_per_address");
		return;
	}
}

/* Out of descriptors or memory: what waits in the queue can wait longer. */
static void
pause_accepting(struct http_server *s)
{
	if (!s->is_starved)
		log_warn("connections wait to be accepted",
		    LOG_Z("error", strerror(errno)),
		    LOG_U64("connections", s->n_conns));
	s->is_starved = true;
	(void)event_del(&s->on_accept);
	timer_set(&s->pause, PAUSE_MS);
}

/* Returns false when the queue is empty, or can't be taken from now. */
static bool
accept_one(struct http_server *s)
{
	union peer peer;
	socklen_t len = sizeof(peer);
	int fd;

	fd = accept4(
	    s->spec.listen_fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		s->is_starved = false;
		admit(s, fd, &peer);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(s);
		return false;
	default:
		return true; /* that one is gone already */
	}
}

/* As many as the last time found, and twice that when there were more: asking
 * an empty queue costs as much as taking one from it. */
static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	unsigned n = 0;

	(void)fd;
	(void)what;
	while (n < s->accept_batch && accept_one(s))
		n++;
	if (n < s->accept_batch)
		s->accept_batch = n > 0 ? n : 1;
	else if (n < ACCEPT_MAX)
		s->accept_batch = 2 * n;
}

static void
on_pause_over(void *arg)
{
	struct http_server *s = arg;

	check(event_add(&s->on_accept, NULL) == 0);
}

static void
stop_accepting(struct http_server *s)
{
	if (s->spec.listen_fd < 0)
		return;
	timer_stop(&s->pause);
	(void)event_del(&s->on_accept);
	(void)close(s->spec.listen_fd);
	s->spec.listen_fd = -1;
}

/* ---- draining ----------------------------------------------------------- */

/* Calls FN for each connection; it may free the one it was called for. */
static void
each_conn(struct http_server *s, void (*fn)(struct conn *))
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		fn(c);
	}
}

static void
conn_kill_cut(struct conn *c)
{
	conn_kill(c, END_CUT);
}

static void
conn_kill_gone(struct conn *c)
{
	conn_kill(c, END_GONE);
}

/* Last in its caller: the server may be closed in there. */
static void
drain_tell(struct http_server *s)
{
	s->drain = DRAIN_TOLD;
	timer_stop(&s->drain_timer);
	s->drained(s->drained_arg);
}

static void
on_drain_timeout(void *arg)
{
	struct http_server *s = arg;

	each_conn(s, conn_kill_cut);
	drain_tell(s);
}

static void
drain_begin(struct http_server *s)
{
	s->drain = DRAIN_RUNS;
	while (accept_one(s))
		;
	stop_accepting(s);
	timer_set(&s->drain_timer, s->spec.limits.drain_ms);
	each_conn(s, conn_drain);
}

void
http_server_drain(struct http_server *s, void (*done)(void *arg), void *arg)
{
	check(s->drain == DRAIN_NO);
	s->drain = DRAIN_ASKED;
	s->drained = done;
	s->drained_arg = arg;
	server_wake(s);
}

/* ---- the wake-up -------------------------------------------------------- */

void
server_wake(struct http_server *s)
{
	event_active(&s->on_wake, 0, 0);
}

static void
unwake(struct http_server *s, struct conn *c)
{
	if (!c->is_woken)
		return;
	c->is_woken = false;
	TAILQ_REMOVE(&s->woken, c, woken);
	s->n_woken--;
}

static void
on_woken(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	size_t n = s->n_woken; /* those woken meanwhile wait for the next */
	struct conn *c;

	(void)fd;
	(void)what;
	if (s->drain == DRAIN_ASKED)
		drain_begin(s);
	for (; n > 0 && (c = TAILQ_FIRST(&s->woken)) != NULL; n--) {
		unwake(s, c);
		conn_run(c);
	}
	if (s->n_woken > 0)
		server_wake(s);
	if (s->drain == DRAIN_RUNS && s->n_conns == 0)
		drain_tell(s);
}

void
server_forget(struct http_server *s, struct conn *c)
{
	unwake(s, c);
	TAILQ_REMOVE(&s->conns, c, link);
	s->n_conns--;
	metric_add(s->m_connections, -1);
	if (s->drain == DRAIN_RUNS && s->n_conns == 0)
		server_wake(s);
}

struct str
server_date(struct http_server *s)
{
	int64_t now = clock_wall_s();
	char text[CLOCK_TEXT_MAX];
	int n;

	if (now != s->date_s) {
		n = snprintf(s->date, sizeof(s->date), "Date: %s\r\n",
		    clock_http_date(now, text));
		check(n > 0 && (size_t)n < sizeof(s->date));
		s->date_n = (size_t)n;
		s->date_s = now;
	}
	return (struct str){ s->date, s->date_n };
}

/* ---- birth and death ---------------------------------------------------- */

static int
set_tls(struct http_server *s, struct tls_context *tls)
{
	struct tls_context *old = s->spec.tls;

	if (tls != NULL && s->scratch == NULL)
		s->scratch = malloc(SCRATCH_BYTES);
	if (tls != NULL && s->scratch == NULL)
		return -1;
	s->spec.tls = tls != NULL ? tls_context_ref(tls) : NULL;
	tls_context_unref(old);
	return 0;
}

static void
server_init(struct http_server *s, const struct http_spec *spec)
{
	static atomic_uint_fast64_t n_servers;
	struct event_base *base = loop_base(spec->loop);
	int one = 1;

	s->spec = *spec;
	s->spec.tls = NULL;
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->woken);
	SLIST_INIT(&s->turns);
	s->next_id = (uint64_t)atomic_fetch_add(&n_servers, 1) << ID_BITS;
	s->accept_batch = 1;
	s->m_connections = metric_get(M_connections);
	s->m_accepted = metric_get(M_connections_total);
	timer_init(&s->pause, spec->loop, on_pause_over, s);
	timer_init(&s->drain_timer, spec->loop, on_drain_timeout, s);
	check(event_assign(&s->on_wake, base, -1, 0, on_woken, s) == 0);
	check(event_assign(&s->on_accept, base, spec->listen_fd,
		  EV_READ | EV_PERSIST, on_acceptable, s) == 0);
	/* Accepted sockets inherit it; our writes are whole as they are. */
	(void)setsockopt(
	    spec->listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

struct http_server *
http_server_open(const struct http_spec *spec, struct err *err)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		(void)close(spec->listen_fd);
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for an HTTP server");
		return NULL;
	}
	server_init(s, spec);
	if (set_tls(s, spec->tls) != 0 || event_add(&s->on_accept, NULL) != 0) {
		http_server_close(s);
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for an HTTP server");
		return NULL;
	}
	return s;
}

void
http_server_set(struct http_server *s, const struct config_limits *limits,
    struct tls_context *tls)
{
	s->spec.limits = *limits;
	if (set_tls(s, tls) != 0)
		log_error("out of memory: the old TLS certificate stays");
}

void
http_server_close(struct http_server *s)
{
	struct turn *t;

	if (s == NULL)
		return;
	each_conn(s, conn_kill_gone);
	stop_accepting(s);
	timer_stop(&s->drain_timer);
	(void)event_del(&s->on_wake);
	while ((t = SLIST_FIRST(&s->turns)) != NULL) {
		SLIST_REMOVE_HEAD(&s->turns, link);
		free(t);
	}
	tls_context_unref(s->spec.tls);
	free(s->scratch);
	free(s);
}

size_t
http_server_connections(const struct http_server *s)
{
	return s->n_conns;
}
