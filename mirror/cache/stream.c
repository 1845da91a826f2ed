/*
 * stream.c - the readable side of a draft.
 */
#include "cache/stream.h"

#include <stdlib.h>

struct stream *
stream_new(struct shared_fd *fd, uint64_t size, unsigned serial, bool is_held)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
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
	free(s);
}

uint64_t
stream_limit(const struct stream *s, uint64_t end, bool is_verified)
{
	uint64_t readable, hold;

	if (is_verified)
		return end;
	if (s->is_held)
		return 0;
	readable = atomic_load_explicit(&s->readable, memory_order_acquire);
	hold = end > STREAM_HOLD_BYTES ? end - STREAM_HOLD_BYTES : 0;
	return readable < hold ? readable : hold;
}
