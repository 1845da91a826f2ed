/*
 * stream.h - the readable side of a draft, shared by all loops.
 *
 * One per draft.  Written by the origin loop, read by the serve loops: the
 * numbers are atomics that only grow (but for `wanted`), everything else is
 * fixed at birth.
 * Counted (atomic).
 */
#ifndef CACHE_STREAM_H
#define CACHE_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/refs.h"
#include "common/shared_fd.h"

struct stream {
	struct refs refs;
	struct shared_fd *fd; /* counted */
	uint64_t size;
	unsigned serial; /* of the fill's drafts, counted from 1 */
	bool is_held;    /* nothing is readable until verified */

	_Atomic uint64_t readable; /* bytes from the start that may be sent */
	/* A bit for each chunk that is in the file; for who reads ahead of
	 * that.  Owned. */
	_Atomic uint64_t *chunks;
	_Atomic uint64_t wanted; /* by such a reader, last; 0: nothing.  Written
				    by serve loops */
	/* Against the draft before this one: `agreed` bytes from the start are
	 * the same in both; differs: the next one is not. */
	_Atomic uint64_t agreed;
	atomic_bool differs;

	atomic_uint n_readers; /* on all serve loops */
};

struct stream *stream_new(
    struct shared_fd *fd, uint64_t size, unsigned serial, bool is_held);
struct stream *stream_ref(struct stream *);
void stream_unref(struct stream *); /* NULL is fine */

#define STREAM_HOLD_BYTES (64u << 10)      /* the held-back tail */
#define STREAM_HELD_WHOLE_BYTES (1u << 20) /* up to this size: all of it */

/* Origin loop: [START, END) is in the file.  Only whole chunks count. */
void stream_show(struct stream *, uint64_t start, uint64_t end);
/* How far a reader of [.., END) may read that is at POSITION: the stream's end,
 * and the end of a bounded range, stay back until the whole is verified. */
uint64_t stream_limit(
    const struct stream *, uint64_t position, uint64_t end, bool is_verified);
/* It has got its LIMIT: when that is ahead of the front, this comes next. */
void stream_want(struct stream *, uint64_t position, uint64_t limit);

#endif
