/*
 * traffic.h - what is counted of each request of the data plane.
 *
 * One call when a request's result is known, one when its reply has ended;
 * behind them the rows requests_total, response_bytes_total,
 * request_duration_seconds and first_byte_seconds, and the totals that the hit
 * ratio is made from.  All of them are relaxed atomics; a struct traffic belongs
 * to one loop.
 */
#ifndef API_TRAFFIC_H
#define API_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"

enum traffic_kind {
	KIND_MANIFEST, /* by digest */
	KIND_TAG,      /* a manifest by tag */
	KIND_BLOB,
	KIND_REFERRERS,
	KIND_TAGS,
	KIND_COUNT
};

enum traffic_result {
	RESULT_HIT,
	RESULT_JOIN,
	RESULT_MISS,
	RESULT_STALE,
	RESULT_ERROR,
	RESULT_COUNT
};

const char *traffic_kind_name(enum traffic_kind);
const char *traffic_result_name(enum traffic_result);

struct traffic_key {
	const struct config *config;
	const struct config_upstream *upstream; /* NULL: none was found */
	enum traffic_kind kind;
	enum traffic_result result;
	size_t ring; /* index into config->rings */
	bool is_get; /* HEADs are not part of the hit ratio */
};

/* A GET of a manifest, a tag or a blob. */
bool traffic_is_in_ratio(const struct traffic_key *);

/*
 * A loop's memory of the cells that its requests counted in: finding one takes a
 * lock and compares labels.  All zeros at first, and again when the loop's
 * configuration changes, since keys point into that.
 */
#define TRAFFIC_SLOTS 64
struct traffic {
	struct traffic_slot {
		struct traffic_key key; /* config NULL: empty */
		struct metric *requests;
		struct metric *bytes;
		struct metric *duration;
		struct metric *first_byte;
	} slots[TRAFFIC_SLOTS];
};

void traffic_began(struct traffic *, const struct traffic_key *);

struct traffic_end {
	uint64_t body_bytes;
	uint64_t first_byte_us; /* since the head was in; 0: none was sent */
	uint64_t duration_us;
};
void traffic_ended(
    struct traffic *, const struct traffic_key *, const struct traffic_end *);

/* A tag was answered that the upstream had confirmed AGE_S ago. */
void traffic_tag_age(const struct traffic_key *, int64_t age_s);

/* Sums since start of GETs of manifests, tags and blobs, by result. */
struct traffic_totals {
	uint64_t requests[RESULT_COUNT];
	uint64_t bytes[RESULT_COUNT];
};
void traffic_totals(struct traffic_totals *);

#endif
