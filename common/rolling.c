/*
 * rolling.c - a ring of pieces; those that have left the window are emptied
 * when the next one begins.
 */
#include "common/rolling.h"

#include <string.h>

static int64_t
width_of(int64_t window_s)
{
	int64_t width = window_s / ROLLING_SLOTS;

	return width > 0 ? width : 1;
}

void
rolling_add(struct rolling *r, int64_t window_s, int64_t now_s,
    const uint64_t values[ROLLING_VALUES])
{
	int64_t width = width_of(window_s), slot = now_s / width;

	if (r->width_s != width || slot > r->newest + ROLLING_SLOTS) {
		memset(r, 0, sizeof(*r));
		r->width_s = width;
		r->newest = slot;
	}
	while (r->newest < slot) {
		r->newest++;
		memset(r->slots[r->newest % ROLLING_SLOTS], 0,
		    sizeof(r->slots[0]));
	}
	for (int i = 0; i < ROLLING_VALUES; i++)
		r->slots[r->newest % ROLLING_SLOTS][i] += values[i];
}

void
rolling_sum(const struct rolling *r, int64_t window_s, int64_t now_s,
    uint64_t sums[ROLLING_VALUES])
{
	int64_t width = width_of(window_s);
	int64_t pieces = window_s / width, slot = now_s / width;
	int64_t first =
	    slot - (pieces < ROLLING_SLOTS ? pieces : ROLLING_SLOTS);

	memset(sums, 0, ROLLING_VALUES * sizeof(sums[0]));
	if (r->width_s != width)
		return;
	for (int64_t s = r->newest; s > first && s > r->newest - ROLLING_SLOTS;
	     s--)
		for (int i = 0; s >= 0 && i < ROLLING_VALUES; i++)
			sums[i] += r->slots[s % ROLLING_SLOTS][i];
}
