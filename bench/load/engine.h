/*
 * engine.h - HTTP/1.1 clients in one epoll loop: they send, count and check.
 *
 * Bodies are thrown away in the kernel (MSG_TRUNC), so that a client costs next
 * to nothing and the server is what is measured; over TLS they are decrypted.
 * A reply that is not what the plan says ends the program with a sentence.
 *
 * A connection has at most one request under way: conn_begin(), then the
 * engine's done() once the reply is whole, from where the next may begin.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "plan.h"

#define HEAD_MAX 8192 /* a small body comes with it */
#define WHENEVER UINT64_MAX

struct conn;
typedef void conn_done_fn(struct conn *);

struct engine {
	int epoll_fd;
	struct sockaddr_in peer;
	SSL_CTX *tls; /* borrowed; NULL: plain */
	bool is_one_shot;
	bool is_resuming;
	conn_done_fn *done;
	void *owner; /* of done() */

	uint64_t n_replies;
	uint64_t n_bytes; /* of bodies */
	uint64_t n_connects;
	uint64_t n_resumed;
	struct histogram
	    first_byte;         /* since the request's time: its head is here */
	struct histogram whole; /* since the request's time */
};

/*
 * IDLE (nothing under way) -> CONNECTING -> SENDING -> HEAD -> BODY -> IDLE;
 * with one request a connection BODY -> ENDING (waits for the server's end).
 * An open connection that idles goes to SENDING at once.
 */
enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_SENDING,
	CONN_HEAD,
	CONN_BODY,
	CONN_ENDING
};

struct conn {
	struct engine *engine; /* borrowed; outlives us */
	void *owner;
	enum conn_state state;
	int fd;       /* -1: not connected */
	SSL *ssl;     /* owned */
	bool is_used; /* has had a reply */
	const struct request *request;
	uint64_t begun_ns;
	size_t n_sent;
	size_t head_n;
	int64_t left; /* of the body */
	char head[HEAD_MAX];
};

/* Of the monotonic clock. */
uint64_t now_ns(void);

/* E is zeroed, but for what its owner has set.  Ends the program when ADDRESS
 * is no IPv4 address. */
void engine_init(struct engine *, const char *address, const char *port);
void engine_done(struct engine *);
/* Waits until something happened or UNTIL_NS (WHENEVER: no limit), and carries
 * on what can be. */
void engine_step(struct engine *, uint64_t until_ns);
/* Counts anew. */
void engine_forget(struct engine *);
/* Counts, bytes and times as members of a JSON object, without its braces. */
void engine_print(const struct engine *);

void conn_init(struct conn *, struct engine *, void *owner);
void conn_done(struct conn *);
/* BEGUN_NS is the time from which its latency counts. */
void conn_begin(struct conn *, const struct request *, uint64_t begun_ns);

#endif
