/*
 * serve.h - the running mirror: everything that main.c wires together.
 */
#ifndef SERVE_H
#define SERVE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"

#define SERVE_LOOPS_MAX 64
#define SERVE_LISTENS_MAX 16

struct admin;
struct cache;
struct http_quota;
struct http_server;
struct loop;
struct pulls;
struct releases;
struct sites;
struct store;
struct tls_context;
struct upstreams;
struct v2;
struct work_pool;

/* One core's share of the data plane. */
struct serve_loop {
	struct loop *loop;
	struct v2 *v2;
	struct pulls *pulls;
	struct http_server *servers[SERVE_LISTENS_MAX]; /* one a listen */
};

/* All are owned here and live from their step in the start list to the same
 * step of the list backwards.  Main thread, but for `steps_done`. */
struct serve {
	const char *config_path;
	struct config *config; /* counted: the one in force */
	struct work_pool *pool;
	struct store *store;
	struct loop *origin;
	struct loop *admin_loop;
	struct serve_loop loops[SERVE_LOOPS_MAX];
	unsigned n_loops;
	struct upstreams *upstreams;
	struct cache *cache;
	struct releases *releases;
	struct sites *sites;
	struct admin *admin;
	struct http_quota *quota;
	struct http_quota *admin_quota;
	struct http_server *admin_server;
	struct tls_context *tls[SERVE_LISTENS_MAX]; /* NULL: plain */
	struct tls_context *admin_tls;
	bool is_running;  /* all threads have started */
	sem_t steps_done; /* posted by loops, awaited by main */
};

/* Reads the configuration again, and has every loop go by it.  On failure
 * nothing has changed. */
err_checked int serve_reload(struct serve *, struct err *err);
/* Has every server end what it is doing, within limits.drain. */
void serve_drain(struct serve *);

/* Contexts of a configuration's listeners and of its admin address. */
err_checked int serve_load_tls(const struct config *, struct tls_context **tls,
    struct tls_context **admin_tls, struct err *err);

#endif
