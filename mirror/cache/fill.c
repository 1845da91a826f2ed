/*
 * fill.c - the life of a blob on its way into the store.  States: fill.h.
 *
 * A state's step function runs when its wait may be over; it moves on or goes
 * on waiting.  Callbacks only wake it.  Its transfers are lanes (lane.h): TRY
 * starts one, and BODY others beside it where the endpoint has `segments`.
 *
 * Always true:
 *  1. Readers are told only of bytes that are in the draft's file, and of the
 *     held-back end only after its digest matched.
 *  2. Lanes run in HEAD and BODY only; draft is set from OPEN to KEEP.
 *  3. Every follower hears exactly one last news.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "fill_int.h"
#include "flight.h"

#define EAR_MS 200
#define TURN_MS 100       /* the rest before another upstream's turn */
#define FILL_DRAFTS_MAX 4 /* drafts of one fill, one after the other */

static enum fill_step step_open(struct fill *);
static enum fill_step step_try(struct fill *);
static enum fill_step step_head(struct fill *);
static enum fill_step step_body(struct fill *);
static enum fill_step step_rest(struct fill *);
static enum fill_step step_hash(struct fill *);
static enum fill_step step_keep(struct fill *);
static enum fill_step step_end(struct fill *);
static struct draft *fill_open_draft(
    struct fill *, unsigned copy, struct err *err);

/* clang-format off */
#define TO(s) (1u << FILL_##s)
static const struct {
	const char *name;
	enum fill_step (*step)(struct fill *);
	unsigned next;
} states[] = {
	[FILL_OPEN]   = { "open",   step_open,   TO(TRY) | TO(HASH) | TO(FAILED) },
	[FILL_TRY]    = { "try",    step_try,    TO(HEAD) | TO(REST) | TO(FAILED) },
	[FILL_HEAD]   = { "head",   step_head,   TO(BODY) | TO(TRY) | TO(OPEN) | TO(FAILED) },
	[FILL_BODY]   = { "body",   step_body,   TO(TRY) | TO(HASH) | TO(OPEN) | TO(FAILED) },
	[FILL_REST]   = { "rest",   step_rest,   TO(TRY) | TO(FAILED) },
	[FILL_HASH]   = { "hash",   step_hash,   TO(KEEP) | TO(OPEN) | TO(FAILED) },
	[FILL_KEEP]   = { "keep",   step_keep,   TO(DONE) | TO(FAILED) },
	[FILL_DONE]   = { "done",   step_end,    0 },
	[FILL_FAILED] = { "failed", step_end,    0 },
};
#undef TO
/* clang-format on */

/* ---- driving the states ------------------------------------------------ */

static void
fill_check(const struct fill *f)
{
	check(fill_n_running(f) == 0 || f->state == FILL_HEAD ||
	    f->state == FILL_BODY);
	check(f->draft != NULL || f->state >= FILL_DONE);
	check(!f->is_verified || f->state >= FILL_HASH);
}

enum fill_step
fill_move(struct fill *f, enum fill_state to)
{
	check(states[f->state].next & (1u << to));
	log_debug("fill moves", LOG_DIGEST("digest", &f->target.digest),
	    LOG_Z("from", states[f->state].name), LOG_Z("to", states[to].name));
	f->state = to;
	return STEP_AGAIN;
}

static void fill_free(struct fill *);

void
fill_run(struct fill *f)
{
	do
		fill_check(f);
	while (states[f->state].step(f) == STEP_AGAIN);
	if (f->state >= FILL_DONE)
		fill_free(f);
}

static uint64_t
now_ms(const struct fill *f)
{
	return loop_now_ms(f->cache->origin);
}

void
fill_close_lanes(struct fill *f)
{
	timer_stop(&f->ear);
	timer_stop(&f->widen);
	for (size_t i = 0; i < FILL_LANES_MAX; i++)
		lane_close(&f->lanes[i]);
}

enum fill_step
fill_fail(struct fill *f, const struct err *why)
{
	f->error = *why;
	fill_close_lanes(f);
	return fill_move(f, FILL_FAILED);
}

/* ---- who waits for it ---------------------------------------------------- */

static bool
has_readers(const struct fill *f)
{
	return (f->stream == NULL && fill_has_client(f)) ||
	    (f->stream != NULL &&
		atomic_load_explicit(
		    &f->stream->n_readers, memory_order_relaxed) > 0);
}

