/*
 * lane_end.c - what the end of a transfer means for its fill: which endpoint is
 * to be asked next, and whether what came so far may stay.
 */
#include "common/metrics.h"
#include "fill_int.h"

static const char *
fill_reason(enum fetch_result result)
{
	if (result == FETCH_UNREACHABLE)
		return "unreachable";
	if (result == FETCH_BROKEN)
		return "cut";
	if (result == FETCH_STOPPED)
		return "length";
	if (result == FETCH_HELD)
		return "link";
	return "refused";
}

static bool
is_our_fault(enum err_code code)
{
	return code == ERR_DISK || code == ERR_DISK_FULL ||
	    code == ERR_NO_MEMORY;
}

/* What an endpoint says of the blob is not what a manifest, or others before
 * it, said.  A manifest is right; of two endpoints we can't know, so the one
 * that is here now gets its chance, with a draft of its own. */
static void
settle_dispute(struct fill *f, const struct lane *l, const struct err *why)
{
	const struct config_endpoint *all = f->target.upstream->endpoints;
	uint64_t this = attempt_bit(&f->attempt, f->endpoint);
	size_t i;

	fill_close_lanes(f);
	if (f->named_size != 0 || (f->endpoints_used == this && l->was_first)) {
		attempt_exclude(&f->attempt, f->endpoint, why);
		(void)fill_move(f, FILL_TRY);
		return;
	}
	for (i = 0; i < f->target.upstream->n_endpoints; i++) {
		if (f->endpoints_used & ~this &
		    attempt_bit(&f->attempt, &all[i]))
			attempt_exclude(&f->attempt, &all[i], why);
	}
	attempt_progressed(&f->attempt);
	(void)fill_start_over(f, why);
}

/* Not well enough to be asked on at once. */
static enum lane_end
end_badly(struct fill *f, const struct lane *l)
{
	if (l->had >= DRAFT_CHUNK) { /* who brought us on may */
		attempt_progressed(&f->attempt);
		timer_set(&f->widen, WIDEN_MS);
	}
	spread_note(f, l, false);
	return END_BADLY;
}

/* The empty blob is never asked for, so an empty answer is a wrong one. */
static enum lane_end
nothing_came(struct fill *f)
{
	struct err err;

	(void)err_set(&err, ERR_UPSTREAM_BROKEN,
	    "%s: %s sent an empty body for a blob that is not empty",
	    f->target.scope, f->endpoint->name);
	fill_close_lanes(f);
	attempt_exclude(&f->attempt, f->endpoint, &err);
	(void)fill_move(f, FILL_TRY);
	return END_MOVED;
}

/* A whole answer, though perhaps not all that was asked for. */
static enum lane_end
take_done(struct fill *f, const struct lane *l)
{
	if (l->at == 0)
		return nothing_came(f);
	if (f->expected_size == 0) {
		f->expected_size = l->at;
		draft_set_size(f->draft, l->at);
	}
	if (!lane_has_arrived(l) && l->had < DRAFT_CHUNK)
		return end_badly(f, l);
	attempt_progressed(&f->attempt);
	spread_note(f, l, true);
	return END_WELL;
}

/* The transfer ended short of what was wanted: ask again, or elsewhere. */
static enum lane_end
take_failed(struct fill *f, const struct lane *l, enum fetch_result result,
    const struct err *why)
{
	if (result == FETCH_STOPPED && is_our_fault(why->code)) {
		(void)fill_fail(f, why);
		return END_MOVED;
	}
	if (l->asks_again) {
		attempt_progressed(&f->attempt);
		return END_BADLY;
	}
	metric_count1(M_fill_broken_total, fill_reason(result), 1);
	f->is_resuming = true;
	if (result == FETCH_STOPPED) {
		settle_dispute(f, l, why);
		return END_MOVED;
	}
	if (why->code == ERR_RANGE_INVALID && !l->was_first) {
		(void)fill_start_over(
		    f, why); /* not where we thought it ends */
		return END_MOVED;
	}
	if (fill_n_running(f) == 0)
		attempt_failed(&f->attempt, f->endpoint, result, why);
	return end_badly(f, l);
}

enum lane_end
fill_end_lane(struct fill *f, struct lane *l)
{
	enum fetch_result result = fetch_result(l->fetch);
	struct err err = *fetch_error(l->fetch);

	lane_close(l);
	if (fill_n_running(f) == 0)
		timer_stop(&f->ear);
	if (result == FETCH_DONE)
		return take_done(f, l);
	return take_failed(f, l, result, &err);
}
