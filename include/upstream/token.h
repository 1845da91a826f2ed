/*
 * token.h - what to show an endpoint so that it lets us read a repository.
 *
 * A pass is kept for each (endpoint, repository).  It begins open: nothing is
 * sent, and most endpoints do not mind.  A 401 says what is wanted (basic, or a
 * bearer token of which server); from then on the pass has an Authorization to
 * send at once, and gets itself a new one after 80 % of a token's life, while
 * it is in use.  However many wait for a token, one request is made for it.
 *
 * Credentials go to a token server only over https, or when the endpoint
 * itself is asked over http.
 *
 * Ownership: passes are counted; the desk keeps the last PASSES_MAX that were
 * used.  Threads: origin loop only.
 */
#ifndef UPSTREAM_TOKEN_H
#define UPSTREAM_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/config.h"
#include "common/err.h"
#include "common/str.h"
#include "upstream/fetch.h"

#define PASSES_MAX 256
#define TOKEN_MAX_BYTES (64u << 10)

struct curl_loop;
struct credential_desk;
struct pass;
struct pass_desk;

/* All borrowed; they outlive the desk. */
struct pass_desk_spec {
	struct loop *loop;
	struct curl_loop *curl;
	struct credential_desk *credentials;
	const uint64_t *connect_ms; /* patience with token servers */
	const uint64_t *answer_ms;
};

struct pass_desk *pass_desk_new(const struct pass_desk_spec *, struct err *err);
/* No pass may be in use.  NULL is fine. */
void pass_desk_free(struct pass_desk *);

struct pass_key {
	struct config *config; /* a reference is taken */
	const struct config_upstream *upstream;
	const struct config_endpoint *endpoint;
	const char *origin; /* of the endpoint */
	struct str repository;
};

/* NULL when out of memory. */
struct pass *pass_get(
    struct pass_desk *, const struct pass_key *, struct err *err);
void pass_unref(struct pass *); /* NULL is fine */

/* One who waits for a pass; embedded in its owner. */
struct pass_wait {
	void (*on_ready)(struct pass_wait *); /* ask pass_show() again */
	/* not yours: */
	TAILQ_ENTRY(pass_wait) link;
	struct pass *of; /* NULL: does not wait */
	enum fetch_result result;
	struct err err;
};

enum pass_answer {
	PASS_OPEN,   /* send nothing */
	PASS_SHOW,   /* send this Authorization */
	PASS_WAIT,   /* on_ready will be called */
	PASS_FAILED, /* there is none: wait->result, wait->err */
};

/* What to send.  *header is valid until the loop is returned to; *edition
 * names it for pass_refused(). */
enum pass_answer pass_show(
    struct pass *, struct pass_wait *, const char **header, unsigned *edition);
/* EDITION (0: nothing was sent) got a 401 with these challenges.  Then ask
 * pass_show() again. */
void pass_refused(
    struct pass *, struct pass_wait *, unsigned edition, struct str challenges);
void pass_leave(struct pass_wait *); /* twice is fine */

#endif
