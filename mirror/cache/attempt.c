/*
 * attempt.c - the order of tries over an upstream's endpoints.
 */
#include "attempt.h"

#include <stdlib.h>
#include <string.h>

#include "upstream/links.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LINK_CLOSED_MS 1000 /* when to look at it again */

void
attempt_init(struct attempt *a, struct upstreams *upstreams,
    const struct config_upstream *upstream)
{
	memset(a, 0, sizeof(*a));
	a->upstreams = upstreams;
	a->upstream = upstream;
	a->result = FETCH_UNREACHABLE;
	(void)err_set(&a->error, ERR_UPSTREAM_DOWN,
	    "%s: no endpoint may be asked now; breakers are open, links out "
	    "of service or spent, or the rest of a rate limit is for pulls",
	    upstream->name);
}

static size_t
n_endpoints(const struct attempt *a)
{
	size_t n = a->upstream->n_endpoints;

	return n < ATTEMPT_ENDPOINTS_MAX ? n : ATTEMPT_ENDPOINTS_MAX;
}

uint64_t
attempt_bit(const struct attempt *a, const struct config_endpoint *e)
{
	size_t i = (size_t)(e - a->upstream->endpoints);

	return i < ATTEMPT_ENDPOINTS_MAX ? 1ull << i : 0;
}

/* 100, 200, 400 ... 5000 ms, half of it by chance. */
static uint64_t
backoff_ms(unsigned n_rounds)
{
	uint64_t ms = BACKOFF_MAX_MS;

	if (n_rounds < 6)
		ms = (uint64_t)BACKOFF_MIN_MS << n_rounds;
	return ms / 2 + (uint64_t)random() % (ms / 2 + 1);
}

/* What a link says to pulls, upstream_may_try() tells. */
static bool
may_cross(const struct attempt *a, const struct config_endpoint *e)
{
	return a->class == CLASS_PULL ||
	    upstreams_link_allows(a->upstreams, e, a->class);
}

static bool
may_try(struct attempt *a, const struct config_endpoint *e, uint64_t *wait_ms)
{
	return upstream_may_try(a->upstreams, a->upstream, e,
	    a->is_spending ? a->class : CLASS_PULL, wait_ms);
}

enum attempt_next
attempt_next(struct attempt *a, const struct config_endpoint **endpoint,
    uint64_t *wait_ms)
{
	uint64_t closed = a->refused | a->excluded, soonest = UINT64_MAX, ms;
	size_t i, n = n_endpoints(a), n_open = 0;

	for (i = 0; i < n; i++) {
		const struct config_endpoint *e = &a->upstream->endpoints[i];

		if (closed & attempt_bit(a, e))
			continue;
		n_open++;
		if (a->tried & attempt_bit(a, e))
			continue;
		if (!may_cross(a, e))
			ms = LINK_CLOSED_MS;
		else if (may_try(a, e, &ms)) {
			a->tried |= attempt_bit(a, e);
			*endpoint = e;
			return ATTEMPT_GO;
		}
		if (ms < soonest)
			soonest = ms;
	}
	if (n_open == 0)
		return ATTEMPT_OVER;
	*wait_ms = backoff_ms(a->n_rounds);
	a->is_barred = a->tried == 0 && soonest != UINT64_MAX;
	if (a->is_barred)
		*wait_ms = soonest > 0 ? soonest : 1;
	a->n_rounds++;
	a->tried = 0;
	return ATTEMPT_WAIT;
}

static bool
is_definite(enum fetch_result result)
{
	return result == FETCH_NOT_FOUND || result == FETCH_DENIED ||
	    result == FETCH_REFUSED;
}

/* A "no" tells less than a failure: who failed might have said yes. */
static void
note_why(struct attempt *a, enum fetch_result result, const struct err *why)
{
	if (is_definite(result) && a->has_failed)
		return;
	a->has_failed = !is_definite(result);
	a->result = result;
	a->error = *why;
}

void
attempt_failed(struct attempt *a, const struct config_endpoint *e,
    enum fetch_result result, const struct err *why)
{
	size_t i;

	note_why(a, result, why);
	if (!is_definite(result))
		return;
	for (i = 0; i < n_endpoints(a); i++) {
		const struct config_endpoint *o = &a->upstream->endpoints[i];

		if (o == e ||
		    (o->url != NULL && e->url != NULL &&
			strcmp(o->url, e->url) == 0))
			a->refused |= attempt_bit(a, o);
	}
}

void
attempt_exclude(
    struct attempt *a, const struct config_endpoint *e, const struct err *why)
{
	note_why(a, FETCH_BROKEN, why);
	a->excluded |= attempt_bit(a, e);
	if (why->code == ERR_DIGEST_MISMATCH)
		upstream_distrust(a->upstreams, a->upstream, e);
}

void
attempt_progressed(struct attempt *a)
{
	a->n_rounds = 0;
	a->tried = 0;
}
