/*
 * releases.h - the releases: accepted, kept over restarts, brought in.
 *
 * They live on the origin loop.  Others ask by a call, which is a letter there
 * and back, and get views: copies that are immutable and counted (atomic).
 *
 *	api (admin loop)            origin loop
 *	release_call  --- letter -->  releases: accept, hold, retry, ...
 *	     done()  <-- letter ---   with a view
 *	release_ear  <-- letters --   views of what changed, 5 a second at most
 *
 * States of a release, an image, a digest:
 *
 *	pending   accepted, not begun: not_before, a window, its turn
 *	warming   being brought in
 *	waiting   its link or upstream is down, or lets no prewarm through
 *	ready     here, verified
 *	failed    unknown upstream, wrong bytes, denied, no such platform
 *	held      by an operator, a freeze, or catch_up
 *
 * Offline is waiting, never failed.  What failed is tried again all the same,
 * rarely (next_try_at), since images are pushed late.
 */
#ifndef RELEASE_RELEASES_H
#define RELEASE_RELEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/pool.h"
#include "common/refs.h"
#include "loop/loop.h"
#include "release/list.h"

struct cache;
struct releases;
struct store;
struct work_pool;

enum release_state {
	RELEASE_PENDING,
	RELEASE_WARMING,
	RELEASE_WAITING,
	RELEASE_READY,
	RELEASE_FAILED,
	RELEASE_HELD,
	RELEASE_STATE_COUNT
};
const char *release_state_name(enum release_state); /* "pending" */

/* ---- birth and death ---------------------------------------------------- */

struct releases_spec {
	struct loop *origin;
	struct store *store;
	struct cache *cache;
	struct work_pool *pool;
	const char *state_folder; /* PATH/state of the store; copied */
};

/* Before the loops start. */
struct releases *releases_new(const struct releases_spec *, struct err *err);
/* Once they run: what was kept is read, in the background. */
void releases_begin(struct releases *);
/* On the origin loop: nothing is begun any more, calls are answered
 * ERR_CANCELLED.  DONE is called there once all is on disk. */
void releases_close(struct releases *, void (*done)(void *arg), void *arg);
/* Asks UPSTREAM for a sign of life, unless it is being asked, by an image of the
 * release: a mirror that has all it needs asks for nothing, and would not learn
 * that whom it could not reach is back.  On the origin loop. */
void releases_probe(
    struct releases *, const char *release, const char *upstream);
void releases_free(struct releases *); /* after releases_close; NULL is fine */

/* ---- views -------------------------------------------------------------- */

#define RELEASE_CODE_MAX 32
#define RELEASE_WHO_MAX 128

/* Why it is in its state: a stable word, and a sentence. */
struct release_why {
	char code[RELEASE_CODE_MAX]; /* "" when there is nothing to say */
	char text[ERR_TEXT_MAX];
};

struct release_counts {
	uint64_t n_digests; /* known so far */
	uint64_t n_missing;
	uint64_t bytes;
	uint64_t missing_bytes;
};

/* Times: s, wall; 0: not, or not known. */
struct release_summary {
	char name[RELEASE_NAME_MAX + 1];
	enum release_state state;
	struct release_why why;
	size_t n_images;
	size_t n_in_state[RELEASE_STATE_COUNT]; /* of the images */
	struct release_counts counts;
	uint64_t coming_bytes; /* of the missing ones, in drafts by now */
	/* All manifests are here and were read: the counts are final. */
	bool is_known;
	unsigned priority;
	enum catch_up catch_up;
	int64_t published_at, not_before, deadline, pin_until; /* as listed */
	int64_t accepted_at;                                   /* this list */
	int64_t begun_at;
	int64_t ready_at;    /* first complete */
	int64_t lost_at;     /* content lost after that, and not back yet */
	int64_t window_at;   /* pending, a window: when it opens */
	int64_t next_try_at; /* waiting, failed: the soonest */
	bool has_missed;     /* it was offline when its window passed */
	char held_by[RELEASE_WHO_MAX]; /* "" unless an operator holds it */
	int64_t lag_s;                 /* lag.h */
	bool is_in_future;             /* published_at is */
	int64_t seen_at;               /* when this view was made */
};

struct release_image_view {
	size_t index;          /* in the list */
	const char *reference; /* lives with the view */
	enum release_state state;
	const char *code; /* "" when there is nothing to say */
	const char *text;
	size_t n_digests, n_missing;
	uint64_t bytes, missing_bytes, coming_bytes;
	bool is_known;
	int64_t next_try_at;
};

enum release_part {
	RELEASE_INDEX,
	RELEASE_MANIFEST,
	RELEASE_CONFIG,
	RELEASE_LAYER,
	RELEASE_REFERRER, /* a manifest that refers to one of the image's */
	RELEASE_PART_COUNT
};
const char *release_part_name(enum release_part); /* "index" */

struct release_digest_view {
	struct digest digest;
	enum release_part part;
	uint64_t size; /* 0: not known yet */
	enum release_state state;
	const char *code;
	const char *text;
	uint64_t coming_bytes;
	int64_t next_try_at;
};

