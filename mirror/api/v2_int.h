/*
 * v2_int.h - what the files of the data plane share: one pull, from its request
 * to its end.
 */
#ifndef API_V2_INT_H
#define API_V2_INT_H

#include <stdbool.h>

#include "api/traffic.h"
#include "api/v2.h"
#include "cache/cache.h"
#include "cache/lookup.h"
#include "cache/reader.h"
#include "cache/target.h"
#include "cache/ticket.h"
#include "loop/timer.h"
#include "oci/route.h"
#include "site/pulls.h"

/* What a client waits for before it hears at least an error: below the 30 s
 * that containerd waits for a head. */
#define PULL_PATIENCE_MS 25000

struct v2 {
	struct loop *loop;
	struct cache_port *port; /* owned */
	struct pulls *pulls;     /* borrowed; outlives us */
	struct config *config;   /* counted */
	struct traffic traffic;
};

/* In the exchange's arena; ends in the exchange's on_end. */
struct pull {
	struct v2 *v2;
	struct exchange *x;
	struct route route;
	struct target target; /* has its upstream when is_routed */
	bool is_routed;
	struct site_id site;
	struct digest sent; /* the manifest that is sent; alg 0: none */
	struct traffic_key key;
	bool is_counted;
	bool is_stale;
	struct ticket ticket;
	struct timer timer; /* patience */
	bool has_timer;
	char *copy; /* owned: a body that points nowhere else */

	/* Blobs. */
	struct reader reader;
	unsigned n_lookups;
	bool is_replying;
};

void v2_manifest(struct pull *);
void v2_blob(struct pull *);
void v2_blob_gone(struct pull *); /* its exchange has ended */
void v2_list(struct pull *);

/* The result is known: it is counted, once. */
void pull_count(struct pull *, enum traffic_result);
void pull_error(struct pull *, const struct err *);
/* Starts a reply with the headers that all have. */
void pull_start(struct pull *, int status);
#define ETAG_TEXT_MAX (DIGEST_TEXT_MAX + 2)
/* The quoted digest, in TEXT. */
struct str pull_etag(const struct digest *, char text[ETAG_TEXT_MAX]);
/* Does the client have this already (If-None-Match)? */
bool pull_is_not_modified(const struct pull *, const struct digest *);
/* Digest, ETag and Cache-Control of content; STALE adds its Warning. */
void pull_content_headers(
    struct pull *, const struct digest *, bool is_by_digest);
void pull_stale_header(struct pull *);
/* BYTES point into the index or an answer: keep them until the end. */
void pull_bytes(struct pull *, struct str bytes);
/* ON_TIMER is called after MS, but no later than PULL_PATIENCE_MS after the
 * request came. */
void pull_patience(struct pull *, uint64_t ms, timer_fn *on_timer);
/* Asks the origin loop; ON_ANSWER as the ticket's. */
void pull_ask(struct pull *, enum ask_kind, void (*on_answer)(struct ticket *));
enum traffic_result pull_answer_result(const struct pull *);

#endif
