/*
 * ticket.h - ask the origin loop for something small, and wait for the answer.
 *
 * Asks with the same aim are one request upstream; all who wait get the same
 * answer.  Threads: serve loop only; an answer is immutable and counted
 * (atomic).
 */
#ifndef CACHE_TICKET_H
#define CACHE_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/target.h"
#include "common/err.h"
#include "common/refs.h"

struct cache_port;
struct call;

enum ask_kind {
	ASK_TAG,       /* which digest, and its manifest: fetched when cold */
	ASK_MANIFEST,  /* by digest */
	ASK_BLOB,      /* does the repository hold it, and how large is it */
	ASK_TAGS,      /* all tags */
	ASK_REFERRERS, /* of a digest */
	ASK_KIND_COUNT
};

#define ANSWER_SIZE_UNKNOWN UINT64_MAX

struct answer {
	struct refs refs;
	struct err error;     /* code ERR_NONE: good */
	struct digest digest; /* TAG, MANIFEST */
	uint64_t size;        /* BLOB: or ANSWER_SIZE_UNKNOWN */
	char *media_type;     /* NULL: as in the index */
	char *bytes; /* owned; NULL: in the store, look it up by digest */
	size_t n_bytes;
	bool is_stale;        /* the upstream could not be asked */
	bool is_hit;          /* confirmed only: the store had it all */
	int64_t confirmed_at; /* s, wall */
};

struct answer *answer_ref(struct answer *);
void answer_unref(struct answer *); /* NULL is fine */

/* Embedded in its owner. */
struct ticket {
	/* Called once; the answer is the ticket's until ticket_close(). */
	void (*on_answer)(struct ticket *);
	struct answer *answer; /* counted; NULL until then */
	bool has_joined;       /* the ask was running already */
	struct call *call;     /* not yours */
};

/* on_answer comes later, never inside the call. -1: no memory, no answer. */
err_checked int ticket_ask(struct cache_port *, struct ticket *, enum ask_kind,
    const struct target *, struct err *err);
/* An ask that nobody waits for: a background check. */
void ticket_send(struct cache_port *, enum ask_kind, const struct target *);
/* No callback after this; the ask goes on.  Twice is fine. */
void ticket_close(struct ticket *);

#endif
