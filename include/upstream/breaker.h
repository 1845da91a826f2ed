/*
 * breaker.h - stop asking who does not answer.
 *
 *	CLOSED --failures--> OPEN --time--> HALF_OPEN --success--> CLOSED
 *	                      ^                 |
 *	                      +-----failure-----+
 *
 * The time doubles from 1 s to 60 s with each failure, with jitter.  Who says
 * when to come again (Retry-After), or that it is asked too often (429), is
 * taken at its word at once.  In HALF_OPEN one probe is let through.  Pure
 * arithmetic on the caller's clock (ms); no thread of its own.
 */
#ifndef UPSTREAM_BREAKER_H
#define UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "upstream/upstream.h"

#define BREAKER_FAILURES 3 /* in a row, to open */

struct breaker {
	enum breaker_state state;
	unsigned failures; /* in a row */
	uint64_t open_until_ms;
	bool is_probing;
};

bool breaker_allows(struct breaker *, uint64_t now_ms, uint64_t *wait_ms);
void breaker_succeeded(struct breaker *);
/* JITTER: 0..999, from the caller's random source.  RETRY_AFTER_MS 0: none. */
void breaker_failed(struct breaker *, uint64_t now_ms, unsigned jitter,
    uint64_t retry_after_ms);
/* It says that it is asked too often. */
void breaker_limited(struct breaker *, uint64_t now_ms, unsigned jitter,
    uint64_t retry_after_ms);
/* The probe ended without a verdict (its owner lost interest). */
void breaker_abandoned(struct breaker *);

#endif
