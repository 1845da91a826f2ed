/*
 * releases_int.h - what the control plane's files about releases share.
 *
 * An ask is a request that waits for the releases, which live on the origin
 * loop.  Its exchange may end on the way; then what was asked for still
 * happens, and only nobody is told.  All on the admin loop, but for what says
 * that it is not.
 */
#ifndef API_RELEASES_INT_H
#define API_RELEASES_INT_H

#include "admin_int.h"
#include "common/config.h"
#include "release/forecast.h"
#include "release/gate.h"
#include "release/releases.h"
#include "upstream/links.h"

#define RELEASES_PATH "/v1/releases/"

/* ---- asking (release_ask.c) --------------------------------------------- */

struct release_ask;
/* The call went well.  Answers the exchange, or asks on. */
typedef void ask_fn(struct release_ask *);

struct release_ask {
	struct release_call call;
	struct admin *admin;
	struct exchange *exchange; /* NULL: it has ended */
	ask_fn *answer;
	ask_fn *failed;          /* it did not; NULL: the exchange is told */
	void *arg;               /* of whoever asks, */
	void (*done)(void *arg); /* who is told to free it; may be NULL */
	bool is_kept;            /* somebody else is asked now */
};

/* Of the release that the path names (verbs of one release).  NULL: it was
 * answered. */
struct release_ask *ask_new(
    struct admin *, struct exchange *, enum release_verb, ask_fn *answer);
/* Sends it; from here on it frees itself. */
void ask_send(struct release_ask *);
/* The same call again, with another verb; in an ask_fn only. */
void ask_again(struct release_ask *, enum release_verb, ask_fn *answer);
/* In an ask_fn that has asked somebody else meanwhile: it is not freed when the
 * function returns, but with ask_free(). */
void ask_keep(struct release_ask *);
void ask_free(struct release_ask *);

/* The name in the path; false: it was answered that there can be none such. */
bool ask_name(struct exchange *, char name[RELEASE_NAME_MAX + 1]);
/* All that is wrong with a body. */
void ask_fail_faults(struct exchange *, const struct release_faults *);

/* ---- as JSON (release_json.c) ------------------------------------------- */

json_t *json_summary(const struct release_summary *);
json_t *json_image(const struct release_image_view *);
json_t *json_digest(const struct release_digest_view *);
json_t *json_freeze(const struct freeze *);
/* A bit for "ready", several of them with commas between. */
int json_states(struct str text, unsigned *bits, struct err *err);

/* ---- how links and upstreams are (link_look.c) -------------------------- */

#define LOOK_UPSTREAMS_MAX 64

struct look_upstream {
	const char *name;                       /* borrowed from the list */
	const struct config_upstream *upstream; /* NULL: not configured now */
	bool is_up;
	char why[ERR_TEXT_MAX];
	struct upstream_recent recent;
};

/* Asked of the origin loop, there and back by letter. */
struct link_look {
	struct letter letter;
	struct admin *admin;
	struct config *config; /* counted */
	struct release_ask *ask;
	void (*done)(struct link_look *);
	size_t n_upstreams;
	struct look_upstream upstreams[LOOK_UPSTREAMS_MAX];
	bool has_more; /* that were not looked at */
	size_t n_links;
	struct link_report *links; /* owned; NULL: as configured */
};

/* At the upstreams of the ask's view, and all links.  DONE answers the ask's
 * exchange unless that has ended; look and ask are freed after it. */
void look_at_links(struct release_ask *, void (*done)(struct link_look *));
/* What an upstream's first endpoint is reached over, for forecast.h. */
struct forecast_link look_link(
    const struct link_look *, const struct look_upstream *);
/* When BYTES from all upstreams together would be here, at the worst; 0: not
 * to be foretold. */
int64_t look_done_at(const struct link_look *, uint64_t bytes, int64_t from_s);

/* ---- gates (v1_gate.c) --------------------------------------------------- */

void gate_rules_now(struct gate_rules *); /* of the configuration */
/* VERIFIED NULL: it was not asked. */
void gate_decide_now(const struct link_look *, const struct gate_rules *,
    const struct release_view *, const struct release_overview *,
    const struct release_verified *, struct gate *out);
/* Decides every gate anew for gate_open, then calls THEN, which answers the
 * exchange; not when that has ended meanwhile (gate_gauges.c). */
void gates_show(
    struct admin *, struct exchange *, void (*then)(struct exchange *));

/* ---- plans (release_plan.c) --------------------------------------------- */

struct plan_question {
	uint64_t n_stores; /* 0: not asked */
};
json_t *json_plan(const struct link_look *, const struct plan_question *);

#endif
