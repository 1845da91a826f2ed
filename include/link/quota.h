/*
 * quota.h - a month's budget of a metered link.
 *
 * Bytes are spent from an advance, which is written down (by the owner; the
 * text is made here) before it may be spent; and with it what may have crossed
 * the link and not been read yet.  So after a crash at most so much too much
 * counts as spent, and never too little.
 *
 *	quota_read(text of last time)       at start
 *	quota_wants()  -> write quota_text() to disk -> quota_written()
 *	quota_may(), quota_spend()           as bytes come
 *
 * The month begins at local midnight of the day `resets_on`.  A clock that is
 * set back begins no month anew.  Pure arithmetic on the caller's clock.
 */
#ifndef LINK_QUOTA_H
#define LINK_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"
#include "common/str.h"

#define QUOTA_TEXT_MAX 128

struct quota {
	const struct config_link *link; /* its quota_*; borrowed */
	int64_t month;    /* first local day, in days since 1970 */
	uint64_t spent;   /* bytes, in this month */
	uint64_t part;    /* millionths of the next one */
	uint64_t written; /* spent may go up to here */
	uint64_t asked;   /* what is being written; 0: nothing */
	int64_t asked_month;
	int64_t next_at; /* s, wall: the next month begins */
};

enum quota_answer {
	QUOTA_YES,
	QUOTA_LATER, /* the advance is used up: when more is written */
	QUOTA_NO,    /* not before the next month, or only for pulls */
};

/* LINK may have no quota, and may be replaced: what was spent stays. */
void quota_init(struct quota *, const struct config_link *, int64_t wall_s);
void quota_set(struct quota *, const struct config_link *, int64_t wall_s);
/* What quota_text() made in an earlier run; all of it counts as spent, also
 * what may not have been.  -1: it is not such a text. */
err_checked int quota_read(
    struct quota *, struct str text, int64_t wall_s, struct err *err);
/* Nobody knows what was spent: all of it, and nothing is written down. */
void quota_lose(struct quota *);

bool quota_is_on(const struct quota *);
/* Has a new month begun?  Call now and then. */
void quota_look(struct quota *, int64_t wall_s);
enum quota_answer quota_may(const struct quota *, enum link_class);
void quota_spend(struct quota *, uint64_t micro);
uint64_t quota_left(const struct quota *);
/* How many bytes may have crossed that were not spent yet: what the kernel holds
 * for us must stay below that. */
uint64_t quota_ahead(const struct quota *);

bool quota_is_due(const struct quota *); /* will quota_wants() say yes? */
/* Is there something to be written?  Then OUT is it; quota_written() follows
 * when it is on the disk, with IS_WRITTEN false when it could not be. */
bool quota_wants(struct quota *, char out[QUOTA_TEXT_MAX]);
void quota_written(struct quota *, bool is_written);

#endif
