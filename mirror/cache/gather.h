/*
 * gather.h - bring one small thing whole, from whichever endpoint gives it.
 *
 *	TRY ---> RUN ---> OVER
 *	 ^        |
 *	 +- REST -+
 *
 * Tries endpoints in order (attempt.h) until one answers well or says no, or
 * patience ends; keeps what came in memory, up to a ceiling.  Embedded in its
 * owner.  on_done is a wake-up, never called inside gather_start(); after
 * gather_stop() (twice is fine) it is not called.  Origin loop only.
 */
#ifndef CACHE_GATHER_H
#define CACHE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "cache/target.h"
#include "cache_int.h"
#include "common/buf.h"
#include "loop/timer.h"

enum gather_state {
	GATHER_IDLE,
	GATHER_TRY,
	GATHER_RUN,
	GATHER_REST,
	GATHER_OVER
};

struct gather_spec {
	struct cache *cache;
	const struct target *target; /* borrowed; outlives the gather */
	enum fetch_target what;
	bool is_head;
	struct str reference; /* borrowed until gather_stop() */
	enum link_class class;
	uint64_t patience_ms; /* no new try after this; 0: one round only */
	uint64_t max_bytes;
	const struct config_endpoint *only; /* NULL: any */
	/* Is what came right?  -1: with ERR_DIGEST_MISMATCH the endpoint sent
	 * wrong bytes and is distrusted; else it failed.  It is not asked again. */
	int (*accept)(void *arg, struct err *err); /* NULL: always */
	void (*on_done)(void *arg);
	void *arg;
};

#define GATHER_TYPE_MAX 255
#define GATHER_LINK_MAX 1023

struct gather {
	struct gather_spec spec;
	enum gather_state state; /* gather_move() only */
	struct attempt attempt;
	const struct config_endpoint *endpoint; /* asked now, or last */
	struct fetch *fetch;                    /* owned */
	struct timer timer;
	uint64_t started_ms;

	/* What came: valid when OVER with result FETCH_DONE. */
	enum fetch_result result;
	struct err error; /* for all other results */
	int64_t length;
	char content_type[GATHER_TYPE_MAX + 1];
	char next_link[GATHER_LINK_MAX + 1];
	struct digest digest; /* as the header said; alg 0: not told */
	struct buf body;
};

void gather_start(struct gather *, const struct gather_spec *);
void gather_set_class(struct gather *, enum link_class);
bool gather_is_over(const struct gather *);
void gather_stop(struct gather *);

#endif
