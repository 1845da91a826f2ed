/*
 * admin_int.h - what the control plane's files share.
 *
 * A handler is found in the table of admin.c and called once its caller was
 * found to be allowed.  It answers through one of the admin_reply functions or
 * admin_fail().  All on the admin loop.
 */
#ifndef API_ADMIN_INT_H
#define API_ADMIN_INT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/admin.h"
#include "api/ratio.h"
#include "common/config.h"
#include "common/tokens.h"
#include "upstream/upstream.h"

struct hits;
struct map;
struct metric;
struct release_folder;

struct admin {
	struct admin_spec spec;
	struct tokens *tokens;         /* owned; NULL: none */
	struct ratio *ratio;           /* owned */
	struct release_folder *folder; /* owned; NULL: there are no releases */
	struct hits *hits;             /* owned; NULL: there are no sites */
	struct metric *ratio_cells[2][WINDOW_COUNT]; /* requests, bytes */
	struct map *gate_cells; /* owned; metric_cell() by release */
	atomic_bool is_draining;
};

typedef void admin_fn(struct admin *, struct exchange *);

admin_fn health_live;
admin_fn health_ready;
admin_fn metrics_scrape;
admin_fn v1_freeze;
admin_fn v1_freeze_delete;
admin_fn v1_freeze_put;
admin_fn v1_gate;
admin_fn v1_hosts;
admin_fn v1_link_change;
admin_fn v1_links;
admin_fn v1_ready;
admin_fn v1_release;
admin_fn v1_release_delete;
admin_fn v1_release_events;
admin_fn v1_release_hold;
admin_fn v1_release_put;
admin_fn v1_release_resume;
admin_fn v1_release_retry;
admin_fn v1_release_sites;
admin_fn v1_release_verify;
admin_fn v1_releases;
admin_fn v1_sites;
admin_fn v1_status;
admin_fn v1_upstreams;

void metrics_setup(struct admin *); /* once */

/* For what needs more than its route does.  False: the request was refused. */
bool admin_is_allowed(
    const struct admin *, struct exchange *, enum role needed);
/* Who asks, for the log: the token's name, or the certificate's, and where
 * from. */
void admin_caller(
    const struct admin *, const struct exchange *, char *out, size_t size);

/* ---- answering ---------------------------------------------------------- */

/* Takes VALUE; NULL (jansson found no memory) answers 503. */
void admin_reply_json(struct exchange *, int status, json_t *value);
/* Takes TEXT (malloc), which lives until the exchange has ended. */
void admin_reply_text(
    struct exchange *, const char *content_type, char *text, size_t n);
/* FIELD: what of the request is wrong; NULL: all of it. */
void admin_fail(struct exchange *, const struct err *, const char *field);

/* A JSON string of any bytes: what is not UTF-8 is shown as \xHH. */
json_t *admin_json_text(const char *);
/* RFC 3339; null for 0. */
json_t *admin_json_time(int64_t wall_s);
/* Bytes per second; null: not limited. */
json_t *admin_json_rate(uint64_t rate);

/*
 * Hands the query's pairs, decoded (into the exchange's arena), to SET, which
 * says with ERR what is wrong with one.  Returns -1 when that was answered.
 */
typedef int admin_query_fn(
    void *to, struct str key, struct str value, struct err *err);
int admin_query(struct exchange *, admin_query_fn *set, void *to);
int admin_query_unknown(struct str key, const char *known, struct err *err);
/* The most that a page may have: limit=1 to LIMIT_MAX. */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
int admin_query_limit(struct str value, uint64_t *limit, struct err *err);

/* ---- how upstreams are doing -------------------------------------------- */

struct report;
typedef void report_fn(
    struct admin *, struct exchange *, const struct report *);

/* Asks the origin loop; ANSWER is called when the report is here, and not at
 * all when the exchange has ended meanwhile.  ARG lives in its arena. */
void report_ask(
    struct admin *, struct exchange *, report_fn *answer, void *arg);
void *report_arg(const struct report *);
/* The configuration that was reported on; valid during the answer. */
const struct config *report_config(const struct report *);
/* Of an endpoint of that configuration; NULL: nothing is known. */
const struct endpoint_report *report_endpoint(const struct report *,
    const struct config_upstream *, const struct config_endpoint *);
/* Not known to be down. */
bool report_is_up(const struct endpoint_report *);
/* Is an endpoint of it up? */
bool report_has_up(const struct report *, const struct config_upstream *);

#endif
