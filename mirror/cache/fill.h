/*
 * fill.h - bring one blob from an upstream into the store, while readers
 * already follow it.
 *
 *	OPEN --> TRY --> HEAD --> BODY --> HASH --> KEEP --> DONE
 *	 ^        ^^       |        |       |         |
 *	 |        |+-REST--+--------+       |         |
 *	 |        +----------------(more)---+         |
 *	 +---------+--------+-(another draft)         |
 *	 (any but DONE) ----------------------------> FAILED
 *
 *	OPEN   the draft's file and map are being opened
 *	TRY    choose an endpoint and ask it for what is missing
 *	HEAD   its head is awaited
 *	BODY   its bytes come in, over one lane or several (lane.h)
 *	REST   waits before the next try
 *	HASH   all bytes are here; the last are being hashed
 *	KEEP   verified; readers have it all; it becomes a blob
 *
 * One per digest at any time (flight.h).  When the bytes turn out wrong, the
 * next endpoint's go to a second draft, which is compared with the first
 * (DESIGN, Hold-back).  A fill goes on when nobody follows it; it gives up when
 * no byte came for a while, and leaves its draft to be resumed.  It frees
 * itself.  Threads: origin loop only.
 */
#ifndef CACHE_FILL_H
#define CACHE_FILL_H

#include "cache_int.h"
#include "common/err.h"

struct fill;
struct follower;

/* NULL: too many, or no memory.  EXPECTED_SIZE from a manifest, or 0. */
struct fill *fill_start(struct cache *, const struct target *,
    uint64_t expected_size, struct err *err);
/* May this target's repository join without being confirmed? */
bool fill_is_open_to(const struct fill *, const struct target *);
/* Verified, and on its way into the index: its size, else 0. */
uint64_t fill_verified_size(const struct fill *);
/* Bytes from the start that are here. */
uint64_t fill_front(const struct fill *);
/* No news any more.  One that nobody waits for ends soon, and leaves its draft
 * to be resumed. */
void fill_unfollow(struct fill *, struct follower *);
/* Its last news end the follower's following. */
void fill_follow(struct fill *, struct follower *, bool has_joined);
/* The cache is closing: end soon, leave the draft. */
void fill_cancel(struct fill *);

#endif
