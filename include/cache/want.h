/*
 * want.h - bring something in though no client waits for it: the origin loop's
 * own door to the cache.
 *
 * A want joins what is running for the same digest, or starts it as class
 * prewarm; a store that joins makes it a pull.  Origin loop only.  on_end comes
 * once, later, never inside the call, and not after want_close().
 */
#ifndef CACHE_WANT_H
#define CACHE_WANT_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/target.h"
#include "common/err.h"
#include "common/str.h"

struct cache;
struct index_reader;
struct want;

enum want_kind {
	WANT_TAG,       /* which digest: its manifest comes along */
	WANT_MANIFEST,  /* and what it names belongs to the repository */
	WANT_BLOB,      /* a fill */
	WANT_REFERRERS, /* the list of them, as it is kept */
	WANT_SIGN,      /* of life: asks upstream (HEAD) though it is here */
};

struct want_end {
	struct err error;     /* ERR_NONE: it is here */
	struct digest digest; /* TAG */
	struct str bytes;     /* REFERRERS: an image index; until on_end
				 returns */
};

struct want_spec {
	enum want_kind kind;
	const struct target *target; /* copied */
	uint64_t size;               /* BLOB: from a manifest; 0: not known */
	void (*on_end)(void *arg, const struct want_end *);
	void *arg;
};

/* NULL: no memory. */
struct want *want_open(struct cache *, const struct want_spec *, struct err *);
void want_close(struct want *);            /* what runs goes on; NULL is fine */
uint64_t want_coming(const struct want *); /* bytes in the draft; BLOB */

/* Does the target's repository have this manifest, or blob, here already? */
bool want_is_here(struct cache *, struct index_reader *, const struct target *);

/*
 * May a prewarm of the upstream begin now?  Else *err says why, *at when to
 * look again (s, wall), and *is_down whether something is out of order (a link
 * out of service, a quota spent, breakers open) or only its time has not come
 * (a window without prewarm).
 */
bool want_may_begin(struct cache *, const struct config_upstream *,
    bool *is_down, int64_t *at, struct err *);

#endif
