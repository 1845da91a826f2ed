/*
 * http_int.h - what the files of http/ share and nobody else sees.
 *
 *	server.c  accepts, keeps connections, drains
 *	conn.c    a connection and its states
 *	turn.c    the memory of one request and its reply
 *	reply.c   makes a reply (exchange.h)
 *	send.c    gives it to the kernel
 *	ahead.c   keeps the loop from waiting for a disk
 *	plain.c, tls_io.c   the two transports
 *	parse.c, body.c     from bytes to a request
 *
 * Threads: all of it belongs to the server's loop, but for quota.c and the
 * half of ahead.c that runs on a work thread.
 */
#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "http/exchange.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/tls.h"
#include "loop/timer.h"

/* ---- transports: plain.c, tls_io.c ------------------------------------- */

enum {
	IO_END = 0, /* recv: the peer closed its side; send_file: short file */
	IO_AGAIN = -1, /* would block */
	IO_GONE = -2,  /* reset, or an error */
};

#define SCRATCH_BYTES (64u * 1024)

struct transport;

/* Counts of bytes, or one of IO_. */
struct transport_ops {
	ssize_t (*recv)(struct transport *, void *, size_t);
	/* MORE: file bytes follow at once. */
	ssize_t (*send)(
	    struct transport *, const struct iovec *, size_t n, bool more);
	ssize_t (*send_file)(
	    struct transport *, int file, uint64_t offset, size_t n);
	/* Ends our side: the peer sees an end, and no RST. */
	void (*shut)(struct transport *);
	void (*done)(struct transport *);
};

struct transport {
	const struct transport_ops *ops;
	int fd;             /* the connection's */
	struct ssl_st *ssl; /* owned; NULL: plain */
	char *scratch;      /* borrowed: the server's, SCRATCH_BYTES */
	bool wants_write;   /* recv goes on when we may write */
	bool is_full;       /* a send_file took less than it could have */
	size_t owed; /* bytes that were not sent, and yet can't be called back:
		      * they are in a half-written record */
};

extern const struct transport_ops plain_ops;

enum hello {
	HELLO_DONE,
	HELLO_WANTS_READ,
	HELLO_WANTS_WRITE,
	HELLO_IS_PLAIN, /* the peer speaks HTTP without TLS */
	HELLO_FAILED,
};

/* Makes *io, whose fd is set, a TLS server; -1 when out of memory. */
int tls_io_init(struct transport *io, struct tls_context *, char *scratch);
enum hello tls_io_hello(struct transport *);
bool tls_io_has_certificate(const struct transport *); /* verified */
/* CN of the verified client certificate (malloc); NULL when there is none. */
char *tls_io_client_name(const struct transport *);
struct ssl_ctx_st *tls_context_ssl(struct tls_context *); /* borrowed */

/* ---- request bodies: body.c -------------------------------------------- */

enum body_state { BODY_MORE, BODY_DONE, BODY_BAD, BODY_TOO_LARGE };

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* at the start of a trailer line */
	CHUNK_TRAILER_LINE,
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_DONE,
	CHUNK_BAD,
};

struct body {
	struct buf bytes; /* decoded; its ceiling is the server's body_max */
	bool is_chunked;
	enum chunk_state chunk;
	unsigned digits; /* of the chunk's size so far */
	uint64_t left;   /* of the chunk, or of the body when not chunked */
	size_t extra;    /* bytes of extensions and trailers so far */
};

void body_init(struct body *, const struct http_request *, uint64_t max);
void body_done(struct body *);
/* Takes what belongs to the body from the front of BYTES; *eaten says how
 * much. */
enum body_state body_eat(struct body *, struct str bytes, size_t *eaten);

/* ---- a request and its reply: turn.c, reply.c, send.c, ahead.c --------- */

#define REPLY_HEAD_BYTES 4096
#define REPLY_TAIL_BYTES 128 /* Content-Length, Connection, the empty line */
/* Room in the input buffer behind the longest head, for a body to pass. */
#define INPUT_SLACK_BYTES 4096

enum reply_state {
	REPLY_NONE,
	REPLY_HEAD, /* reply_start() was called */
	REPLY_BODY, /* the body too: it may be sent */
	REPLY_CUT,
};

struct ahead;

/*
 * A connection takes a turn when the first bytes of a request come and gives
 * it back when it has nothing more to answer, so an idle one has none.  The
 * request's strings point into input[]; what is behind them there was
 * pipelined.
 */
struct turn {
	struct exchange x;
	struct conn *conn;      /* borrowed; whose turn it is */
	SLIST_ENTRY(turn) link; /* in the pool */
	bool is_called;         /* the handler has it: on_end is due */
	bool closes;            /* the connection ends with this reply */
	struct body body;

	/* The reply: out[], then bytes or a file. */
	enum reply_state reply;
	bool is_bare; /* no body may be sent */
	bool out_overflow;
	size_t head_n; /* of out[]; what is behind it was copied from a body */
	size_t out_n;
	size_t out_max;
	uint64_t sent;    /* of out and bytes */
	struct str bytes; /* borrowed from the handler */

	struct shared_fd *file; /* counted; NULL: no file */
	uint64_t position;      /* offsets in the file */
	uint64_t committed;     /* up to here it can't be called back */
	uint64_t end;
	uint64_t allowed;
	uint64_t cached_to;  /* what is before it is in the page cache */
	bool is_cold;        /* the window before that was not */
	struct ahead *ahead; /* reads ahead for us; its own owner */