/* What of a release comes from one upstream; a digest that several have is the
 * first one's. */
struct release_share {
	const char *upstream;
	struct release_counts counts;
};

struct release_view {
	struct refs refs;
	struct release_list *list; /* counted; what was asked for */
	struct release_summary summary;
	struct release_image_view *images; /* sorted by index */
	size_t n_images;
	struct release_digest_view *digests; /* call IMAGE only */
	size_t n_digests;
	struct release_share *shares; /* call PLAN only */
	size_t n_shares;
	struct pool pool;
};
struct release_view *release_view_ref(struct release_view *);
void release_view_unref(struct release_view *); /* NULL is fine */

/* An operator's declared stop. */
struct freeze {
	bool is_on;
	char reason[ERR_TEXT_MAX];
	char by[RELEASE_WHO_MAX];
	int64_t since; /* s, wall */
	int64_t until; /* 0: until lifted */
};

/* All of them, for lists, gates and metrics. */
struct release_overview {
	struct refs refs;
	struct release_summary *all; /* by name */
	size_t n;
	struct freeze freeze;
	int64_t lag_s;           /* the mirror's */
	const char *lag_release; /* whose that is; "" */
	bool is_read; /* what was kept has been read since the start */
};
struct release_overview *release_overview_ref(struct release_overview *);
void release_overview_unref(struct release_overview *); /* NULL is fine */

/* ---- calls -------------------------------------------------------------- */

enum release_verb {
	RELEASES_LIST,   /* overview */
	RELEASE_VIEW,    /* view, without images */
	RELEASE_IMAGES,  /* view, with images: of_state, after, limit */
	RELEASE_IMAGE,   /* view, of image `after`, and its digests */
	RELEASE_PUT,     /* list; tags are resolved; view with images */
	RELEASE_PLAN,    /* list, as for PUT: fetches manifests that are not
			    here, and no more; view with images and shares */
	RELEASE_DELETE,  /* unpins */
	RELEASE_RETRY,   /* what failed or waits: now; view */
	RELEASE_HOLD,    /* by, reason; view */
	RELEASE_RESUME,  /* also what catch_up holds; view */
	RELEASE_VERIFY,  /* reads and hashes all of it, or joins who does;
			    answered at the end */
	RELEASES_FREEZE, /* freeze; overview */
	RELEASES_THAW,   /* overview */
};

/*
 * Embedded in its owner, who leaves it alone until done() is called on HOME.
 * It can't be called off.  Any loop.
 */
struct release_call {
	struct letter letter; /* not yours */
	struct loop *home;
	void (*done)(struct release_call *);
	enum release_verb verb;
	char name[RELEASE_NAME_MAX + 1];
	char by[RELEASE_WHO_MAX]; /* who asks */
	char reason[ERR_TEXT_MAX];
	/* PUT; taken.  May hold tags when it says resolve_tags. */
	struct release_list *list;
	struct config *config; /* PUT, PLAN: where its upstreams are; taken */
	struct freeze freeze;  /* FREEZE: reason, by, until */
	unsigned of_state;     /* IMAGES: a bit each; 0: all */
	size_t after;          /* IMAGES: first index; IMAGE: the image */
	size_t limit;          /* IMAGES */

	/* At done(); error.code ERR_NONE when it went well: ERR_NOT_FOUND (no
	 * such release), ERR_BAD_REQUEST (faults), ERR_OVERLOADED,
	 * ERR_CANCELLED, ERR_DISK... */
	struct err error;
	struct release_faults faults;      /* PUT: tags that have no digest;
					      the owner's to free */
	struct release_view *view;         /* counted, the owner's */
	struct release_overview *overview; /* counted, the owner's */
	bool is_new;                       /* PUT */
	bool has_changed; /* PUT: the list is another than before */
	struct release_verified {
		uint64_t n_digests, bytes, n_missing, n_corrupt;
		uint64_t n_unread;      /* neither proved nor known as bad */
		char why[ERR_TEXT_MAX]; /* the first one was not */
	} verified;                     /* VERIFY */
	struct {
		struct releases *releases;
		char *text; /* owned; PUT: the list's one form, once known */
		TAILQ_ENTRY(release_call) entry; /* of those that wait */
	} inside;                                /* not yours */
};

/* Fill in home, done, verb and what the verb wants; the rest zero. */
void releases_call(struct releases *, struct release_call *);
/* Frees faults, view and overview. */
void release_call_done(struct release_call *);

/* ---- events ------------------------------------------------------------- */

struct release_ear;

/* VIEW (borrowed) has the images that changed; the first one has all.  NULL:
 * the release is gone; the last event. */
typedef void release_ear_fn(void *arg, struct release_view *);

/* Events come on HOME, which is where both are called.  A release that is not
 * there is "gone" at once.  NULL: no memory. */
struct release_ear *release_ear_open(struct releases *, struct loop *home,
    const char *name, release_ear_fn *, void *arg);
/* No event after this. NULL is fine. */
void release_ear_close(struct release_ear *);

#endif
