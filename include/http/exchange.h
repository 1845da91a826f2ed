/*
 * exchange.h - a request and its reply.
 *
 * A connection carries one exchange at a time (pipelined requests wait in its
 * buffer).  When a request is in, body too, the server's handler is called
 * with the exchange.  It answers at once or later, on the same loop: a head
 * (reply_start, reply_header...), then exactly one body call.  on_end is called
 * once, never inside a reply_ call or the handler: when the last byte was given
 * to the kernel, or when the client went away or the reply was cut.  After
 * on_end the exchange and its arena belong to the connection again.
 *
 * HEAD: the same calls; no body is sent, its length is.  Content-Length, Date
 * and Connection are added here, all other headers by the caller.
 *
 * Threads: the server's loop only.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/shared_fd.h"
#include "http/request.h"

struct http_server;
struct loop;

#define EXCHANGE_ARENA_BYTES 8192
#define REPLY_COPIED_BYTES 4096 /* bodies up to this are copied */

enum exchange_end {
	END_SENT, /* the reply went out whole */
	END_GONE, /* the client closed or reset, or timed out reading */
	END_CUT,  /* reply_cut(), or the file was shorter than its reply */
};

struct exchange {
	struct http_request request;
	struct arena arena; /* the request's memory */
	struct http_server *server;
	struct loop *loop;
	uint64_t id;         /* of the request, unique in the process */
	uint64_t started_us; /* clock_mono_us() when the head was in */
	const struct sockaddr *peer;
	struct str peer_text;   /* "10.1.2.3:4567" */
	struct str client_name; /* CN of the client's certificate, or empty */
	bool is_tls;
	bool has_certificate; /* the client has one, and it was verified */
	void *owner;          /* the handler's */
	/* Set by the handler before it answers; may be NULL. */
	void (*on_end)(struct exchange *, enum exchange_end);

	/* Valid in on_end. */
	int status;             /* 0: none was sent */
	uint64_t body_sent;     /* body bytes given to the kernel */
	uint64_t first_byte_us; /* clock_mono_us() of the first byte; 0: none */
};

void reply_start(struct exchange *, int status);
void reply_header(struct exchange *, const char *name, struct str value);
void reply_headerf(struct exchange *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The body is BYTES.  They are copied up to REPLY_COPIED_BYTES, else borrowed
 * until on_end: keep them in the arena or alive. */
void reply_bytes(struct exchange *, struct str bytes);

/* Of a HEAD: the body would have LENGTH bytes (REPLY_LENGTH_UNKNOWN: no
 * Content-Length is sent). */
#define REPLY_LENGTH_UNKNOWN UINT64_MAX
void reply_length(struct exchange *, uint64_t length);

/*
 * The body is LENGTH bytes of FD from OFFSET (FD is taken; NULL will do for a
 * HEAD, of which only the length is told).  Only bytes below the file offset
 * ALLOWED are sent; reply_allow() sets it: higher as more may be read, lower
 * (below the position: stop where you are) when bytes not yet sent turned out
 * wrong.  reply_file(), reply_allow() and reply_swap() send nothing inside the
 * call but from the loop, so reply_position() is exact between them.  Files are
 * sent without waiting for a disk: what is not in the page cache is read ahead
 * on a work thread first.
 */
void reply_file(struct exchange *, struct shared_fd *fd, uint64_t offset,
    uint64_t length, uint64_t allowed);
void reply_allow(struct exchange *, uint64_t allowed);
/* The same of a file that grows, and nobody knows yet how far: the reply goes
 * on until reply_stop(), which ends it, and the connection, behind what is
 * allowed. */
void reply_stream(struct exchange *, struct shared_fd *fd);
void reply_stop(struct exchange *);
/* Goes on from another file that has the same bytes (FD is taken). */
void reply_swap(struct exchange *, struct shared_fd *fd);
/* File offset of the next byte to be sent; what is before it was given to the
 * kernel, or can't be called back from a half-written TLS record. */
uint64_t reply_position(const struct exchange *);
/* Ends a body that can't be finished: what is allowed is not sent any more,
 * the client sees a FIN, never a RST (shutdown, then drain, then close). */
void reply_cut(struct exchange *);
/* Takes the reply back, so that another can be made at once in its place; false
 * when some of it was sent already. */
bool reply_undo(struct exchange *);

/* A whole reply in one call. */
void reply_text(
    struct exchange *, int status, const char *content_type, struct str body);

#endif
