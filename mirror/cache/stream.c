/*
 * stream.c - the readable side of a draft.
 */
#include "cache/stream.h"

#include <stdlib.h>

#include "store/draft.h"

struct stream *
stream_new(struct shared_fd *fd, uint64_t size, unsigned serial, bool is_held)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->chunks = calloc(size / DRAFT_CHUNK / 64 + 1, sizeof(*s->chunks));
	if (s->chunks == NULL) {
		free(s);
		return NULL;
	}
	refs_init(&s->refs);
	s->fd = shared_fd_ref(fd);
	s->size = size;
	s->serial = serial;
	s->is_held = is_held;
	return s;
}

struct stream *
stream_ref(struct stream *s)
{
	refs_take(&s->refs);
	return s;
}

void
stream_unref(struct stream *s)
{
	if (s == NULL || !refs_drop(&s->refs))
		return;
	shared_fd_unref(s->fd);
	free(s->chunks);
	free(s);
}

/* ---- ahead of the front --------------------------------------------------- */

void
stream_show(struct stream *s, uint64_t start, uint64_t end)
{
	uint64_t c = (start + DRAFT_CHUNK - 1) / DRAFT_CHUNK;

	for (; (c + 1) * DRAFT_CHUNK <= end; c++)
		atomic_fetch_or_explicit(&s->chunks[c / 64],
		    (uint64_t)1 << c % 64, memory_order_release);
}

static bool
has_chunk(const struct stream *s, uint64_t c)
{
	uint64_t bits =
	    atomic_load_explicit(&s->chunks[c / 64], memory_order_acquire);

	return bits >> c % 64 & 1;
}

/* The end of what is here at POSITION, without the held-back tail.  The chunk
 * that the size cuts short has no bit: it is tail. */
static uint64_t
reach(const struct stream *s, uint64_t position)
{
	uint64_t tail =
	    s->size > STREAM_HOLD_BYTES ? s->size - STREAM_HOLD_BYTES : 0;
	uint64_t c = position / DRAFT_CHUNK;

	while (c * DRAFT_CHUNK < tail && has_chunk(s, c))
		c++;
	return c * DRAFT_CHUNK < tail ? c * DRAFT_CHUNK : tail;
}

void
stream_want(struct stream *s, uint64_t position, uint64_t limit)
{
	if (s->is_held ||
	    position <=
		atomic_load_explicit(&s->readable, memory_order_relaxed))
		return;
	atomic_store_explicit(&s->wanted, limit > position ? limit : position,
	    memory_order_relaxed);
}

uint64_t
stream_limit(
    const struct stream *s, uint64_t position, uint64_t end, bool is_verified)
{
	uint64_t readable, hold;

	if (is_verified)
		return end;
	if (s->is_held)
		return 0;
	readable = atomic_load_explicit(&s->readable, memory_order_acquire);
	if (position > readable)
		readable = reach(s, position);
	hold = end > STREAM_HOLD_BYTES ? end - STREAM_HOLD_BYTES : 0;
	return readable < hold ? readable : hold;
}
