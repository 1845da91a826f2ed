/*
 * follower.h - one serve loop's ear on one fill.
 *
 * A serve loop makes one for the first of its readers that wants a digest, and
 * posts it to the origin loop; all its other readers of that digest share it,
 * so the number of letters does not grow with the number of readers.
 *
 * Who owns what: the serve loop, always.  The origin loop holds a pointer to it
 * from `join` until it posts the last news (FAILED, ENDED or STORED), which the
 * serve loop waits for before it frees the follower.
 */
#ifndef CACHE_FOLLOWER_H
#define CACHE_FOLLOWER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "ask.h"
#include "cache/reader.h"
#include "cache/stream.h"
#include "cache/target.h"
#include "cache_int.h"
#include "loop/loop.h"

enum news_kind {
	NEWS_STREAM, /* here is what to read */
	NEWS_HALT,   /* its bytes are wrong: stop where you are */
	NEWS_ENDED,  /* verified; the last news */
	NEWS_FAILED, /* error; the last news */
	NEWS_STORED, /* no fill: it is in the store; the last news */
};

struct news {
	struct letter letter;
	struct follower *to;
	enum news_kind kind;
	bool has_joined;
	struct stream *stream; /* STREAM: counted */
	struct err error;      /* FAILED */
};

struct follower {
	/* Fixed once it was posted. */
	struct cache_port *port; /* NULL: nobody on a serve loop (want.c) */
	struct target target;
	uint64_t expected_size; /* from a manifest; 0: not known */

	/* On its way between the loops. */
	struct letter join; /* serve -> origin */
	struct letter wake; /* origin -> serve: the stream grew */
	atomic_bool is_woken;
	struct news last; /* so that the end can always be told */

	/* Serve loop's. */
	TAILQ_HEAD(, reader) readers;
	struct stream *stream; /* counted */
	bool is_halted;
	bool is_verified;
	bool is_over; /* the last news came */
	bool has_joined;

	/* Origin loop's. */
	TAILQ_ENTRY(follower) link;
	struct waiter confirm; /* may this repository have it? */
	struct cache *cache;
	bool has_joined_fill;
	bool was_confirmed;
	bool is_closed;    /* nobody wants it any more: starts no fill */
	bool is_following; /* is in the fill's list */
	bool is_behind;    /* news of a draft did not get there */
	void (*on_end)(struct follower *, enum news_kind); /* port == NULL */
};

/* Origin loop: tell the serve loop.  A stream is referenced for it. */
void follower_wake(struct follower *);
void follower_stream(struct follower *, struct stream *, bool has_joined);
void follower_halt(struct follower *);
/* The last news: F is not touched after it. */
void follower_end(struct follower *, enum news_kind, const struct err *);

#endif
