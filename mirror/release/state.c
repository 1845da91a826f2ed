/*
 * state.c - how pieces, images and releases are doing, and what changes by
 * itself: with the clock, and when the index tells that something came or was
 * lost.
 *
 * States are not stored but looked up from what there is: pieces and their
 * sources, an operator's word, the clock.  What is kept per image and release
 * is the last look, so that changes can be told; a look follows at most TELL_MS
 * after something was touched.
 */
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "release_int.h"

#define TELL_MS 200
#define TICK_MS 1000

static void
say(struct release_why *why, const char *code, const char *text)
{
	(void)snprintf(why->code, sizeof(why->code), "%s", code);
	(void)snprintf(why->text, sizeof(why->text), "%s", text);
}

/* ---- pieces -------------------------------------------------------------- */

static enum release_state
show_source(const struct source *s, struct release_why *why, int64_t *next)
{
	*why = s->why;
	*next = s->state == SOURCE_GO ? s->hold_until : s->next_at;
	if (s->state == SOURCE_GO)
		say(why, "upstream_down",
		    "its upstream did not answer; it is asked again soon");
	return s->state == SOURCE_LATER ? RELEASE_PENDING : RELEASE_WAITING;
}

static bool
source_is_closed(const struct source *s)
{
	return s->state != SOURCE_GO || s->hold_until > now_s();
}

enum release_state
piece_show(const struct piece *p, struct release_why *why, int64_t *next)
{
	const struct source *s = TAILQ_FIRST(&p->edges)->image->source;

	say(why, "", "");
	*next = 0;
	switch (p->state) {
	case PIECE_RUNNING:
		if (p->source->state != SOURCE_GO)
			return show_source(p->source, why, next);
		return RELEASE_WARMING;
	case PIECE_LANDED:
		return RELEASE_WARMING;
	case PIECE_RESTING:
		say(why, err_oci_code(p->why.code), p->why.text);
		*next = p->next_try_at;
		return RELEASE_WAITING;
	case PIECE_FAILED:
		say(why, err_oci_code(p->why.code), p->why.text);
		*next = p->next_try_at;
		return RELEASE_FAILED;
	case PIECE_QUEUED:
		break;
	}
	if (source_is_closed(s))
		return show_source(s, why, next);
	return RELEASE_PENDING;
}

/* ---- images --------------------------------------------------------------- */

static bool
is_held(const struct release *r)
{
	return r->plan == NULL &&
	    (r->record.held_by[0] != '\0' || r->record.is_on_hold ||
		r->releases->freeze.is_on);
}

/* Which of two states of its pieces is the image's. */
static const int rank[RELEASE_STATE_COUNT] = {
	[RELEASE_READY] = 0,
	[RELEASE_PENDING] = 1,
	[RELEASE_WAITING] = 2,
	[RELEASE_WARMING] = 3,
	[RELEASE_HELD] = 4,
	[RELEASE_FAILED] = 5,
};

static enum release_state
show_pieces(const struct image *image, struct release_why *why, int64_t *next)
{
	enum release_state most = RELEASE_PENDING, state;
	struct release_why one;
	const struct edge *e;
	int64_t at;

	TAILQ_FOREACH (e, &image->edges, of_image) {
		state = piece_show(e->piece, &one, &at);
		if (at != 0 && (*next == 0 || at < *next))
			*next = at;
		if (rank[state] < rank[most] ||
		    (state == most && why->code[0] != '\0'))
			continue;
		most = state;
		*why = one;
	}
	return most;
}

void
image_state(const struct image *image, enum release_state *state,
    struct release_why *why, int64_t *next)
{
	const struct release *r = image->release;

	say(why, "", "");
	*next = 0;
	if (image->error != NULL) {
		*state = RELEASE_FAILED;
		*why = *image->error;
		*next = image->retry_at;
	} else if (image->is_known && image->n_missing == 0 &&
	    TAILQ_EMPTY(&image->edges)) {
		*state = RELEASE_READY;
	} else if (is_held(r)) {
		*state = RELEASE_HELD;
	} else if (!release_may_begin(r)) {
		*state = RELEASE_PENDING;
	} else {
		*state = show_pieces(image, why, next);
		if (*state == RELEASE_PENDING && why->code[0] == '\0' &&
		    image->n_missing < image->n_digests)
			*state = RELEASE_WARMING;
	}
}

