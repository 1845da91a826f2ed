/*
 * reader.h - read a blob while it is being filled.
 *
 * The first reader of a digest starts its fill, all others join.  A reader is
 * told when the size is known (BEGIN), how far it may read (ALLOW), and how it
 * ended.  Until the digest was verified the end is held back (DESIGN,
 * Hold-back), so no reader can complete a corrupt blob.  When the bytes turn
 * out wrong, reading stops, and goes on from a second draft (SWAP) for those
 * who have only read what both drafts have in common; the others are CUT.
 *
 *	attach ... BEGIN, ALLOW..., SWAP?, ALLOW..., ENDED | CUT
 *	attach ... FAILED | STORED
 *
 * ENDED, CUT, FAILED and STORED are the last event; the reader is detached
 * before it is called.  Threads: serve loop only.
 */
#ifndef CACHE_READER_H
#define CACHE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cache/target.h"
#include "common/err.h"
#include "common/shared_fd.h"

struct cache_port;
struct follower;
struct stream;

enum reader_event {
	READER_BEGIN,  /* size and fd are set: set start and end */
	READER_ALLOW,  /* `allowed` changed; below position(): wait */
	READER_SWAP,   /* fd changed: go on from there */
	READER_ENDED,  /* verified: all is allowed */
	READER_CUT,    /* it can't be finished: `error` */
	READER_FAILED, /* it can't begin: `error` */
	READER_STORED, /* it is in the store: look it up */
};

/* Embedded in its owner. */
struct reader {
	void (*on_event)(struct reader *, enum reader_event);
	/* Offset of the next byte to send.  Asked only after BEGIN. */
	uint64_t (*position)(const struct reader *);
	uint64_t start;    /* wanted bytes: set in BEGIN */
	uint64_t end;      /* first one not wanted */
	bool is_size_told; /* set by the owner: a client knows the size */

	uint64_t size;
	bool has_joined; /* the fill was running already */
	uint64_t allowed;
	struct shared_fd *fd; /* borrowed */
	struct err error;

	/* not yours */
	TAILQ_ENTRY(reader) link;
	struct follower *follower;
	struct stream *stream; /* counted; the one being read */
	bool has_begun;
};

/* Events come later, never inside the call.  -1: no memory, no events. */
err_checked int reader_attach(struct cache_port *, struct reader *,
    const struct target *, struct err *err);
/* No event after this; the fill goes on.  Twice is fine. */
void reader_detach(struct reader *);

#endif
