/*
 * fill.c - the life of a blob on its way into the store.  States: fill.h.
 *
 * A state's step function runs when its wait may be over; it moves on or goes
 * on waiting.  Callbacks only wake it, but for the two that libcurl calls with
 * a head and with bytes: those look and store, nothing else.
 *
 * Always true:
 *  1. Readers are told only of bytes that are in the draft's file, and of the
 *     held-back end only after its digest matched.
 *  2. fetch is set in HEAD and BODY only; draft from OPEN to KEEP.
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
#define FILL_DRAFTS_MAX 4 /* drafts of one fill, one after the other */

enum step { STEP_AGAIN, STEP_WAIT };

static enum step step_open(struct fill *);
static enum step step_try(struct fill *);
static enum step step_head(struct fill *);
static enum step step_body(struct fill *);
static enum step step_rest(struct fill *);
static enum step step_hash(struct fill *);
static enum step step_keep(struct fill *);
static enum step step_end(struct fill *);
static struct draft *fill_open_draft(
    struct fill *, unsigned copy, struct err *err);

/* clang-format off */
#define TO(s) (1u << FILL_##s)
static const struct {
	const char *name;
	enum step (*step)(struct fill *);
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
	check(
	    f->fetch == NULL || f->state == FILL_HEAD || f->state == FILL_BODY);
	check(f->draft != NULL || f->state >= FILL_DONE);
	check(!f->is_verified || f->state >= FILL_HASH);
}

static enum step
fill_move(struct fill *f, enum fill_state to)
{
	check(states[f->state].next & (1u << to));
	log_debug("fill moves", LOG_DIGEST("digest", &f->target.digest),
	    LOG_Z("from", states[f->state].name), LOG_Z("to", states[to].name));
	f->state = to;
	return STEP_AGAIN;
}

static void fill_free(struct fill *);

static void
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

static void
close_fetch(struct fill *f)
{
	timer_stop(&f->ear);
	fetch_close(f->fetch);
	f->fetch = NULL;
}

static enum step
fill_fail(struct fill *f, const struct err *why)
{
	f->error = *why;
	close_fetch(f);
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

static enum link_class
class_of(const struct fill *f)
{
	return has_readers(f) ? CLASS_PULL : CLASS_PREWARM;
}

/* Whom nobody waits for steps aside on the link, until somebody does. */
static void
look_for_readers(struct fill *f)
{
	enum link_class class = class_of(f);

	fetch_set_class(f->fetch, class);
	if (class == CLASS_PULL)
		timer_stop(&f->ear);
	else if (!timer_is_set(&f->ear))
		timer_set(&f->ear, EAR_MS);
}

/* ---- callbacks --------------------------------------------------------- */

/* Is this head one that we can go on with?  Stores what it says. */
static int
on_head(void *arg, const struct fetch_head *head, struct err *err)
{
	struct fill *f = arg;
	int64_t total = head->status == 206 ? head->total : head->length;

	if (total > 0 && f->expected_size != 0 &&
	    (uint64_t)total != f->expected_size)
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "%s says the blob has %lld bytes, it must have %llu",
		    f->endpoint->name, (long long)total,
		    (unsigned long long)f->expected_size);
	f->at = head->first;
	if (f->expected_size == 0 && total > 0)
		f->expected_size = (uint64_t)total;
	if (f->expected_size != 0)
		draft_set_size(f->draft, f->expected_size);
	if (f->expected_size > draft_front(f->draft) &&
	    store_has_room(f->cache->store,
		f->expected_size - draft_front(f->draft), err) != 0)
		return -1;
	f->has_head = true;
	timer_set(&f->soon, 0);
	return 0;
}

static int
on_bytes(void *arg, const void *bytes, size_t n, struct err *err)
{
	struct fill *f = arg;
	uint64_t front = draft_front(f->draft), skip = 0;

	if (f->expected_size != 0 && n > f->expected_size - f->at)
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "%s sends more than the blob's %llu bytes",
		    f->endpoint->name, (unsigned long long)f->expected_size);
	if (f->at < front) /* it sends again what is here */
		skip = front - f->at < n ? front - f->at : n;
	f->at += n;
	if (skip == n)
		return 0;
	f->progress_ms = now_ms(f);
	if (draft_write(f->draft, f->at - n + skip, (const char *)bytes + skip,
		n - skip, err) != 0)
		return -1;
	if (f->stream != NULL)
		fill_tell_front(f);
	look_for_readers(f);
	return 0;
}

static void
on_wake(void *arg)
{
	fill_run(arg);
}

static void
on_ear(void *arg)
{
	struct fill *f = arg;

	if (f->fetch != NULL)
		look_for_readers(f);
}

/* Hashing, and with it the comparison, went on. */
static void
on_draft(void *arg)
{
	struct fill *f = arg;

	if (f->rejected != NULL && f->stream != NULL)
		fill_tell_comparison(f);
	fill_run(f);
}