static void
look_at_images(struct release *r)
{
	struct releases *rs = r->releases;
	struct release_why why;
	enum release_state state;
	int64_t next;

	memset(r->n_in_state, 0, sizeof(r->n_in_state));
	for (size_t i = 0; i < r->list->n_images; i++) {
		struct image *image = &r->images[i];
		uint32_t before = image->seen_missing;

		image_state(image, &state, &why, &next);
		r->n_in_state[state]++;
		if (state == image->state && before == image->n_missing &&
		    image->changed != 0)
			continue;
		image->state = state;
		image->seen_missing = image->n_missing;
		image->changed = rs->clock;
	}
}

/* ---- releases --------------------------------------------------------------- */

bool
release_may_begin(const struct release *r)
{
	int64_t now = now_s();

	if (r->plan != NULL)
		return true;
	return !r->is_just_back && !is_held(r) && r->list->not_before <= now &&
	    r->record.window_at <= now;
}

void
release_begin(struct release *r)
{
	if (r->record.begun_at != 0 || r->plan != NULL)
		return;
	r->record.begun_at = now_s();
	keep_release(r);
}

static enum release_state
why_held(const struct release *r, struct release_why *why)
{
	const struct freeze *f = &r->releases->freeze;

	if (f->is_on)
		say(why, "frozen", f->reason);
	else if (r->record.held_by[0] != '\0')
		say(why, "held", r->record.held_why);
	else
		say(why, "missed_window",
		    "the mirror was offline when the release's window passed; "
		    "`catch_up: hold` waits for an operator to resume it");
	return RELEASE_HELD;
}

static enum release_state
why_pending(const struct release *r, struct release_why *why)
{
	if (r->is_just_back)
		say(why, "starting", "what is here is being looked through");
	else if (r->list->not_before > now_s())
		say(why, "not_before", "it begins at `not_before`");
	else
		say(why, "missed_window",
		    "the mirror was offline when the release's window passed; "
		    "`catch_up: window` waits for the same hours of a later "
		    "day");
	return RELEASE_PENDING;
}

/* Of its images, which differ. */
static enum release_state
state_of_images(const struct release *r, struct release_why *why)
{
	static const enum release_state order[] = { RELEASE_WARMING,
		RELEASE_WAITING, RELEASE_PENDING, RELEASE_FAILED };
	enum release_state state;
	int64_t next;
	size_t i, k;

	for (k = 0; k < 4 && r->n_in_state[order[k]] == 0; k++)
		;
	if (k == 4 || r->n_dirty > 0)
		return RELEASE_WARMING;
	for (i = 0; i < r->list->n_images; i++) {
		if (r->images[i].state != order[k])
			continue;
		image_state(&r->images[i], &state, why, &next);
		break;
	}
	return order[k];
}

static enum release_state
state_of(const struct release *r, struct release_why *why)
{
	say(why, "", "");
	if (r->is_complete)
		return RELEASE_READY;
	if (is_held(r))
		return why_held(r, why);
	if (!release_may_begin(r))
		return why_pending(r, why);
	return state_of_images(r, why);
}

static void
set_state(struct release *r, enum release_state state)
{
	if (r->state == state)
		return;
	log_info("release", LOG_Z("name", r->name),
	    LOG_Z("from", release_state_name(r->state)),
	    LOG_Z("to", release_state_name(state)), LOG_Z("why", r->why.text));
	r->state = state;
}

static void
look_at_times(struct release *r)
{
	struct record *k = &r->record;
	int64_t now = now_s();

	if (r->is_complete && (k->ready_at == 0 || k->lost_at != 0)) {
		if (k->ready_at == 0)
			k->ready_at = now;
		k->lost_at = 0;
		keep_release(r);
	}
	if (!r->is_complete && k->ready_at != 0 && k->lost_at == 0 &&
	    r->n_dirty == 0 && !r->is_pinning) {
		k->lost_at = now;
		keep_release(r);
	}
}

/* All images are here, all pins written, and the index says the same. */
static bool
is_complete(const struct release *r)
{
	struct releases *rs = r->releases;
	struct pin_counts c;
	bool is_it;

	if (r->n_in_state[RELEASE_READY] != r->list->n_images ||
	    r->n_dirty > 0 || r->is_pinning)
		return false;
	is_it = index_find_counts(rs->reader, release_pins(r), &c) &&
	    c.n_missing == 0 && c.n_open == 0;
	index_release(rs->reader);
	return is_it || r->list->n_images == 0;
}

