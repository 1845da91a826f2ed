/*
 * gate.h - may the next ring open?  A yes or no, with reasons.
 *
 * Pure: facts and rules in, an answer out.  Every rule is looked at, so a
 * closed gate names all that closes it; a rule that can't be evaluated closes
 * it, too, but for ratios over too few requests, which are skipped and listed
 * as such unless they are required.  Any thread.
 */
#ifndef RELEASE_GATE_H
#define RELEASE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "release/releases.h"

#define GATE_REASONS_MAX 24 /* of upstreams the first few are named */

enum gate_code {
#define GATE_CODE(id, code, rule) GATE_##id,
#include "tbl/gate_codes.h"
	GATE_CODE_COUNT
};
const char *gate_code_name(enum gate_code); /* "bytes_missing" */
const char *gate_code_rule(enum gate_code); /* "complete" */

/* Ratios in millionths. */
struct gate_rules {
	uint64_t max_lag_ms;
	uint64_t min_hit_ratio; /* by requests, and by bytes */
	uint64_t window_ms;
	uint64_t min_requests;
	uint64_t max_error_ratio;
	bool require_ratio; /* too few requests close it */
	bool require_links; /* a link that is down closes it */
};

/* Over the window: GETs of the release's own digests. */
struct gate_traffic {
	bool is_known;
	uint64_t requests, hits; /* hit and stale; errors are not counted */
	uint64_t bytes, hit_bytes;
};

/* One that the release's images come from. */
struct gate_upstream {
	const char *name;
	bool is_up;      /* reached, when it was last asked */
	const char *why; /* a sentence, when not */
	bool is_counted;
	uint64_t requests, errors; /* ours, over the window */
};

struct gate_facts {
	const struct release_summary *release;
	const struct freeze *freeze;
	bool is_read; /* what was kept is read since the start */
	struct gate_traffic traffic;
	const struct gate_upstream *upstreams;
	size_t n_upstreams;
	const struct release_verified *verified; /* NULL: was not asked */
	int64_t done_at; /* s, wall; when it would be complete; 0: unknown */
	int64_t now_s;
};

struct gate_reason {
	enum gate_code code;
	char text[ERR_TEXT_MAX];
};

struct gate {
	bool is_open;
	size_t n_reasons, n_skipped;
	struct gate_reason reasons[GATE_REASONS_MAX];
	struct gate_reason skipped[GATE_REASONS_MAX];
};

void gate_decide(
    const struct gate_rules *, const struct gate_facts *, struct gate *out);

#endif
