/*
 * attempt.h - which endpoint of an upstream to ask next, and when.
 *
 * Endpoints are tried in their order, each once a round; rounds are spaced by
 * jittered exponential back-off.  One that said a definite no (404, denied) is
 * not asked again, nor another with the same address; one that sent what
 * can't be right is excluded, too.  Embedded in its owner; origin
 * loop only.
 */
#ifndef CACHE_ATTEMPT_H
#define CACHE_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"
#include "upstream/fetch.h"
#include "upstream/upstream.h"

#define ATTEMPT_ENDPOINTS_MAX 64 /* further ones are not tried */

struct attempt {
	struct upstreams *upstreams;            /* borrowed */
	const struct config_upstream *upstream; /* borrowed */
	enum link_class class; /* whose links are looked at; PULL at first */
	bool is_spending;      /* it counts against a rate limit */
	uint64_t tried;        /* a bit an endpoint: in this round */
	uint64_t refused;      /* said no */
	uint64_t excluded;     /* sent what can't be right */
	unsigned n_rounds;
	bool is_barred;           /* WAIT: nobody may be asked sooner */
	bool has_failed;          /* one did not answer, or not well */
	enum fetch_result result; /* the failure that tells most */
	struct err error;         /* its sentence */
};

void attempt_init(
    struct attempt *, struct upstreams *, const struct config_upstream *);

/* An endpoint's own; 0 of one that is never tried. */
uint64_t attempt_bit(const struct attempt *, const struct config_endpoint *);

enum attempt_next { ATTEMPT_GO, ATTEMPT_WAIT, ATTEMPT_OVER };

/* GO: ask *endpoint now.  WAIT: look again in *wait_ms.  OVER: nobody is left
 * to ask; result and error say why. */
enum attempt_next attempt_next(struct attempt *,
    const struct config_endpoint **endpoint, uint64_t *wait_ms);
void attempt_failed(struct attempt *, const struct config_endpoint *,
    enum fetch_result, const struct err *);
/* What it sent can't be right; with ERR_DIGEST_MISMATCH it is distrusted from
 * now on. */
void attempt_exclude(
    struct attempt *, const struct config_endpoint *, const struct err *);
/* It is on its way again: back-off starts afresh. */
void attempt_progressed(struct attempt *);

#endif