enum link_class
fill_class(const struct fill *f)
{
	return has_readers(f) ? CLASS_PULL : CLASS_PREWARM;
}

void
fill_look_for_readers(struct fill *f)
{
	enum link_class class = fill_class(f);

	for (size_t i = 0; i < FILL_LANES_MAX; i++)
		if (f->lanes[i].fetch != NULL)
			fetch_set_class(f->lanes[i].fetch, class);
	if (class == CLASS_PULL)
		timer_stop(&f->ear);
	else if (!timer_is_set(&f->ear))
		timer_set(&f->ear, EAR_MS);
}

/* ---- callbacks --------------------------------------------------------- */

static void
on_ear(void *arg)
{
	struct fill *f = arg;

	if (fill_n_running(f) > 0)
		fill_look_for_readers(f);
}

static void
on_widen(void *arg)
{
	struct fill *f = arg;

	if (f->state == FILL_BODY)
		spread(f);
}

/* The disk may fail a draft while its bytes still come. */
static bool
is_broken(const struct fill *f)
{
	return f->state > FILL_OPEN && f->state < FILL_HASH &&
	    draft_state(f->draft) == DRAFT_BROKEN;
}

/* Hashing, and with it the comparison, went on. */
static void
on_draft(void *arg)
{
	struct fill *f = arg;

	if (f->rejected != NULL && f->stream != NULL)
		fill_tell_comparison(f);
	if (is_broken(f))
		(void)fill_fail(f, draft_error(f->draft));
	fill_run(f);
}

static void
on_timer(void *arg)
{
	struct fill *f = arg;

	f->is_resting = false;
	fill_run(f);
}

/* A head came, or the cache is closing; what is being kept ends by itself. */
static void
on_soon(void *arg)
{
	struct fill *f = arg;

	if ((f->cache->is_closing || f->is_abandoned) && f->state < FILL_KEEP) {
		(void)err_set(&f->error, ERR_CANCELLED,
		    "the mirror is stopping; ask again");
		(void)fill_fail(f, &f->error);
	}
	fill_run(f);
}

/* ---- states: getting the bytes ----------------------------------------- */

static bool
is_member(const struct fill *f)
{
	struct member_row row;
	bool is_one = index_find_member(f->cache->reader,
	    target_scope(&f->target), &f->target.digest, &row);

	index_release(f->cache->reader);
	return is_one;
}

static bool
is_complete(const struct fill *f)
{
	return draft_size(f->draft) != 0 &&
	    draft_front(f->draft) == draft_size(f->draft);
}

bool
fill_is_empty(const struct fill *f)
{
	uint64_t start, end, size = draft_size(f->draft);

	return draft_gap(f->draft, 0, &start, &end) && start == 0 &&
	    (end == size || end == UINT64_MAX);
}

unsigned
fill_n_running(const struct fill *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < FILL_LANES_MAX; i++)
		n += f->lanes[i].state != LANE_IDLE;
	return n;
}

static enum fill_step
step_open(struct fill *f)
{
	struct err err;

	if (draft_state(f->draft) == DRAFT_OPENING)
		return STEP_WAIT;
	if (draft_state(f->draft) == DRAFT_BROKEN)
		return fill_fail(f, draft_error(f->draft));
	if (f->rejected != NULL)
		draft_compare(f->draft, f->rejected);
	f->is_resuming = draft_was_resumed(f->draft);
	if (f->expected_size != 0)
		draft_set_size(f->draft, f->expected_size);
	else if (f->is_resuming)
		f->expected_size = draft_size(f->draft);
	if (!is_complete(f) || !is_member(f))
		return fill_move(f, FILL_TRY);
	if (fill_tell_stream(f, &err) != 0)
		return fill_fail(f, &err);
	return fill_move(f, FILL_HASH);
}

/* The first of what is missing; of a draft that an earlier run completed the
 * last byte, so that the upstream says whether this repository may have it. */
static int
start_lane(struct fill *f, struct err *err)
{
	uint64_t start = draft_size(f->draft) - 1, end = LANE_TO_END;

	if (!is_complete(f))
		check(spread_next(f, &start, &end));
	f->is_distrusting = (f->is_distrusting && !fill_is_empty(f)) ||
	    upstream_is_distrusted(
		f->cache->upstreams, f->target.upstream, f->endpoint);
	f->endpoints_used |= attempt_bit(&f->attempt, f->endpoint);
	return lane_start(&f->lanes[0], start, end, err);
}

