/*
 * ask.h - one small question to an upstream, for all who wait for its answer.
 *
 *	BEGIN --> RESOLVE --> FETCH ---> COMMIT --> DONE
 *	  |  \       |  \       |          ^         ^
 *	  |   \      |   +--> CHILD -------+         |
 *	  |    +-----+----------+----------+---------+
 *
 *	BEGIN    look again in the index, which may have it by now
 *	RESOLVE  a HEAD upstream: the tag's digest, the blob's size, or whether
 *	         the repository has what another one brought in
 *	FETCH    a GET upstream: a manifest, or the pages of a list
 *	CHILD    a tag waits for the ask of its manifest
 *	COMMIT   answered; rows and files are being written
 *
 * A manifest's answer is given when its rows are written: by then the blobs
 * that it names belong to the repository.  All others are given as soon as they
 * are right, and whoever comes in COMMIT gets them at once; but who wants them
 * stored hears nothing before the end.  An ask goes on when nobody waits any
 * more.  It frees itself.  Threads: origin loop only.
 */
#ifndef CACHE_ASK_H
#define CACHE_ASK_H

#include <stdbool.h>
#include <sys/queue.h>

#include "cache/ticket.h"
#include "cache_int.h"
#include "common/buf.h"
#include "gather.h"
#include "loop/timer.h"
#include "oci/lists.h"
#include "store/store.h"

struct ask;

/* Who waits.  Embedded in its owner; never detached before its answer. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	/* The answer is borrowed. */
	void (*on_answer)(struct waiter *, struct answer *, bool has_joined);
	bool has_joined;
	bool wants_stored;     /* no answer before all is written */
	enum link_class class; /* why it waits; PREWARM for releases */
	struct err unwritten;  /* with the answer: why it could not be */
};

enum ask_state {
	ASK_BEGIN,
	ASK_RESOLVE,
	ASK_FETCH,
	ASK_CHILD,
	ASK_COMMIT,
	ASK_DONE,
};

enum ask_step { ASK_AGAIN, ASK_WAIT };

struct ask {
	struct cache *cache; /* borrowed */
	enum ask_kind kind;
	struct target target;
	struct cache_key key;
	enum ask_state state; /* ask_move() only */
	TAILQ_HEAD(, waiter) waiters;
	struct answer *answer;  /* counted; ask_answer() */
	struct answer *pending; /* counted: given when its rows are written */
	struct gather gather;
	char reference[DIGEST_TEXT_MAX + TARGET_TAG_MAX];
	char page[GATHER_LINK_MAX + 1]; /* lists: the next page */
	struct timer run_timer;         /* begins, and cancels, from the loop */
	struct timer patience; /* of the waiters: stale, or an error, then */
	bool can_be_stale;

	struct digest digest;      /* TAG: what it was resolved to */
	struct waiter child;       /* TAG: waits for the manifest */
	struct answer *from_child; /* counted */
	struct list_pages *pages;  /* lists: owned */
	unsigned n_pages;
	bool is_fallback;     /* REFERRERS: reading the tag, not the API */
	bool is_writing;      /* a commit is under way */
	struct err unwritten; /* why one failed, this ask's or its child's */
	struct store_put put;
};

/* Starts it; answers come to the waiters. NULL: no memory. */
struct ask *ask_start(
    struct cache *, enum ask_kind, const struct target *, struct err *err);
/* The answer, if W may have it already (borrowed), else NULL and W waits. */
struct answer *ask_wait(struct ask *, struct waiter *w);
/* It ends soon, without what it was for. */
void ask_cancel(struct ask *);

/* ---- for the kinds' files -------------------------------------------------
 */

/* Tag, manifest and blob: ask_content.c.  Lists: ask_list.c. */
enum ask_step content_begin(struct ask *);
enum ask_step content_resolved(struct ask *);
enum ask_step content_fetched(struct ask *);
enum ask_step content_child(struct ask *);
bool content_has_stale(struct ask *);
struct answer *content_stale(struct ask *); /* NULL: none to be had */
/* Rows to write when the upstream does not know it; NULL: none. */
struct index_batch *content_unknown(struct ask *);
enum ask_step list_begin(struct ask *);
enum ask_step list_fetched(struct ask *);
bool list_has_stale(struct ask *);
struct answer *list_stale(struct ask *);

/* Asks upstream; moves to RESOLVE or FETCH.  ACCEPT may be NULL. */
enum ask_step ask_upstream(struct ask *, enum fetch_target, bool is_head,
    int (*accept)(void *ask, struct err *err));
enum ask_step ask_wait_child(struct ask *, const struct digest *manifest);
struct answer *answer_new(void);       /* NULL when out of memory */
struct answer *answer_no_memory(void); /* counted */
/* Gives the answer (taken; NULL: no memory) to all who wait. */
void ask_answer(struct ask *, struct answer *);
/* Answers with an error, or with what is stale. */
enum ask_step ask_fail(struct ask *, enum fetch_result, const struct err *);
/* Answered: commit the rows (taken), or the put, then end. */
enum ask_step ask_commit(struct ask *, struct index_batch *);
enum ask_step ask_put(struct ask *, const struct digest *, struct str bytes,
    struct index_batch *);
enum ask_step ask_done(struct ask *);

#endif
