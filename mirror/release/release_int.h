/*
 * release_int.h - what the files of release/ share.
 *
 * Everything here is the origin loop's, but for what runs on a work thread,
 * which says so.  Who owns whom:
 *
 *	releases --> release --> images <-- edges --> pieces (one per digest)
 *	                          |                     |
 *	                          to_walk               queue of one release
 *
 * A piece is something missing: a digest, or the list of what refers to one.
 * It lives while an image wants it.  Images that want nothing have no edges, so
 * what is here costs no memory but the image itself.
 */
#ifndef RELEASE_INT_H
#define RELEASE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cache/cache.h"
#include "cache/want.h"
#include "common/map.h"
#include "loop/timer.h"
#include "loop/work.h"
#include "release/lag.h"
#include "release/releases.h"
#include "release/warm.h"
#include "store/index.h"
#include "store/store.h"

#define RELEASES_MAX 1000
#define READ_LARGE_MAX 256
#define PINS_NAME_MAX (RELEASE_NAME_MAX + 24)

struct edge;
struct image;
struct piece;
struct plan;
struct release;

/* ---- what is asked of an upstream --------------------------------------- */

/* How prewarming from one upstream goes. */
struct source {
	char name[256];
	enum source_state { SOURCE_GO, SOURCE_LATER, SOURCE_DOWN } state;
	struct release_why why;
	int64_t look_at;     /* s, wall: when it is to be looked at again */
	int64_t next_at;     /* s, wall: when it may be another */
	unsigned n_failures; /* in a row, of pieces: it is down */
	int64_t hold_until;  /* s, wall: because of those */
	unsigned n_running;
	struct want *probe; /* owned; NULL: none is under way */
};

/* ---- pieces -------------------------------------------------------------- */

enum piece_state {
	PIECE_QUEUED,  /* its turn will come */
	PIECE_RUNNING, /* a want is open */
	PIECE_LANDED,  /* verified; till next_try_at it is to be seen here */
	PIECE_RESTING, /* its source failed; tried again at next_try_at */
	PIECE_FAILED,  /* a no; tried again at next_try_at, rarely */
};

struct edge {
	struct image *image;
	struct piece *piece;
	TAILQ_ENTRY(edge) of_image;
	TAILQ_ENTRY(edge) of_piece;
};
TAILQ_HEAD(edges, edge);

struct piece {
	struct releases *releases;
	struct digest digest;
	bool is_list; /* what refers to the digest; else the digest itself */
	enum release_part part;
	uint64_t size;
	enum piece_state state; /* piece_move() only */
	struct edges edges;     /* never empty, but while it is made */
	struct release *home;   /* in whose queue it is; NULL: in none */
	TAILQ_ENTRY(piece) in_queue;
	struct want *want; /* owned; RUNNING only */
	TAILQ_ENTRY(piece) running;
	struct source *source; /* RUNNING: who is asked */
	unsigned scope;        /* which of its repositories is asked */
	unsigned n_tries;
	int64_t next_try_at;
	struct err why; /* RESTING, FAILED */
};
TAILQ_HEAD(pieces, piece);

/* ---- releases ------------------------------------------------------------ */

struct image {
	struct release *release;
	struct edges edges;
	struct source *source; /* its upstream */
	TAILQ_ENTRY(image) to_walk;
	bool is_dirty;             /* in to_walk */
	bool is_known;             /* all its manifests were read */
	struct release_why *error; /* owned; it can't be: no such platform */
	int64_t retry_at; /* s, wall: it may be then; 0: it never will */
	uint32_t n_digests, n_missing;
	uint64_t bytes, missing_bytes;
	enum release_state state; /* as of the last look */
	uint32_t seen_missing;
	uint64_t changed; /* the releases' clock then */
};
TAILQ_HEAD(images, image);

/* What is kept over restarts, besides the list. */
struct record {
	int64_t generation; /* names its pins */
	int64_t accepted_at, begun_at, ready_at, lost_at;
	bool has_missed;
	bool is_caught;  /* what catch_up asks for was done, or is not due */
	bool is_on_hold; /* by catch_up */
	int64_t window_at, window_ends;
	char held_by[RELEASE_WHO_MAX];
	char held_why[ERR_TEXT_MAX];
};

TAILQ_HEAD(pending_calls, release_call); /* that wait for the same */

