/*
 * upstream.h - the live state of upstreams and their endpoints.
 *
 * The configuration says which endpoints there are; here is how they are
 * doing: the breaker, the last error, what is left of a rate limit, whether
 * wrong bytes came lately, and the shared tokens.  State is kept by upstream
 * and endpoint name, so it survives a reload.
 *
 * Threads: origin loop only.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"
#include "loop/loop.h"

struct upstreams;
struct work_pool;

/* POOL reads layouts and runs credential helpers. */
struct upstreams *upstreams_new(
    struct loop *origin, struct work_pool *pool, struct err *err);
/* All fetches must be closed.  NULL is fine. */
void upstreams_free(struct upstreams *);
/* Other patience than FETCH_CONNECT_MS and FETCH_FIRST_BYTE_MS. */
void upstreams_set_patience(
    struct upstreams *, uint64_t connect_ms, uint64_t first_byte_ms);

/* May a request be sent there now?  Else *wait_ms tells when to look again.
 * CLASS: what it is for, if it counts against a rate limit: below the floor
 * only pulls may spend; CLASS_PULL, too, for what does not count. */
bool upstream_may_try(struct upstreams *, const struct config_upstream *,
    const struct config_endpoint *, enum link_class, uint64_t *wait_ms);

/* May one more transfer run there, without a place that others wait for? */
bool upstream_has_room(
    struct upstreams *, const struct config_endpoint *, enum link_class);

/* It sent wrong bytes: for the next hour all its blobs are held back whole. */
void upstream_distrust(struct upstreams *, const struct config_upstream *,
    const struct config_endpoint *);
bool upstream_is_distrusted(struct upstreams *, const struct config_upstream *,
    const struct config_endpoint *);

/* Requests that have ended over the gate's window (the configuration's now),
 * at all endpoints together. */
struct upstream_recent {
	uint64_t requests;
	uint64_t errors;
};
void upstreams_recent(struct upstreams *, const struct config_upstream *,
    struct upstream_recent *out);

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

/* An endpoint that cannot be reached, or whose link is out of service, is
 * offline; it has not failed. */
enum endpoint_standing {
	STANDING_UNTRIED,
	STANDING_ONLINE,
	STANDING_LIMITED, /* it says that it is asked too often */
	STANDING_OFFLINE,
	STANDING_ERRORS, /* it answers, with errors */
};

/* A copy of how one endpoint is doing, for people. */
struct endpoint_report {
	char upstream[256];
	char endpoint[256];
	bool was_tried;
	bool is_up;
	enum endpoint_standing standing;
	enum breaker_state breaker;
	int64_t last_ok_at; /* s, wall; 0: never */
	int64_t last_fail_at;
	char last_error[ERR_TEXT_MAX];
	int64_t ratelimit;           /* -1: not told */
	int64_t ratelimit_remaining; /* the same */
	bool is_distrusted;
};
/* One each, in the order of the configuration: how many. */
size_t upstreams_report(struct upstreams *, const struct config *,
    struct endpoint_report *out, size_t max);

#endif
