/*
 * draft.h - a blob's file while it is being written.
 *
 * drafts/<algorithm>-<hex> holds bytes at their final offsets; beside it a map,
 * one bit per 64 KiB, is set after the write, so that after a crash what is
 * here is not asked for again.  Bytes may come in any order; `front` is the end
 * of what is here without a gap from the start.  The front is hashed by a work
 * thread that reads it back from the page cache (after a restart, the part that
 * was here is hashed the same way).
 *
 * With a reference (an earlier draft of the same digest that turned out wrong),
 * the same pass compares: `agreed` is how far both have the same bytes.
 *
 *	OPENING -> OPEN -> KEEPING -> KEPT
 *	   |         |        |
 *	   +---------+--------+-----> BROKEN
 *
 * Ownership: its owner (a fill) closes it with draft_leave() or draft_drop(),
 * in any state, exactly once; work that runs for it is waited for inside.
 * Threads: the owner's loop only.  on_event is only a wake-up: look at the
 * getters.  The callback laws of loop.h hold.
 */
#ifndef STORE_DRAFT_H
#define STORE_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/shared_fd.h"
#include "loop/loop.h"

#define DRAFT_CHUNK (64u << 10)

struct draft;
struct index_batch;
struct store;

enum draft_state {
	DRAFT_OPENING, /* file and map are being opened */
	DRAFT_OPEN,
	DRAFT_KEEPING, /* fsync, rename, index: readers may have it all */
	DRAFT_KEPT,    /* it is a blob now */
	DRAFT_BROKEN,  /* the disk failed: draft_error() */
};

struct draft_spec {
	struct store *store;
	struct loop *loop;
	struct digest digest;
	unsigned copy; /* 0: the one that is resumed; 1...: a second, third */
	void (*on_event)(void *arg);
	void *arg;
};

/* NULL only when out of memory; else OPENING, all else by on_event. */
struct draft *draft_open(const struct draft_spec *, struct err *err);

enum draft_state draft_state(const struct draft *);
const struct err *draft_error(const struct draft *);
/* Valid in OPEN and later. */
struct shared_fd *draft_fd(const struct draft *); /* borrowed */
bool draft_was_resumed(const struct draft *);     /* had bytes at opening */

/* The blob's size as soon as it is known; 0 else.  A map of another size is
 * thrown away with its bytes. */
void draft_set_size(struct draft *, uint64_t size);
uint64_t draft_size(const struct draft *);

/* Bytes at OFFSET; written to the page cache before it returns.  ERR_DISK_FULL,
 * ERR_DISK.  On failure what was here stays here. */
err_checked int draft_write(
    struct draft *, uint64_t offset, const void *, size_t n, struct err *err);
uint64_t draft_front(const struct draft *);
/* The first gap at or after FROM: *start, *end (at most the size; UINT64_MAX
 * while that is not known).  False: none.  Not while OPENING. */
bool draft_gap(
    const struct draft *, uint64_t from, uint64_t *start, uint64_t *end);
/* Forgets all bytes: the next ones come from zero. */
void draft_restart(struct draft *);

/* Hashing follows the front by itself; on_event tells when it has caught up
 * with a front that is the size.  Only then is the digest known. */
bool draft_is_hashed(const struct draft *);
bool draft_matches(const struct draft *); /* draft_is_hashed() only */

/* Compare with REFERENCE while hashing.  The reference must be closed later
 * than this draft, or after draft_compare(d, NULL). */
void draft_compare(struct draft *, const struct draft *reference);
uint64_t draft_agreed(const struct draft *); /* both have the same up to here */
bool draft_differs(const struct draft *);    /* and differ at draft_agreed() */

/* The digest matched (checked): make it a blob.  BATCH (given away) is
 * committed with it; is_public goes into its row. */
void draft_keep(struct draft *, bool is_public, struct index_batch *batch);

/* NULL is fine for both.  What was dropped is removed from disk; what was left,
 * or dropped while OPENING, stays to be resumed. */
void draft_leave(struct draft *);
void draft_drop(struct draft *);

#endif
