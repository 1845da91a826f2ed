/*
 * admin.h - the control plane: /v1/, /metrics, /healthz, /readyz.
 *
 * Who may: with a tokens file `Authorization: Bearer TOKEN` and its role, or a
 * client certificate (role operate); without both everybody who reaches the
 * address (config_load() lets that be loopback only).  /healthz and /readyz are
 * open.  Errors: {"errors":[{"code","message","field","line"}]}.
 *
 * Threads: admin loop only, but for admin_new() before it starts, and
 * admin_set_draining(), which any thread may call.
 *
 * Two answers ask the origin loop by letter.  At the end both loops are joined
 * and drained (loop_drain()) before upstreams and admin are freed.
 */
#ifndef API_ADMIN_H
#define API_ADMIN_H

#include "common/err.h"
#include "http/exchange.h"

struct admin;
struct loop;
struct releases;
struct sites;
struct store;
struct tokens;
struct upstreams;
struct work_pool;

struct admin_spec {
	struct loop *admin;
	struct loop *origin; /* where upstreams live */
	struct upstreams *upstreams;
	struct store *store;
	struct sites *sites;
	struct releases *releases;
	struct work_pool *pool; /* reads lists */
	int64_t started_at;     /* s, wall */
};

struct admin *admin_new(const struct admin_spec *, struct err *err);
void admin_free(struct admin *); /* NULL is fine */
/* At start and on reload; takes the table; NULL: no tokens. */
void admin_set_tokens(struct admin *, struct tokens *);
/* From now on /readyz says 503: the process is draining. */
void admin_set_draining(struct admin *);
void admin_handle(struct exchange *, void *admin);

#endif
