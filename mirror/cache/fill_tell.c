/*
 * fill_tell.c - what a fill's followers are told.
 *
 * The numbers go through the stream's atomics and a wake-up for each serve loop
 * (at most one under way); everything else is news, by letter.
 */
#include <string.h>

#include "fill_int.h"
#include "flight.h"
#include "store/index.h"

/* ---- telling the followers --------------------------------------------- */

static void
tell_grown(struct fill *f)
{
	struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		follower_wake(o);
}

/* What may be sent now: the front, without the held-back tail. */
static void
tell_front(struct fill *f)
{
	uint64_t front = draft_front(f->draft), size = f->stream->size;
	uint64_t readable =
	    size > STREAM_HOLD_BYTES ? size - STREAM_HOLD_BYTES : 0;

	if (front < readable)
		readable = front;
	if (f->stream->is_held || f->is_distrusting)
		return;
	f->has_streamed = f->has_streamed || readable > 0;
	atomic_store_explicit(
	    &f->stream->readable, readable, memory_order_release);
	tell_grown(f);
}

/* Chunks that are here as a whole, for who reads ahead of the front. */
static void
show_ahead(struct fill *f, uint64_t from, uint64_t to)
{
	uint64_t start, end, at = from / DRAFT_CHUNK * DRAFT_CHUNK;

	for (; at < to && draft_gap(f->draft, at, &start, &end); at = end)
		stream_show(f->stream, at, start);
	if (at < to)
		stream_show(f->stream, at, f->stream->size);
}

void
fill_tell_bytes(struct fill *f, uint64_t from, uint64_t to)
{
	if (to > draft_front(f->draft))
		show_ahead(f, from, to);
	tell_front(f);
}

void
fill_tell_comparison(struct fill *f)
{
	atomic_store_explicit(
	    &f->stream->agreed, draft_agreed(f->draft), memory_order_release);
	if (draft_differs(f->draft))
		atomic_store_explicit(
		    &f->stream->differs, true, memory_order_release);
	tell_grown(f);
}

/* The size is known, and the file is open: readers may begin. */
int
fill_tell_stream(struct fill *f, struct err *err)
{
	uint64_t size = draft_size(f->draft);
	struct follower *o;
	bool is_held;

	if (f->stream != NULL || size == 0)
		return 0;
	is_held = size <= STREAM_HELD_WHOLE_BYTES || f->is_distrusting;
	f->stream = stream_new(draft_fd(f->draft), size, f->n_drafts, is_held);
	if (f->stream == NULL)
		return err_set(err, ERR_NO_MEMORY,
		    "no memory for the readers of a blob; try again");
	TAILQ_FOREACH (o, &f->followers, link)
		follower_stream(o, f->stream, o->has_joined_fill);
	show_ahead(f, 0, size);
	tell_front(f);
	return 0;
}

static void
join(struct fill *f, struct follower *o)
{
	TAILQ_INSERT_TAIL(&f->followers, o, link);
	o->is_following = true;
}

static void
leave(struct fill *f, struct follower *o)
{
	TAILQ_REMOVE(&f->followers, o, link);
	o->is_following = false;
}

void
fill_tell_end(struct fill *f, enum news_kind kind, const struct err *err)
{
	struct follower *o;

	while ((o = TAILQ_FIRST(&f->followers)) != NULL) {
		leave(f, o);
		follower_end(o, kind, err);
	}
}

void
fill_tell_halt(struct fill *f)
{
	struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		follower_halt(o);
}

unsigned
fill_patience_ms(const struct fill *f)
{
	return f->expected_size != 0 ? FILL_PATIENCE_MS : ASK_PATIENCE_MS;
}

void
fill_tell_failed(struct fill *f)
{
	struct follower *o;

	while ((o = TAILQ_FIRST(&f->followers)) != NULL) {
		leave(f, o);
		if (f->has_streamed || f->error.code == ERR_CANCELLED ||
		    strcmp(o->target.scope, f->target.scope) == 0)
			follower_end(o, NEWS_FAILED, &f->error);
		else
			flight_follow(f->cache, o);
	}
}

bool
fill_has_client(const struct fill *f)
{
	const struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		if (o->port != NULL)
			return true;
	return false;
}

uint64_t
fill_front(const struct fill *f)
{
	return f->draft != NULL ? draft_front(f->draft) : 0;
}

/* ---- who may follow ---------------------------------------------------- */

bool
fill_is_open_to(const struct fill *f, const struct target *t)
{
	struct member_row row;
	bool is_open = strcmp(f->target.scope, t->scope) == 0 ||
	    (target_is_public(&f->target) && target_is_public(t)) ||
	    index_find_member(
		f->cache->reader, target_scope(t), &t->digest, &row);

	index_release(f->cache->reader);
	return is_open;
}

uint64_t
fill_verified_size(const struct fill *f)
{
	return f->is_verified ? draft_size(f->draft) : 0;
}

/* Releases have all the time there is; who waits for a reply has not.  Of those
 * the first one's counts, so that there is an end. */
static void
set_patience(struct fill *f, const struct follower *o)
{
	uint64_t ms =
	    o->port != NULL ? fill_patience_ms(f) : FILL_PREWARM_PATIENCE_MS;

	if (fill_has_client(f))
		return;
	f->patient_until_ms = loop_now_ms(f->cache->origin) + ms;
	if (f->state == FILL_HEAD && f->stream == NULL)
		timer_set(&f->timer, ms);
}

void
fill_unfollow(struct fill *f, struct follower *o)
{
	leave(f, o);
	if (!TAILQ_EMPTY(&f->followers))
		return;
	f->is_abandoned = !f->has_had_client;
	if (f->is_abandoned)
		timer_set(&f->soon, 0);
}

void
fill_follow(struct fill *f, struct follower *o, bool has_joined)
{
	o->has_joined_fill = has_joined;
	if (f->named_size == 0 && f->expected_size == 0 &&
	    strcmp(o->target.scope, f->target.scope) == 0)
		f->named_size = f->expected_size = o->expected_size;
	f->is_abandoned = false;
	set_patience(f, o);
	if (f->stream != NULL)
		follower_stream(o, f->stream, has_joined);
	for (size_t i = 0; i < FILL_LANES_MAX && o->port != NULL; i++)
		if (f->lanes[i].fetch != NULL)
			fetch_set_class(f->lanes[i].fetch, CLASS_PULL);
	f->has_had_client |= o->port != NULL;
	if (f->is_verified)
		follower_end(o, NEWS_ENDED, NULL);
	else
		join(f, o);
}
