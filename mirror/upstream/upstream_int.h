/*
 * upstream_int.h - what the files of this folder know of each other: the live
 * state of endpoints, and the inside of a fetch.
 */
#ifndef UPSTREAM_INT_H
#define UPSTREAM_INT_H

#include "common/metrics.h"
#include "common/rolling.h"
#include "upstream/breaker.h"
#include "upstream/fetch.h"
#include "upstream/layout.h"
#include "upstream/links.h"
#include "upstream/token.h"
#include "upstream/upstream.h"

/* ---- upstream.c -------------------------------------------------------- */

#define LABEL_MAX 256
#define LINK_STATES_MAX 1024 /* over all reloads */

/* How one endpoint is doing.  Lives as long as the upstreams. */
struct endpoint_state {
	char upstream[LABEL_MAX];
	char label[LABEL_MAX];
	struct breaker breaker;
	bool was_tried;
	bool is_up;
	int64_t last_ok_at; /* s, wall; 0: never */
	int64_t last_fail_at;
	struct err last_error;
	int64_t ratelimit;           /* requests a window; -1: not told */
	int64_t ratelimit_remaining; /* the same, left */
	uint64_t ratelimit_until_ms; /* the end of the window, at the latest */
	uint64_t distrusted_until_ms;
	struct rolling recent; /* requests, errors */
	struct metric *up;     /* borrowed, like all cells */
	struct metric *breaker_state;
	struct metric *remaining; /* NULL until it is told */
	enum fetch_result result; /* the last one; RUNNING: none yet */
	char link[LINK_NAME_MAX]; /* as configured now; "": none */
};

struct upstreams {
	struct loop *loop;      /* borrowed; outlives us */
	struct work_pool *pool; /* borrowed; outlives us */
	uint64_t connect_ms;
	uint64_t first_byte_ms;
	size_t n_fetches;                    /* not closed */
	struct map *endpoints;               /* owned, with its values */
	struct map *links;                   /* the same: link_state */
	char *state_folder;                  /* owned; NULL: nothing is kept */
	struct curl_loop *curl;              /* owned */
	struct credential_desk *credentials; /* owned */
	struct pass_desk *passes;            /* owned */
	struct layout_shelf *layouts;        /* owned */
};

/* NULL when out of memory. */
struct endpoint_state *endpoint_state(struct upstreams *,
    const struct config_upstream *, const struct config_endpoint *);
/* An answer came, or a request ended without one (0). */
void endpoint_answered(struct endpoint_state *, int status);
/* The headers' values; p == NULL: there is none. */
void endpoint_ratelimit(struct endpoint_state *, struct upstreams *,
    struct str limit, struct str remaining);
/* It gives what was asked for: it is offline no longer. */
void endpoint_is_back(struct endpoint_state *);
/* How a fetch ended; RETRY_AFTER_MS 0: not told. */
void endpoint_ended(struct endpoint_state *, struct upstreams *,
    enum fetch_result, const struct err *, uint64_t retry_after_ms);
/* Is what is left of its rate limit kept for pulls? */
bool endpoint_is_below_floor(const struct upstreams *,
    const struct config_upstream *, const struct endpoint_state *);
/* Its owner lost interest before there was an answer. */
void endpoint_abandoned(struct endpoint_state *);

/* ---- standing.c ---------------------------------------------------------- */

enum endpoint_standing endpoint_standing(const struct endpoint_state *);
/* Is nobody reached over this link?  False when nobody was asked. */
bool endpoints_are_offline(struct upstreams *, const char *link);

/* ---- fetch.c ----------------------------------------------------------- */

/* One kind of endpoint. */
struct fetch_kind {
	/* May end the fetch, too: its owner hears of it later. */
	int (*start)(struct fetch *, struct err *err);
	/* Frees what is of the kind.  Work that is out has a reference to the
	 * fetch and frees itself.  Called once, when the owner closes. */
	void (*stop)(struct fetch *);
	/* spec.class has changed.  NULL: it makes no difference. */
	void (*set_class)(struct fetch *);
};
extern const struct fetch_kind fetch_kind_http;
extern const struct fetch_kind fetch_kind_layout;

/*
 *	HEAD ---> BODY ---> ENDED
 *	  +-------------------^
 *
 * HEAD: nothing was promised yet.  BODY: on_head was called; `length` is
 * promised.  ENDED: result and err are set, on_end is posted or has been
 * called.
 */
enum fetch_state { FETCH_IN_HEAD, FETCH_IN_BODY, FETCH_HAS_ENDED };

struct fetch {
	unsigned refs; /* the owner's, the letter's, work's that is out */
	bool is_closed;
	bool is_calling; /* inside on_head or on_bytes */
	struct letter letter;
	struct fetch_spec spec;      /* its strings point into `text` */
	struct buf text;             /* owned: copies of the spec's strings */
	struct upstreams *upstreams; /* borrowed; not after is_closed */
	struct endpoint_state *endpoint;
	const struct fetch_kind *kind;
	void *of_kind; /* owned by the kind */
	enum fetch_state state;
	enum fetch_result result;
	struct err err;
	uint64_t retry_after_ms;
	int64_t length; /* -1: not told */
	uint64_t received;
	struct metric *upstream_bytes;
	struct metric *link_bytes;
};

/* "manifest library/nginx:latest", into OUT; returns OUT. */
#define FETCH_WHAT_MAX 200
const char *fetch_what(const struct fetch *, char out[FETCH_WHAT_MAX]);

/* 0, or -1 when the fetch is to be stopped: there is a verdict then, and
 * fetch_end() follows once we are outside of the library. */
err_checked int fetch_give_head(struct fetch *, const struct fetch_head *);
err_checked int fetch_give_bytes(struct fetch *, const void *, size_t);
/* The verdict and its sentence, before which "docker.io: " is put.  Returns
 * -1. */
int fetch_judge(struct fetch *, enum fetch_result, enum err_code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool fetch_is_judged(const struct fetch *);
/* All bytes came: DONE, or BROKEN when more had been promised. */
void fetch_judge_done(struct fetch *);
/* It has ended, with the verdict. */
void fetch_end(struct fetch *);
void fetch_unref(struct fetch *);

#endif
