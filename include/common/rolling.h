/*
 * rolling.h - sums over a window that moves along with the clock.
 *
 * The window is kept in ROLLING_SLOTS pieces, so it is exact to one of them.
 * Another window begins anew.  Pure; one thread at a time.
 */
#ifndef COMMON_ROLLING_H
#define COMMON_ROLLING_H

#include <stdint.h>

#define ROLLING_SLOTS 90
#define ROLLING_VALUES 4

struct rolling {
	int64_t width_s; /* of a piece */
	int64_t newest;  /* the piece that is filled now: time / width */
	uint64_t slots[ROLLING_SLOTS][ROLLING_VALUES];
};

/* All zero is an empty one.  NOW_S may stand still, but should not go back. */
void rolling_add(struct rolling *, int64_t window_s, int64_t now_s,
    const uint64_t values[ROLLING_VALUES]);
void rolling_sum(const struct rolling *, int64_t window_s, int64_t now_s,
    uint64_t sums[ROLLING_VALUES]);

#endif