struct release {
	struct releases *releases;
	TAILQ_ENTRY(release) entry;
	char name[RELEASE_NAME_MAX + 1];
	char pins[PINS_NAME_MAX];  /* its name in the index */
	struct release_list *list; /* counted */
	char *text;                /* owned: the list's one form */
	struct record record;
	struct image *images; /* owned; list->n_images */
	size_t n_dirty, n_unknown;
	int64_t retry_at;       /* of its images, the soonest */
	bool is_pinning;        /* some of its pins may not be written yet */
	struct pieces queue;    /* QUEUED, RESTING, FAILED */
	uint64_t idle_until_ms; /* nothing of it can begin before */
	bool is_listed;         /* in the order */
	bool is_stale;          /* images' states are to be looked at again */
	bool is_complete;       /* as last counted */
	bool is_just_back;      /* read at start, and not all walked yet */
	bool could_begin;       /* when the clock was last looked at */
	enum release_state state;
	struct release_why why;
	size_t n_in_state[RELEASE_STATE_COUNT];
	uint64_t changed;
	struct plan *plan;          /* owned; NULL: a release */
	char before[PINS_NAME_MAX]; /* pins that go when all is walked once */
	struct gauges *gauges;      /* owned */
};
TAILQ_HEAD(release_queue, release);

struct releases {
	struct releases_spec spec;
	char *state_folder; /* owned */
	char *folder;       /* owned: its releases/ */
	struct index_reader *reader;
	struct map *by_name;
	struct release_queue all; /* in the order in which they are warmed */
	size_t n_all;
	struct map *pieces;
	struct map *sources;
	struct map *files; /* on their way: keep.c */
	struct map *large; /* manifests: read.c */
	struct pieces running;
	unsigned n_running, n_small; /* of blobs; of all else */
	struct images to_walk;
	struct timer walk, run, tick, tell;
	struct index_batch *batch; /* owned: pins to be written */
	unsigned n_ops;            /* in it */
	unsigned n_commits;        /* under way */
	bool has_lost_pins; /* a commit failed: they are pinned again ... */
	int64_t pin_again_at;
	unsigned n_pin_tries;
	unsigned n_reading; /* large manifests, on work threads */
	struct freeze freeze;
	uint64_t clock;     /* counts changes */
	int64_t generation; /* the last; names pins */
	TAILQ_HEAD(, release_ear) ears;
	TAILQ_HEAD(, resolve) resolves;
	TAILQ_HEAD(, verify) verifies;
	struct pending_calls early; /* came before what was kept was read */
	bool is_read;
	unsigned n_jobs; /* on work threads, and other things to wait for */
	bool is_closing;
	void (*on_closed)(void *arg);
	void *on_closed_arg;
	struct letter closed;
};

/* Something under way has ended; the last one may end the closing. */
void releases_busy(struct releases *);
void releases_idle(struct releases *);
int64_t now_s(void);

/* ---- release.c: birth and end of one ------------------------------------- */

/* Takes LIST and TEXT, failing too.  Not in the table yet. */
struct release *release_new(struct releases *, const char *name,
    struct release_list *list, char *text, struct err *err);
void release_free(struct release *);
struct release *release_find(struct releases *, const char *name);
err_checked int release_add(struct release *, struct err *err);
void release_take(struct release *); /* out of the table */
void release_delete(struct release *, const char *why);
void freeze_expire(struct releases *);
bool release_is_before(const struct release *, const struct release *);
void release_name_pins(struct release *, int64_t generation);
struct str release_pins(const struct release *);

/* ---- walk.c --------------------------------------------------------------- */

void walk_image(struct image *); /* soon */
void image_fail(struct image *, const char *code, const char *text);
/* The same, for a reason that may pass: it is walked again soon. */
void image_rest(struct image *, const char *code, const char *text);
void image_unread(struct image *, const struct err *); /* a manifest of it */
void walk_again(struct release *, int64_t now);        /* those that are due */
void walk_release(struct release *);                   /* all its images */
void walk_on(void *releases);                          /* the timer */
void walk_flush(struct releases *); /* write what is to be pinned */
/* The parts of one image, for a view. */
typedef void walk_part_fn(void *arg, const struct digest *, enum release_part,
    uint64_t size, bool is_here);
void walk_show(struct image *, walk_part_fn *, void *arg);

/* ---- read.c: what a manifest says ---------------------------------------- */

enum reading { READ_DONE, READ_LATER, READ_BAD };
/* LATER: it is large, and is being read from its file; the image is walked
 * again. */
struct manifest;
enum reading read_manifest(struct image *, const struct digest *,
    struct manifest **out, struct err *err);
void read_close(struct releases *, const struct digest *, struct manifest *);
void read_forget(struct releases *); /* the large ones */

/* ---- piece.c --------------------------------------------------------------- */

struct piece_spec {
	struct digest digest;
	bool is_list;
	enum release_part part;
	uint64_t size;
};
/* Finds or makes the piece and ties the image to it. -1: no memory. */
int piece_tie(struct image *, const struct piece_spec *);
/* All edges of one image; a piece that nobody wants any more ends. */
void edges_untie(struct edges *of_image);
/* Its pieces go to whom they belong, now that its release may begin, or may
 * no longer. */
