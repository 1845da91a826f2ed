/*
 * lane.h - one transfer of a fill: a range of its blob, from its endpoint into
 * its draft.
 *
 *	IDLE --> ASKED --> FLOWS
 *	 ^         |         |
 *	 +---------+---------+ lane_close()
 *
 *	ASKED  a head is awaited
 *	FLOWS  a head came that can be gone on with; bytes come
 *
 * A fill has one lane that runs, or several where its endpoint has `segments`
 * (spread.c says which ranges they take).  What is in the draft already is
 * dropped when it comes again.  A lane whose transfer has ended is closed by
 * its fill, which is woken for that.  Embedded in the fill; origin loop only.
 */
#ifndef CACHE_LANE_H
#define CACHE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "upstream/fetch.h"

struct fill;

#define LANE_TO_END UINT64_MAX

enum lane_state { LANE_IDLE, LANE_ASKED, LANE_FLOWS };

struct lane {
	struct fill *fill;     /* whose; set at its birth */
	enum lane_state state; /* lane.c only */
	struct fetch *fetch;   /* owned; NULL when IDLE */
	uint64_t start, end;   /* asked for; LANE_TO_END: all from START on */
	uint64_t at;           /* offset of the next byte that comes */
	uint64_t had;          /* bytes that were new */
	bool was_first;        /* the draft was empty when it began */
	bool shows_validator;  /* in its If-Range */
	bool asks_again;       /* not refused: it is to be asked otherwise */
};

/* Asks the fill's endpoint for [START, END). */
err_checked int lane_start(
    struct lane *, uint64_t start, uint64_t end, struct err *err);
void lane_close(struct lane *); /* its numbers stay until lane_start() */
bool lane_has_ended(const struct lane *);
/* It brought what was asked for. */
bool lane_has_arrived(const struct lane *);

#endif