/* Until when is it worth trying? */
static uint64_t
deadline_ms(const struct fill *f)
{
	const struct config_link *link =
	    f->endpoint != NULL ? f->endpoint->link : NULL;

	if (f->stream == NULL)
		return f->patient_until_ms;
	return f->progress_ms + (link != NULL ? link->stall_ms : FILL_STALL_MS);
}

/* Nobody is left to ask, or time is up. */
static enum fill_step
give_up(struct fill *f)
{
	struct err err = f->attempt.error;

	err.code = cache_error_code(
	    &f->target, f->attempt.result, ERR_BLOB_UNKNOWN, err.code);
	return fill_fail(f, &err);
}

static enum fill_step
rest_or_fail(struct fill *f, uint64_t wait_ms)
{
	uint64_t now = now_ms(f), until = deadline_ms(f);

	if (now >= until)
		return give_up(f);
	if (wait_ms > TURN_MS && fill_has_new_source(f))
		wait_ms = TURN_MS;
	if (f->stream == NULL && f->attempt.is_barred && wait_ms > until - now)
		return give_up(f);
	if (wait_ms > until - now)
		wait_ms = until - now;
	f->is_resting = true;
	timer_set(&f->timer, wait_ms);
	return fill_move(f, FILL_REST);
}

/* Others may have been silent until there was no time left: each endpoint is
 * asked once all the same. */
static bool
has_time(struct fill *f)
{
	uint64_t now = now_ms(f);

	if (f->stream != NULL || now < f->patient_until_ms)
		return true;
	if (f->endpoints_late & attempt_bit(&f->attempt, f->endpoint))
		return false;
	f->endpoints_late |= attempt_bit(&f->attempt, f->endpoint);
	f->patient_until_ms = now + ASK_PATIENCE_MS;
	return true;
}

/* What one can't do, another may. */
static void
take_endpoint(struct fill *f, const struct config_endpoint *e)
{
	if (e != f->endpoint) {
		f->is_single = false;
		f->n_lanes_max = FILL_LANES_MAX;
	}
	f->endpoint = e;
}

static enum fill_step
step_try(struct fill *f)
{
	const struct config_endpoint *endpoint;
	uint64_t wait_ms = 0, now;
	struct err err;

	f->attempt.class = fill_class(f);
	switch (attempt_next(&f->attempt, &endpoint, &wait_ms)) {
	case ATTEMPT_GO:
		take_endpoint(f, endpoint);
		break;
	case ATTEMPT_WAIT:
		return rest_or_fail(f, wait_ms);
	case ATTEMPT_OVER:
		return give_up(f);
	}
	if (!has_time(f))
		return give_up(f);
	if (start_lane(f, &err) != 0)
		return fill_fail(f, &err);
	now = now_ms(f);
	if (f->stream == NULL)
		timer_set(&f->timer,
		    f->patient_until_ms > now ? f->patient_until_ms - now : 0);
	return fill_move(f, FILL_HEAD);
}

static enum fill_step
step_rest(struct fill *f)
{
	if (f->is_resting)
		return STEP_WAIT;
	fill_turn(f);
	return fill_move(f, FILL_TRY);
}

enum fill_step
fill_start_over(struct fill *f, const struct err *why)
{
	struct draft *next;
	struct err err;

	fill_close_lanes(f);
	if (f->n_drafts >= FILL_DRAFTS_MAX) {
		err = *why;
		err.code = cache_error_code(
		    &f->target, FETCH_FAILED, ERR_BLOB_UNKNOWN, why->code);
		return fill_fail(f, &err);
	}
	next = fill_open_draft(f, f->n_drafts, &err);
	if (next == NULL)
		return fill_fail(f, &err);
	fill_tell_halt(f);
	draft_compare(f->draft, NULL);
	draft_drop(f->rejected);
	f->rejected = f->draft;
	f->draft = next;
	f->n_drafts++;
	f->endpoints_used = 0;
	f->is_distrusting = false;
	f->validator = (struct validator){ .etag = "" };
	f->expected_size = f->named_size;
	stream_unref(f->stream);
	f->stream = NULL;
	f->patient_until_ms = now_ms(f) + FILL_STALL_MS;
	return fill_move(f, FILL_OPEN);
}

