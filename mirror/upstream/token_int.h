/*
 * token_int.h - a request to a token server, between token.c (when) and
 * token_request.c (how).
 *
 * Sources: distribution's "Token Authentication Specification" (GET) and
 * "OAuth2 Token Authentication" (POST).
 */
#ifndef UPSTREAM_TOKEN_INT_H
#define UPSTREAM_TOKEN_INT_H

#include "common/buf.h"
#include "upstream/credentials.h"
#include "upstream/hop.h"
#include "upstream/token.h"

/* What a challenge asks for; owned. */
struct token_want {
	char *realm;
	char *service;
	char *scope;
};

struct token_request {
	struct hop *hop; /* owned; NULL: none runs */
	struct buf body; /* of the answer */
	bool with_credentials;
	bool is_post;
	void (*on_end)(void *arg);
	void *arg;
};

struct token_ask {
	const struct pass_desk_spec *desk;
	const struct config_endpoint *endpoint;
	const struct token_want *want;
	const struct credentials *credentials; /* NULL: anonymous */
	bool is_post;
	void (*on_end)(void *arg);
	void *arg;
};

void token_request_init(struct token_request *);
err_checked int token_request_start(
    struct token_request *, const struct token_ask *, struct err *err);
void token_request_close(struct token_request *); /* twice is fine */
/* After on_end: is POST to be tried, since GET is not known there? */
bool token_request_wants_post(const struct token_request *);
/* What came of it: FETCH_DONE and a token (the caller's), or why not. */
enum fetch_result token_request_result(const struct token_request *,
    char **token, uint64_t *lifetime_ms, struct err *err);

/* "Basic ..." or "Bearer ...", malloc'd; NULL when out of memory. */
char *authorization_basic(const struct credentials *);
char *authorization_bearer(const char *token);

#endif