static void
on_timer(void *arg)
{
	struct fill *f = arg;

	f->is_resting = false;
	fill_run(f);
}

/* A head came, or the cache is closing; the disk's part ends by itself. */
static void
on_soon(void *arg)
{
	struct fill *f = arg;

	if ((f->cache->is_closing || f->is_abandoned) && f->state < FILL_HASH) {
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

static enum step
step_open(struct fill *f)
{
	struct err err;

	if (draft_state(f->draft) == DRAFT_OPENING)
		return STEP_WAIT;
	if (draft_state(f->draft) == DRAFT_BROKEN)
		return fill_fail(f, draft_error(f->draft));
	if (f->rejected != NULL)
		draft_compare(f->draft, f->rejected);
	if (f->expected_size != 0)
		draft_set_size(f->draft, f->expected_size);
	if (!is_complete(f) || !is_member(f))
		return fill_move(f, FILL_TRY);
	if (fill_tell_stream(f, &err) != 0)
		return fill_fail(f, &err);
	return fill_move(f, FILL_HASH);
}

/* What is missing; of a draft that an earlier run completed the last byte, so
 * that the upstream says whether this repository may have it. */
static uint64_t
next_offset(const struct fill *f)
{
	uint64_t front = draft_front(f->draft);

	return is_complete(f) ? front - 1 : front;
}

static uint64_t
bit_of(const struct fill *f, const struct config_endpoint *e)
{
	return 1ull << ((e - f->target.upstream->endpoints) & 63);
}

static int
start_fetch(struct fill *f, struct err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct fetch_spec spec = {
		.upstreams = f->cache->upstreams,
		.config = f->target.config,
		.upstream = f->target.upstream,
		.endpoint = f->endpoint,
		.target = FETCH_BLOB,
		.repository = target_repository(&f->target),
		.reference = str_of(digest_text(&f->target.digest, text)),
		.offset = next_offset(f),
		.class = class_of(f),
		.on_head = on_head,
		.on_bytes = on_bytes,
		.on_end = on_wake,
		.arg = f,
	};

	if (spec.offset > 0)
		metric_count1(
		    M_fill_resumed_total, link_class_name(spec.class), 1);
	f->has_head = false;
	f->is_distrusting = upstream_is_distrusted(
	    f->cache->upstreams, f->target.upstream, f->endpoint);
	f->front_at_try = draft_front(f->draft);
	f->endpoints_used |= bit_of(f, f->endpoint);
	f->fetch = fetch_start(&spec, err);
	return f->fetch != NULL ? 0 : -1;
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
static enum step
give_up(struct fill *f)
{
	struct err err = f->attempt.error;

	err.code = cache_error_code(
	    &f->target, f->attempt.result, ERR_BLOB_UNKNOWN, err.code);
	return fill_fail(f, &err);
}

static enum step
rest_or_fail(struct fill *f, uint64_t wait_ms)
{
	uint64_t now = now_ms(f), until = deadline_ms(f);

	if (now >= until)
		return give_up(f);
	if (wait_ms > until - now)
		wait_ms = until - now;
	f->is_resting = true;
	timer_set(&f->timer, wait_ms);
	return fill_move(f, FILL_REST);
}

static enum step
step_try(struct fill *f)
{
	uint64_t wait_ms = 0, now = now_ms(f);
	struct err err;

	f->attempt.class = class_of(f);
	switch (attempt_next(&f->attempt, &f->endpoint, &wait_ms)) {
	case ATTEMPT_GO:
		break;
	case ATTEMPT_WAIT:
		return rest_or_fail(f, wait_ms);
	case ATTEMPT_OVER:
		return give_up(f);
	}
	if (start_fetch(f, &err) != 0)
		return fill_fail(f, &err);
	if (f->stream == NULL && f->patient_until_ms > now)
		timer_set(&f->timer, f->patient_until_ms - now);
	return fill_move(f, FILL_HEAD);
}

static enum step
step_rest(struct fill *f)
{
	return f->is_resting ? STEP_WAIT : fill_move(f, FILL_TRY);
}

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

/* Another draft from zero; readers of this one stop, and go on from the next as
 * far as both have the same. */
static enum step
start_over(struct fill *f, const struct err *why)
{
	struct draft *next;
	struct err err;

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
	f->expected_size = f->named_size;
	stream_unref(f->stream);
	f->stream = NULL;
	f->patient_until_ms = now_ms(f) + FILL_STALL_MS;
	return fill_move(f, FILL_OPEN);
}

/* What an endpoint says of the blob is not what a manifest, or others before
 * it, said.  A manifest is right; of two endpoints we can't know, so the one
 * that is here now gets its chance, with a draft of its own. */
static enum step
settle_dispute(struct fill *f, const struct err *why)
{
	const struct config_endpoint *all = f->target.upstream->endpoints;
	uint64_t this = bit_of(f, f->endpoint);
	size_t i;

	if (f->named_size != 0 ||
	    (f->endpoints_used == this && f->front_at_try == 0)) {
		attempt_exclude(&f->attempt, f->endpoint, why);
		return fill_move(f, FILL_TRY);
	}
	for (i = 0; i < f->target.upstream->n_endpoints; i++) {
		if (f->endpoints_used & ~this & bit_of(f, &all[i]))
			attempt_exclude(&f->attempt, &all[i], why);
	}
	attempt_progressed(&f->attempt);
	return start_over(f, why);
}

/* Who brought us on may be asked again at once. */
static void
note_progress(struct fill *f)
{
	if (draft_front(f->draft) >= f->front_at_try + DRAFT_CHUNK)
		attempt_progressed(&f->attempt);
}

/* The fetch ended short of what was wanted: ask again, or elsewhere. */
static enum step
try_again(struct fill *f)
{
	enum fetch_result result = fetch_result(f->fetch);
	struct err err = *fetch_error(f->fetch);

	close_fetch(f);
	timer_stop(&f->timer);
	if (result == FETCH_STOPPED && is_our_fault(err.code))
		return fill_fail(f, &err);
	metric_count1(M_fill_broken_total, fill_reason(result), 1);
	if (result == FETCH_STOPPED)
		return settle_dispute(f, &err);
	if (err.code == ERR_RANGE_INVALID && f->front_at_try > 0)
		return start_over(f, &err); /* not where we thought it ends */
	attempt_failed(&f->attempt, f->endpoint, result, &err);
	note_progress(f);
	return fill_move(f, FILL_TRY);
}

static enum step
step_head(struct fill *f)
{
	struct err err;

	if (!f->has_head && fetch_result(f->fetch) != FETCH_RUNNING)
		return try_again(f);
	if (!f->has_head && now_ms(f) >= deadline_ms(f)) {
		(void)err_set(&err, ERR_TIMED_OUT,
		    "%s: no answer from %s in time; try again", f->target.scope,
		    f->endpoint->name);
		return fill_fail(f, &err);
	}
	if (!f->has_head)
		return STEP_WAIT;
	timer_stop(&f->timer);
	if (fill_tell_stream(f, &err) != 0)
		return fill_fail(f, &err);
	return fill_move(f, FILL_BODY);
}

/* The empty blob is never asked for, so an empty answer is a wrong one. */
static enum step
nothing_came(struct fill *f)
{
	struct err err;

	(void)err_set(&err, ERR_UPSTREAM_BROKEN,
	    "%s: %s sent an empty body for a blob that is not empty",
	    f->target.scope, f->endpoint->name);
	close_fetch(f);
	attempt_exclude(&f->attempt, f->endpoint, &err);
	return fill_move(f, FILL_TRY);
}

static enum step
step_body(struct fill *f)
{
	enum fetch_result result = fetch_result(f->fetch);
	struct err err;

	if (result == FETCH_RUNNING)
		return STEP_WAIT;
	if (result == FETCH_DONE && f->at == 0)
		return nothing_came(f);
	if (result == FETCH_DONE && f->expected_size == 0) {
		f->expected_size = f->at;
		draft_set_size(f->draft, f->at);
	}
	if (result == FETCH_DONE && is_complete(f)) {
		close_fetch(f);
		if (fill_tell_stream(f, &err) != 0)
			return fill_fail(f, &err);
		return fill_move(f, FILL_HASH);
	}
	if (result != FETCH_DONE)
		return try_again(f);
	close_fetch(f); /* a whole answer, but not all that is missing */
	note_progress(f);
	return fill_move(f, FILL_TRY);
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

static enum step
step_hash(struct fill *f)
{
	struct index_batch *batch;

	if (draft_state(f->draft) == DRAFT_BROKEN)
		return fill_fail(f, draft_error(f->draft));
	if (!draft_is_hashed(f->draft))
		return STEP_WAIT;
	if (!draft_matches(f->draft)) {
		blame(f);
		return start_over(f, &f->error);
	}
	f->is_verified = true;
	fill_tell_end(f, NEWS_ENDED, NULL);
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

static enum step
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

static enum step
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
	f->state = FILL_OPEN;
	TAILQ_INIT(&f->followers);
	attempt_init(&f->attempt, c->upstreams, target->upstream);
	timer_init(&f->timer, c->origin, on_timer, f);
	timer_init(&f->soon, c->origin, on_soon, f);
	timer_init(&f->ear, c->origin, on_ear, f);
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
	fill_tell_failed(f);
	stream_unref(f->stream);
	timer_stop(&f->timer);
	timer_stop(&f->soon);
	timer_stop(&f->ear);
	target_done(&f->target);
	free(f);
	metric_add(metric_get(M_fills), -1);
	cache_idle(c);
}