void image_claim(struct image *);
struct piece *piece_find(
    struct releases *, const struct digest *, bool is_list);
bool piece_is_small(const struct piece *); /* no blob */
void piece_move(struct piece *, enum piece_state);
/* It came, and is to be seen in the index; images go on when it is. */
void piece_landed(struct piece *, int64_t until);
/* It is here: images go on. */
void piece_done(struct piece *);
/* Into the queue of the release that is first in line. */
void piece_enqueue(struct piece *);
void piece_wait(
    struct piece *, enum piece_state, const struct err *, int64_t at);
/* The n-th repository that it may be asked of; NULL: there are not so many. */
struct image *piece_scope(struct piece *, unsigned n);
/* All that rest or failed are due now. */
void release_hurry(struct release *);

/* ---- warm.c ---------------------------------------------------------------- */

void warm_soon(struct releases *);
void warm_stop_held(struct releases *);
void warm_run(void *releases); /* the timer */
/* When to try again: in MIN, doubled with each try, up to MAX, and up to a
 * quarter more by chance. */
int64_t warm_back_off(unsigned n_tries, int64_t min_s, int64_t max_s);
struct source *source_of(struct releases *, const char *upstream);
void source_look(struct releases *, struct source *);
void probes_cancel(struct releases *);
bool release_may_begin(const struct release *);
void release_begin(struct release *); /* something of it is asked for */
const struct config_upstream *image_upstream(
    const struct image *, struct config *);
const struct release_image *image_of(const struct image *);

/* ---- state.c --------------------------------------------------------------- */

/* Looks at it all again; saves what is to be kept. */
void release_look(struct release *);
void release_touch(struct release *); /* something of it changed */
void image_state(const struct image *, enum release_state *,
    struct release_why *, int64_t *next_try_at);
enum release_state piece_show(
    const struct piece *, struct release_why *, int64_t *next_try_at);
/* Nothing is to be walked or written any more: are releases complete? */
void releases_settle(struct releases *);
void releases_tick(void *releases);
void on_pins_changed(void *releases, const struct pin_change *, size_t n);

/* ---- catch_up.c ----------------------------------------------------- */

/* The deadline has passed, and the mirror was offline, or is just back. */
void catch_up_look(struct release *, bool was_offline, int64_t now);

/* ---- keep.c: state files ----------------------------------------------------- */

void keep_release(struct release *); /* soon */
void keep_forget(struct releases *, const char *name);
/* Writes what the call has changed, a release or the freeze, and then calls
 * call_saved(). -1: no memory. */
int keep_call(struct releases *, struct release_call *);
void keep_freeze(struct releases *);
/* Unpins, page by page, what no release is left for. */
void keep_unpin(struct releases *, const char *pins);
void keep_unpin_strays(struct releases *);

/* ---- view.c, report.c ---------------------------------------------------------- */

struct release_view *view_new(struct release_list *); /* referenced */
struct release_overview *overview_new(size_t n);
void report_summary(struct release *, struct release_summary *);
struct report_images {
	unsigned of_state;
	size_t after, limit;
	uint64_t since; /* changed after this */
};
struct release_view *report_view(
    struct release *, const struct report_images *);
struct release_view *report_image(struct release *, size_t image);
struct release_overview *report_all(struct releases *);

/* ---- calls.c --------------------------------------------------------------- */

void call_answer(struct releases *, struct release_call *);
/* The mirror is stopping. */
void call_cancel(struct releases *, struct release_call *);
void calls_cancel(struct releases *);
void calls_go_on(struct releases *); /* what was kept has been read */
void call_put_resolved(struct releases *, struct release_call *);
void call_saved(struct releases *, struct release_call *, const struct err *);

/* ---- resolve.c, plan.c, verify.c, ear.c ------------------------------------ */

/* Tags to digests, then call_put_resolved() or the plan. */
void resolve_start(struct releases *, struct release_call *);
void resolves_cancel(struct releases *);
bool resolve_is_due(const struct release_list *);
void plan_start(struct releases *, struct release_call *);
void plan_seen(
    struct image *, const struct digest *, uint64_t size, bool is_here);
void plan_look(struct release *); /* is it done? */
void plans_cancel(struct releases *);
void plan_free(struct plan *);
void verify_start(struct releases *, struct release *, struct release_call *);
void ears_tell(void *releases); /* the timer */
void ears_gone(struct releases *, const char *name);

/* ---- gauges.c --------------------------------------------------------------- */

void gauges_show(struct releases *);
void gauges_drop(struct release *);

#endif