static enum fill_step
head_is_late(struct fill *f)
{
	struct err err;

	(void)err_set(&err, ERR_TIMED_OUT,
	    "%s: no answer from %s in time; try again", f->target.scope,
	    f->endpoint->name);
	if (f->stream != NULL)
		return fill_fail(f, &err);
	fill_close_lanes(f);
	attempt_failed(&f->attempt, f->endpoint, FETCH_UNREACHABLE, &err);
	return fill_move(f, FILL_TRY);
}

static enum fill_step
step_head(struct fill *f)
{
	struct lane *l = &f->lanes[0];
	struct err err;

	if (l->state == LANE_ASKED && lane_has_ended(l)) {
		timer_stop(&f->timer);
		return fill_end_lane(f, l) == END_MOVED
		    ? STEP_AGAIN
		    : fill_move(f, FILL_TRY);
	}
	if (l->state == LANE_ASKED && now_ms(f) >= deadline_ms(f))
		return head_is_late(f);
	if (l->state == LANE_ASKED)
		return STEP_WAIT;
	timer_stop(&f->timer);
	if (fill_tell_stream(f, &err) != 0)
		return fill_fail(f, &err);
	return fill_move(f, FILL_BODY);
}

static enum fill_step
all_is_here(struct fill *f)
{
	struct err err;

	if (fill_tell_stream(f, &err) != 0)
		return fill_fail(f, &err);
	return fill_move(f, FILL_HASH);
}

static enum fill_step
step_body(struct fill *f)
{
	unsigned n_well = 0;

	for (size_t i = 0; i < FILL_LANES_MAX; i++) {
		enum lane_end end;

		if (!lane_has_ended(&f->lanes[i]))
			continue;
		end = fill_end_lane(f, &f->lanes[i]);
		if (end == END_MOVED)
			return STEP_AGAIN;
		n_well += end == END_WELL;
	}
	for (; n_well > 0; n_well--)
		spread(f);
	if (fill_n_running(f) > 0)
		return STEP_WAIT;
	return is_complete(f) ? all_is_here(f) : fill_move(f, FILL_TRY);
}

/* ---- states: the bytes are here ---------------------------------------- */

/* Who is to blame?  A draft of one run and one endpoint is that endpoint's. */
static void
blame(struct fill *f)
{
	struct err err;

	(void)err_set(&err, ERR_DIGEST_MISMATCH,
	    "%s: %s sent other bytes than the digest names; the upstream is "
	    "broken or tampered with",
	    f->target.scope, f->endpoint != NULL ? f->endpoint->name : "disk");
	metric_count1(M_fill_broken_total, "digest", 1);
	log_warn("wrong bytes", LOG_DIGEST("digest", &f->target.digest),
	    LOG_ERR(&err));
	f->error = err;
	if (draft_was_resumed(f->draft) || f->endpoint == NULL ||
	    (f->endpoints_used & (f->endpoints_used - 1)) != 0) {
		f->attempt.error = err;
		attempt_progressed(&f->attempt);
		return;
	}
	attempt_exclude(&f->attempt, f->endpoint, &err);
	attempt_progressed(&f->attempt);
}

static enum fill_step
step_hash(struct fill *f)
{
	struct index_batch *batch;

	if (draft_state(f->draft) == DRAFT_BROKEN)
		return fill_fail(f, draft_error(f->draft));
	if (!draft_is_hashed(f->draft))
		return STEP_WAIT;
	if (!draft_matches(f->draft)) {
		blame(f);
		return fill_start_over(f, &f->error);
	}
	f->is_verified = true;
	fill_tell_verified(f);
	batch = index_batch_new();
	if (batch == NULL)
		return fill_fail(f,
		    &(struct err){
			ERR_NO_MEMORY, "no memory for the index rows" });
	index_batch_member(batch, target_scope(&f->target), &f->target.digest,
	    draft_size(f->draft));
	draft_keep(f->draft, target_is_public(&f->target), batch);
	return fill_move(f, FILL_KEEP);
}

