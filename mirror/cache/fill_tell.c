/*
 * fill_tell.c - what a fill's followers are told.
 *
 * The numbers go through the stream's atomics and a wake-up for each serve loop
 * (at most one under way); everything else is news, by letter.
 */
#include <string.h>

#include "fill_int.h"
#include "flight.h"

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

	if (f->is_distrusting)
		return;
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
	f->progress_ms = loop_now_ms(f->cache->origin);
	TAILQ_FOREACH (o, &f->followers, link)
		follower_stream(o, f->stream, o->has_joined_fill);
	show_ahead(f, 0, size);
	tell_front(f);
	return 0;
}

static void
tell_ended(struct fill *f, struct follower *o)
{
	fill_leave(f, o);
	follower_end(o, NEWS_ENDED, NULL);
}

void
fill_tell_verified(struct fill *f)
{
	struct follower *o, *next;

	for (o = TAILQ_FIRST(&f->followers); o != NULL; o = next) {
		next = TAILQ_NEXT(o, link);
		if (o->port != NULL)
			tell_ended(f, o);
	}
}

void
fill_tell_kept(struct fill *f)
{
	while (!TAILQ_EMPTY(&f->followers))
		tell_ended(f, TAILQ_FIRST(&f->followers));
}

void
fill_tell_halt(struct fill *f)
{
	struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		follower_halt(o);
}

void
fill_tell_failed(struct fill *f)
{
	struct follower *o;

	while ((o = TAILQ_FIRST(&f->followers)) != NULL) {
		fill_leave(f, o);
		if (f->has_streamed || f->is_verified ||
		    f->error.code == ERR_CANCELLED ||
		    strcmp(o->target.scope, f->target.scope) == 0)
			follower_end(o, NEWS_FAILED, &f->error);
		else if (fill_has_tried_for(f, o))
			follower_end(o, NEWS_FAILED, NULL);
		else
			flight_follow(f->cache, o);
	}
}
