/*
 * credentials.h - who we are to an upstream: from the configuration, a
 * password file, Docker's config.json or a docker-credential helper.
 *
 * Files are read anew each time, on a work thread, so that a changed secret
 * counts from the next token on.  What a helper says is kept for 5 minutes,
 * or until somebody asks for it anew; who asks for the same at the same time
 * shares one answer.  Secrets stay in memory, never in a log or a sentence.
 *
 * Threads: origin loop only.
 */
#ifndef UPSTREAM_CREDENTIALS_H
#define UPSTREAM_CREDENTIALS_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/config.h"
#include "common/err.h"
#include "loop/loop.h"

#define CREDENTIALS_KEEP_MS (5 * 60 * 1000)
#define CREDENTIALS_HELPER_MS 10000 /* how long a helper may take */

struct buf;
struct credential_desk;
struct work_pool;

struct credentials {
	char *username; /* owned; NULL: there are none */
	char *password;
	char *identity_token; /* owned; instead of a password; may be NULL */
};

/* One who waits; embedded in its owner. */
struct credential_wait {
	/* Last call.  ERR is NULL when there are, or surely are not, any.
	 * CREDENTIALS are valid during the call. */
	void (*on_ready)(struct credential_wait *, const struct credentials *,
	    const struct err *);
	/* not yours: */
	TAILQ_ENTRY(credential_wait) link;
	struct credential_case *of; /* NULL: does not wait */
	unsigned round;
};

struct credential_desk *credential_desk_new(
    struct loop *origin, struct work_pool *, struct err *err);
void credential_desk_free(struct credential_desk *); /* NULL is fine */

bool credentials_are_configured(const struct config_auth *);
/* For HOST ("host[:port]").  ANEW: what was kept has been refused.  -1 (and no
 * call) when out of memory. */
err_checked int credentials_ask(struct credential_desk *,
    const struct config_auth *, const char *host, bool anew,
    struct credential_wait *, struct err *err);
void credentials_leave(struct credential_wait *); /* twice is fine */

/* Runs `docker-credential-NAME get` with SERVER on its stdin; OUT gets what it
 * prints.  Blocks, TIMEOUT_MS at most: for work threads. */
err_checked int credential_helper_run(const char *name, const char *server,
    int timeout_ms, struct buf *out, struct err *err);

#endif