static enum fill_step
step_keep(struct fill *f)
{
	if (draft_state(f->draft) == DRAFT_KEEPING)
		return STEP_WAIT;
	if (draft_state(f->draft) == DRAFT_BROKEN)
		return fill_fail(f, draft_error(f->draft));
	metric_observe(
	    metric_get(M_fill_seconds), clock_mono_us() - f->started_us);
	return fill_move(f, FILL_DONE);
}

static enum fill_step
step_end(struct fill *f)
{
	(void)f;
	return STEP_WAIT;
}

/* ---- birth and death --------------------------------------------------- */

static struct draft *
fill_open_draft(struct fill *f, unsigned copy, struct err *err)
{
	struct draft_spec spec = {
		.store = f->cache->store,
		.loop = f->cache->origin,
		.digest = f->target.digest,
		.copy = copy,
		.on_event = on_draft,
		.arg = f,
	};

	return draft_open(&spec, err);
}

struct fill *
fill_start(struct cache *c, const struct target *target, uint64_t expected_size,
    struct err *err)
{
	struct fill *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a fill");
		return NULL;
	}
	f->cache = c;
	target_copy(&f->target, target);
	f->named_size = f->expected_size = expected_size;
	f->draft = fill_open_draft(f, 0, err);
	if (f->draft == NULL ||
	    map_put(c->fills, &f->target.digest,
		digest_key_size(&f->target.digest), f) != 0) {
		(void)err_set(err, ERR_OVERLOADED,
		    "%zu blobs are being brought in already; try again later",
		    map_count(c->fills));
		draft_drop(f->draft);
		target_done(&f->target);
		free(f);
		return NULL;
	}
	f->n_drafts = 1;
	f->n_lanes_max = FILL_LANES_MAX;
	for (size_t i = 0; i < FILL_LANES_MAX; i++)
		f->lanes[i].fill = f;
	f->state = FILL_OPEN;
	TAILQ_INIT(&f->followers);
	attempt_init(&f->attempt, c->upstreams, target->upstream);
	timer_init(&f->timer, c->origin, on_timer, f);
	timer_init(&f->soon, c->origin, on_soon, f);
	timer_init(&f->ear, c->origin, on_ear, f);
	timer_init(&f->widen, c->origin, on_widen, f);
	f->started_us = clock_mono_us();
	f->progress_ms = now_ms(f);
	f->patient_until_ms = f->progress_ms + fill_patience_ms(f);
	cache_busy(c);
	metric_add(metric_get(M_fills), 1);
	return f;
}

void
fill_cancel(struct fill *f)
{
	timer_set(&f->soon, 0);
}

/* What may be resumed stays; what is wrong, and second drafts, are removed. */
static void
close_drafts(struct fill *f)
{
	bool is_wrong = f->error.code == ERR_DIGEST_MISMATCH || f->n_drafts > 1;

	draft_compare(f->draft, NULL);
	draft_drop(f->rejected);
	if (f->state == FILL_DONE || (!is_wrong && draft_front(f->draft) > 0))
		draft_leave(f->draft);
	else
		draft_drop(f->draft);
}

static void
report_failure(struct fill *f)
{
	enum fetch_result result = f->attempt.result;
	struct cache_key key;

	if (f->error.code == ERR_CANCELLED)
		return;
	log_warn("fill failed", LOG_DIGEST("digest", &f->target.digest),
	    LOG_Z("scope", f->target.scope), LOG_ERR(&f->error));
	if (!f->attempt.has_failed && result == FETCH_NOT_FOUND) {
		cache_key(&key, ASK_BLOB, &f->target);
		flight_remember(f->cache, &key, ERR_BLOB_UNKNOWN);
	}
}

static void
fill_free(struct fill *f)
{
	struct cache *c = f->cache;

	(void)map_take(
	    c->fills, &f->target.digest, digest_key_size(&f->target.digest));
	if (f->state == FILL_FAILED)
		report_failure(f);
	close_drafts(f);
	if (f->state == FILL_DONE)
		fill_tell_kept(f);
	else
		fill_tell_failed(f);
	stream_unref(f->stream);
	timer_stop(&f->timer);
	timer_stop(&f->soon);
	timer_stop(&f->ear);
	timer_stop(&f->widen);
	target_done(&f->target);
	free(f);
	metric_add(metric_get(M_fills), -1);
	cache_idle(c);
}
