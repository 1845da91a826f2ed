/*
 * challenge.h - WWW-Authenticate and token replies.
 *
 * Sources: RFC 9110 section 11 (syntax), distribution's "Token Authentication
 * Specification" (realm, service, scope, token reply).  Pure; any thread.
 */
#ifndef OCI_CHALLENGE_H
#define OCI_CHALLENGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	struct str realm; /* unquoted, in the arena; empty when absent */
	struct str service;
	struct str scope;
	struct str error;
};

/* The best challenge of one header value, which may hold several: Bearer with
 * a realm, else Basic, else NONE.  False when it is malformed or the arena is
 * full. */
bool challenge_parse(struct arena *, struct str header, struct challenge *);

#define TOKEN_LIFETIME_MAX_S 86400

struct token_reply {
	char *token;         /* visible ASCII; owned by the caller */
	uint64_t lifetime_s; /* expires_in; 60 when absent, at least 1 */
};

/* ERR_UPSTREAM_BROKEN; no byte of JSON gets into the sentence. */
err_checked int token_reply_parse(
    struct str json, struct token_reply *, struct err *err);

#endif
