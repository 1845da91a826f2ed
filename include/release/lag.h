/*
 * lag.h - how far behind a release is, and the mirror.
 *
 * A release that is not complete: now minus published_at (where that is not
 * said, when it was accepted); complete: 0; complete once and something lost
 * since: now minus the loss.  A published_at in the future counts as now, and
 * is told apart, so that a skewed clock shows.  The mirror's lag is the largest
 * over releases that are neither held nor failed.  Pure; any thread.
 */
#ifndef RELEASE_LAG_H
#define RELEASE_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "release/releases.h"

struct lag_times {
	int64_t published_at; /* s, wall; 0: not said; so are all */
	int64_t accepted_at;
	int64_t ready_at;
	int64_t lost_at;
};

int64_t lag_of(const struct lag_times *, bool is_complete, int64_t now_s);
bool lag_is_in_future(const struct lag_times *, int64_t now_s);
/* The largest; *release is the place of whose it is, or N. */
int64_t lag_of_mirror(
    const struct release_summary *, size_t n, size_t *release);

#endif
