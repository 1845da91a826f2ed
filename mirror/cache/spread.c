/*
 * spread.c - which range of its blob a fill asks for next.
 *
 * One lane asks for the first gap as a whole.  Where the endpoint has
 * `segments`, lanes take pieces, each the first that nobody fetches, so they
 * stay close to the front and readers go on with the speed of all; once the
 * front is taken care of, what a reader ahead of it waits for comes first.
 * Lanes join one by one, a moment after the one before has brought bytes (so
 * that readers can say where they wait), and only where the link has a
 * connection that nobody waits for.
 */
#include "common/check.h"
#include "fill_int.h"

#define PIECE_MIN (4u << 20)
#define PIECE_MAX (16u << 20)
#define PIECES 4 /* for each lane, if they are not too small or too large */

/* How many lanes may run? */
static unsigned
width(const struct fill *f)
{
	unsigned n = f->endpoint->segments;

	if (f->is_single ||
	    (f->expected_size != 0 && f->expected_size < 2 * PIECE_MIN))
		return 1;
	return n < f->n_lanes_max ? n : f->n_lanes_max;
}

static uint64_t
piece_bytes(const struct fill *f)
{
	uint64_t n = f->expected_size / (PIECES * f->endpoint->segments);

	if (n < PIECE_MIN)
		n = PIECE_MIN;
	return n < PIECE_MAX ? n / DRAFT_CHUNK * DRAFT_CHUNK : PIECE_MAX;
}

/* Cuts [*START, *END) to what no lane fetches.  False: *start is a lane's; it
 * is moved behind that. */
static bool
avoid_lanes(const struct fill *f, uint64_t *start, uint64_t *end)
{
	for (size_t i = 0; i < FILL_LANES_MAX; i++) {
		const struct lane *l = &f->lanes[i];

		if (l->state == LANE_IDLE || l->end <= *start || l->at >= *end)
			continue;
		if (l->at <= *start) {
			*start = l->end;
			return false;
		}
		*end = l->at;
	}
	return true;
}

/* The first range at or after FROM that is neither here nor on its way. */
static bool
find_free(const struct fill *f, uint64_t from, uint64_t *start, uint64_t *end)
{
	while (draft_gap(f->draft, from, start, end)) {
		if (avoid_lanes(f, start, end))
			return true;
		from = *start;
	}
	return false;
}

/* All of the gap for a single lane; else a piece, to the map's chunks. */
static void
cut_to_piece(const struct fill *f, uint64_t start, uint64_t *end)
{
	uint64_t piece = piece_bytes(f);
	uint64_t stop = (start + piece) / DRAFT_CHUNK * DRAFT_CHUNK;

	if (width(f) > 1 && stop < *end)
		*end = stop;
	if (*end == draft_size(f->draft))
		*end = width(f) > 1 ? *end : LANE_TO_END;
}

/* Where a reader ahead of the front waits. */
static bool
find_wanted(const struct fill *f, uint64_t *start, uint64_t *end)
{
	uint64_t at = f->stream == NULL
	    ? 0
	    : atomic_load_explicit(&f->stream->wanted, memory_order_relaxed);

	at = at / DRAFT_CHUNK * DRAFT_CHUNK; /* they are shown as a whole */
	return at > 0 && find_free(f, at, start, end) &&
	    *start < at + piece_bytes(f);
}

bool
spread_next(const struct fill *f, uint64_t *start, uint64_t *end)
{
	uint64_t front, front_end;

	if (!find_free(f, 0, start, end))
		return false;
	(void)draft_gap(f->draft, 0, &front, &front_end);
	if (*start > front) { /* the front is on its way */
		front = *start, front_end = *end;
		if (!find_wanted(f, start, end))
			*start = front, *end = front_end;
	}
	cut_to_piece(f, *start, end);
	return true;
}

static struct lane *
idle_lane(struct fill *f)
{
	for (size_t i = 0; i < FILL_LANES_MAX; i++)
		if (f->lanes[i].state == LANE_IDLE)
			return &f->lanes[i];
	return NULL;
}

static bool
may_add(const struct fill *f)
{
	unsigned n = fill_n_running(f);
	struct upstreams *us = f->cache->upstreams;
	uint64_t wait_ms;

	return n < width(f) &&
	    (n == 0 || upstream_has_room(us, f->endpoint, fill_class(f))) &&
	    upstream_may_try(
		us, f->target.upstream, f->endpoint, CLASS_PULL, &wait_ms);
}

void
spread(struct fill *f)
{
	uint64_t start, end;
	struct err err;

	if (f->expected_size == 0 || !spread_next(f, &start, &end) ||
	    !may_add(f))
		return;
	if (lane_start(idle_lane(f), start, end, &err) != 0)
		f->n_lanes_max =
		    1; /* no memory: others go on, or a try tells */
}

/* One that had brought nothing, beside others: so many and no more, until
 * others have arrived. */
void
spread_note(struct fill *f, const struct lane *l, bool is_well)
{
	unsigned n = fill_n_running(f);

	if (is_well && f->n_lanes_max < FILL_LANES_MAX)
		f->n_lanes_max++;
	else if (!is_well && l->had < DRAFT_CHUNK && n > 0)
		f->n_lanes_max = n;
}
