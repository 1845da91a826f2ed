/*
 * server.h - accepts connections of one address on one loop.
 *
 * Every serve loop has a server of its own for each address (SO_REUSEPORT).
 * Ceilings on connections are shared by all servers through a struct
 * http_quota.  Ownership: main.c owns servers and quota; connections belong to
 * their server.  Threads: the loop's own, but for http_server_open() (before
 * the loop starts).
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stddef.h>

#include "common/config.h"
#include "common/err.h"
#include "http/exchange.h"

struct http_quota;
struct http_server;
struct loop;
struct tls_context;
struct work_pool;

typedef void http_handler_fn(struct exchange *, void *arg);

/* Atomic counts behind limits.connections and connections_per_address. */
struct http_quota *http_quota_new(struct err *err);
void http_quota_free(struct http_quota *);

struct http_spec {
	struct loop *loop;
	struct http_quota *quota;
	struct work_pool *readers; /* reads ahead what is not cached */
	struct config_limits limits;
	struct tls_context *tls; /* NULL: plain; counted */
	int listen_fd;           /* taken; see listener.h */
	uint64_t body_max;       /* larger request bodies: 413, close */
	http_handler_fn *handler;
	void *arg;
};

struct http_server *http_server_open(const struct http_spec *, struct err *err);
/* For connections and requests from now on (reload). */
void http_server_set(
    struct http_server *, const struct config_limits *, struct tls_context *);
/* Takes what is in the accept queue, stops accepting, closes idle connections,
 * ends keep-alive; DONE is called when no connection is left or after
 * limits.drain_ms, when what is left was cut. */
void http_server_drain(
    struct http_server *, void (*done)(void *arg), void *arg);
/* Closes all at once; exchanges get their on_end(END_GONE). NULL is fine.
 * Also right after the loop was joined, and in a drain's DONE; not in a handler
 * or on_end. */
void http_server_close(struct http_server *);
size_t http_server_connections(const struct http_server *);

#endif