	/* The input: [start, n) waits to be looked at. */
	size_t start;
	size_t n;
	size_t head_end; /* of the request in hand */
	bool has_line;   /* a line ended since the last look */
	bool is_timed;   /* the head's deadline runs */
	size_t cap;

	char out[REPLY_HEAD_BYTES + REPLY_TAIL_BYTES + REPLY_COPIED_BYTES];
	alignas(max_align_t) char arena[EXCHANGE_ARENA_BYTES];
	char input[];
};

/* NULL when out of memory. */
struct turn *turn_take(struct conn *);
void turn_give(struct turn *);
/* Makes room for the next request of the same connection. */
void turn_reset(struct turn *);
/* Tells the handler, if it has the exchange, and lets go what the reply held.
 */
void turn_end(struct turn *, enum exchange_end);
/* Moves what waits to the front of the input. */
void turn_compact(struct turn *);

/* A reply of ours, in place of the handler's; the connection ends with it. */
void reply_refusal(struct turn *, int status, const char *text);

enum sent {
	SENT_ALL,
	SENT_BLOCKED, /* the client must read first */
	SENT_WAITS,   /* for reply_allow(), or for a disk */
	SENT_YIELDS,  /* it was enough for now */
	SENT_GONE,
	SENT_SHORT, /* the file ends before the reply */
};

/* Sends at most about *budget bytes of file. */
enum sent turn_send(struct turn *, uint64_t *budget);

/* Is there a byte to send at the position that is in the page cache?  If it
 * isn't, starts to read ahead; the connection is woken. */
bool ahead_is_ready(struct turn *, uint64_t stop);
void ahead_forget(struct turn *);

/* ---- connections: conn.c ----------------------------------------------- */

enum conn_state {
	CONN_HELLO,
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_HANDLE,
	CONN_REPLY,
	CONN_LINGER,
	CONN_CLOSED,
};

union peer {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

#define PEER_TEXT_MAX 56

struct conn {
	TAILQ_ENTRY(conn) link;
	TAILQ_ENTRY(conn) woken;
	struct http_server *server; /* borrowed; outlives us */
	struct turn *turn;          /* owned; NULL when nothing is in hand */
	struct transport io;
	enum conn_state state; /* conn_move() only */
	unsigned watched;      /* EV_READ, EV_WRITE: what the events wait for */
	bool may_read;         /* there may be something to read */
	bool is_eof;           /* the client closed its side */
	bool is_blocked;       /* we wait until we may write */
	bool is_running;
	bool is_woken;      /* in server->woken */
	bool is_used;       /* had a request */
	bool is_counted;    /* by address, in the quota */
	unsigned n_run;     /* requests in this run */
	size_t lingered;    /* bytes thrown away */
	uint64_t deadline;  /* loop_now_ms(); UINT64_MAX: none */
	uint64_t armed_for; /* when the timer fires */
	struct timer timer;
	struct event on_read;
	struct event on_write;
	char *client_name; /* owned */
	bool has_certificate;
	union peer peer;
	size_t peer_text_n;
	char peer_text[PEER_TEXT_MAX];
};

/* Takes FD and its place in the quota, also when it fails. */
void conn_open(
    struct http_server *, int fd, const union peer *, bool is_counted);
/* Runs the connection soon, from the loop. */
void conn_wake(struct conn *);
void conn_run(struct conn *);
/* The server drains: an idle connection ends. */
void conn_drain(struct conn *);
/* Closes at once; the exchange ends as HOW. */
void conn_kill(struct conn *, enum exchange_end how);

/* ---- servers: server.c, quota.c ---------------------------------------- */

enum drain_state { DRAIN_NO, DRAIN_ASKED, DRAIN_RUNS, DRAIN_TOLD };

TAILQ_HEAD(conn_list, conn);
SLIST_HEAD(turn_list, turn);

#define DATE_LINE_MAX (CLOCK_TEXT_MAX + 16)

struct http_server {
	struct http_spec spec; /* tls: counted; listen_fd: -1 when closed */
	struct conn_list conns;
	size_t n_conns;
	struct conn_list woken;
	size_t n_woken;
	struct event on_wake;
	struct event on_accept;
	struct timer pause;    /* accepting goes on after it */
	bool is_starved;       /* out of descriptors, and said so */
	unsigned accept_batch; /* how many to accept in one go */
	struct turn_list turns;
	size_t n_turns;
	char *scratch; /* owned, SCRATCH_BYTES; NULL until TLS needs it */
	uint64_t next_id;
	int64_t date_s;
	size_t date_n;
	char date[DATE_LINE_MAX]; /* "Date: ...\r\n" */
	enum drain_state drain;
	struct timer drain_timer;
	void (*drained)(void *arg);
	void *drained_arg;
	struct metric *m_connections;
	struct metric *m_accepted;
};

/* Lets the wake-up callback run; it looks after woken connections, drains. */
void server_wake(struct http_server *);
/* The connection is about to be freed. */
void server_forget(struct http_server *, struct conn *);
struct str server_date(struct http_server *);

enum quota_answer { QUOTA_YES, QUOTA_ALL, QUOTA_ADDRESS };

/* *is_counted: give it to quota_give() later. */
enum quota_answer quota_take(struct http_quota *, const union peer *,
    const struct config_limits *, bool *is_counted);
void quota_give(struct http_quota *, const union peer *, bool is_counted);

#endif
