/*
 * fill_int.h - the inside of a fill, shared by fill.c (its states), lane.c and
 * lane_end.c (its transfers), spread.c (what they ask for), fill_follow.c (who
 * follows it) and fill_tell.c (what they are told).
 */
#ifndef CACHE_FILL_INT_H
#define CACHE_FILL_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "attempt.h"
#include "cache/stream.h"
#include "fill.h"
#include "follower.h"
#include "lane.h"
#include "loop/timer.h"
#include "store/draft.h"

#define VALIDATOR_MAX 255
#define FILL_LANES_MAX 16 /* as `segments` */
#define WIDEN_MS 20       /* until another lane may join */

enum fill_state {
	FILL_OPEN,
	FILL_TRY,
	FILL_HEAD,
	FILL_BODY,
	FILL_REST,
	FILL_HASH,
	FILL_KEEP,
	FILL_DONE,
	FILL_FAILED,
};

/* What one endpoint calls the bytes that it gave us (a strong ETag). */
struct validator {
	char etag[VALIDATOR_MAX + 1];       /* "": none */
	const struct config_endpoint *from; /* nobody else knows it */
	bool is_useless; /* FROM names the same bytes now so, now otherwise */
};

struct fill {
	struct cache *cache;   /* borrowed; outlives us */
	struct target target;  /* of who asked first, or whose turn it is */
	enum fill_state state; /* fill_move() only */
	struct attempt attempt;
	const struct config_endpoint *endpoint; /* asked now, or last */
	struct lane lanes[FILL_LANES_MAX];      /* HEAD, BODY: some run */
	unsigned n_lanes_max; /* for now: who asks for more is refused */
	bool is_single;       /* it is sent no parts */
	bool is_resuming;     /* the next lane goes on where one was cut */
	struct validator validator;
	struct draft *draft;    /* owned: the one being written */
	struct draft *rejected; /* owned: the one before, with wrong bytes */
	unsigned n_drafts;
	bool has_streamed;       /* readers may have been sent bytes */
	uint64_t endpoints_used; /* of this draft: a bit each */
	uint64_t endpoints_late; /* asked when time was up already */
	struct stream *stream;   /* counted; NULL until the size is known */
	TAILQ_HEAD(, follower) followers;
	bool is_distrusting; /* of who sent any of it: hold back all */
	bool is_verified;
	bool has_had_client;
	bool is_abandoned;         /* by releases, and no client ever came */
	bool is_resting;           /* REST: the timer has not come yet */
	uint64_t named_size;       /* by a manifest; 0: not known */
	uint64_t expected_size;    /* by it or by a head; 0: not known */
	uint64_t patient_until_ms; /* for a first head; its first follower's */
	uint64_t progress_ms;      /* when the last byte came */
	uint64_t started_us;
	struct timer timer; /* ends a rest, or a wait for the first head */
	struct timer soon;  /* runs it from the loop */
	struct timer ear;   /* is a fill that nobody read read again? */
	struct timer widen; /* another lane may join */
	struct err error;   /* why it FAILED */
};

/* How long a first head is waited for: longer when a manifest named the blob,
 * since half of the clients then have nowhere else to go. */
unsigned fill_patience_ms(const struct fill *);

/* Off the list; no news any more. */
void fill_leave(struct fill *, struct follower *);

/* May a follower's upstream be asked that was not asked yet? */
bool fill_has_new_source(const struct fill *);
/* After a rest: the next of the followers' upstreams, if there is another. */
void fill_turn(struct fill *);
/* Time is up, and its upstream had a turn: its `last` says how that ended. */
bool fill_has_tried_for(const struct fill *, const struct follower *);

/* The state was another one, and is to be run, or is to be waited in. */
enum fill_step { STEP_AGAIN, STEP_WAIT };

enum fill_step fill_move(struct fill *, enum fill_state to);
enum fill_step fill_fail(struct fill *, const struct err *why);
/* Another draft from zero; readers of this one stop, and go on from the next as
 * far as both have the same. */
enum fill_step fill_start_over(struct fill *, const struct err *why);
void fill_close_lanes(struct fill *);

/* MOVED: the fill is in another state now. */
enum lane_end { END_WELL, END_BADLY, END_MOVED };
/* Closes L, whose transfer has ended. */
enum lane_end fill_end_lane(struct fill *, struct lane *l);

/* Runs the state's function, from the loop.  F may be gone then. */
void fill_run(struct fill *);
unsigned fill_n_running(const struct fill *); /* lanes */
bool fill_is_empty(const struct fill *);      /* its draft */
/* Does anybody but releases follow it? */
bool fill_has_client(const struct fill *);
enum link_class fill_class(const struct fill *);
/* Whom nobody waits for steps aside on the link, until somebody does. */
void fill_look_for_readers(struct fill *);

/* What to ask for next; false: all is here, or on its way. */
bool spread_next(const struct fill *, uint64_t *start, uint64_t *end);
/* Starts one more lane, if there is use and room for it. */
void spread(struct fill *);
/* L was closed. */
void spread_note(struct fill *, const struct lane *l, bool is_well);

/* [FROM, TO) came, some of it new: how much may be sent. */
void fill_tell_bytes(struct fill *, uint64_t from, uint64_t to);
/* The comparison with the rejected draft went on. */
void fill_tell_comparison(struct fill *);
/* Once the size is known and the file is open, readers may begin. */
err_checked int fill_tell_stream(struct fill *, struct err *err);
/* The bytes are wrong: all stop where they are. */
void fill_tell_halt(struct fill *);
/* It failed, and is off the table of fills.  What one repository's upstream
 * says is not said of another's: who only joined, and has seen no byte yet,
 * gets a fill of its own. */
void fill_tell_failed(struct fill *);
/* The last news: to readers once it is verified, to who wants it in the store
 * once it is there. */
void fill_tell_verified(struct fill *);
void fill_tell_kept(struct fill *);

#endif