void
release_look(struct release *r)
{
	bool was_offline = r->state == RELEASE_WAITING;

	r->is_stale = false;
	r->releases->clock++;
	r->changed = r->releases->clock;
	look_at_images(r);
	if (r->plan != NULL) {
		plan_look(r);
		return;
	}
	r->is_complete = is_complete(r);
	look_at_times(r);
	catch_up_look(r, was_offline, now_s());
	set_state(r, state_of(r, &r->why));
}

void
release_touch(struct release *r)
{
	struct releases *rs = r->releases;

	r->is_stale = true;
	if (!timer_is_set(&rs->tell) && !rs->is_closing)
		timer_set(&rs->tell, TELL_MS);
}

/* ---- what changes by itself --------------------------------------------------- */

/* Of what its list names now; then what an older one named may go. */
static void
all_is_pinned(struct release *r)
{
	r->is_pinning = false;
	if (r->before[0] != '\0')
		keep_unpin(r->releases, r->before);
	r->before[0] = '\0';
}

void
releases_settle(struct releases *rs)
{
	struct release *r;

	if (rs->n_commits > 0 || !TAILQ_EMPTY(&rs->to_walk))
		return;
	if (!rs->has_lost_pins)
		rs->n_pin_tries = 0;
	TAILQ_FOREACH (r, &rs->all, entry) {
		if (!rs->has_lost_pins)
			all_is_pinned(r);
		if (!r->is_complete)
			release_touch(r);
	}
}

/* What was to be pinned and is not. */
static void
pin_again(struct releases *rs, int64_t now)
{
	struct release *r;

	if (!rs->has_lost_pins || now < rs->pin_again_at || rs->n_commits > 0)
		return;
	rs->has_lost_pins = false;
	TAILQ_FOREACH (r, &rs->all, entry)
		if (r->is_pinning)
			walk_release(r);
}

static bool
has_pinned(struct release *r, const struct digest *d)
{
	struct pin_row row;

	return index_find_pin(r->releases->reader, release_pins(r), d, &row);
}

static void
on_lost(struct releases *rs, const struct digest *d)
{
	struct release *r;

	TAILQ_FOREACH (r, &rs->all, entry)
		if (r->plan == NULL && has_pinned(r, d))
			walk_release(r);
	index_release(rs->reader);
}

static void
on_came(struct releases *rs, const struct digest *d)
{
	struct piece *p = piece_find(rs, d, false);

	if (p != NULL)
		piece_done(p);
}

void
on_pins_changed(void *arg, const struct pin_change *changes, size_t n)
{
	struct releases *rs = arg;
	struct release *r;

	if (rs->is_closing)
		return;
	for (size_t i = 0; i < n; i++) {
		if (changes[i].is_here)
			on_came(rs, &changes[i].digest);
		else
			on_lost(rs, &changes[i].digest);
	}
	if (n == 0)
		TAILQ_FOREACH (r, &rs->all, entry)
			walk_release(r);
}

static void
look_at_clock(struct release *r, int64_t now)
{
	bool may = release_may_begin(r);

	if (may != r->could_begin) {
		r->could_begin = may;
		r->idle_until_ms = 0;
		for (size_t i = 0; i < r->list->n_images; i++)
			image_claim(&r->images[i]);
		release_touch(r);
	}
	if (!r->is_complete && r->list->deadline != 0 &&
	    now > r->list->deadline && !r->record.is_caught)
		release_touch(r);
	if (r->plan != NULL)
		release_touch(r);
	walk_again(r, now);
}

/* All of them: who is first in line is to begin first. */
static void
look_at_source(const void *key, size_t n, void *value, void *arg)
{
	(void)key;
	(void)n;
	source_look(arg, value);
}

void
releases_tick(void *arg)
{
	struct releases *rs = arg;
	struct release *r, *next;
	int64_t now = now_s();

	if (rs->freeze.is_on && rs->freeze.until != 0 &&
	    now >= rs->freeze.until)
		freeze_expire(rs);
	map_each(rs->sources, look_at_source, rs);
	pin_again(rs, now);
	for (r = TAILQ_FIRST(&rs->all); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		look_at_clock(r, now);
		if (r->plan == NULL && r->list->pin_until != 0 &&
		    now >= r->list->pin_until)
			release_delete(r, "pin_until has passed");
	}
	gauges_show(rs);
	warm_soon(rs);
	timer_set(&rs->tick, TICK_MS);
}
