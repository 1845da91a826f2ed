/*
 * site.h - the sites: who was seen when, pulled what, and with what success.
 *
 * At most SITES_MAX are kept, the one not seen for longest is forgotten first.
 * Of each the manifests are known that it pulled last (SITE_ROWS_MAX, and
 * ROWS_MAX over all), so that one can ask by digest.  A site fails when what
 * it asked for last went wrong and has not come out well since; after
 * SITE_FAILING_S without another try that is history.  Being silent is no
 * failure: a site that needs nothing asks for nothing.
 *
 * All is kept in a file that a work thread replaces some time after a change,
 * and that is written once more at the end.
 * Times are those of the wall clock at which news came here; the order in which
 * sites are forgotten goes by no clock.
 *
 * Threads: admin loop only, but for sites_new() and sites_free().
 */
#ifndef SITE_SITE_H
#define SITE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "site/name.h"

struct loop;
struct sites;
struct work_pool;

#define SITES_MAX 10000u
#define SITE_ROWS_MAX 1024u
#define ROWS_MAX 1000000u
#define SITE_FAILING_S (15 * 60)
#define SITE_SILENT_S (24 * 3600)
#define SITES_KEEP_MS 60000 /* what a crash may cost */

struct site_row;

struct site {
	char name[SITE_TEXT_MAX];
	enum site_origin origin;
	unsigned char address[SITE_ADDRESS_BYTES]; /* where it was seen last */
	int64_t first_seen_at, last_seen_at;       /* s, wall */
	uint64_t n_requests, n_errors, bytes;
	char *pulled; /* the manifest pulled last; NULL: none; owned */
	int64_t pulled_at;
	char *failed; /* what went wrong last; NULL: nothing; owned */
	int64_t failed_at;
	int failed_status;
	bool is_failed; /* and it has not come out well since */

	/* Not yours. */
	uint64_t failed_what;
	struct site_row *rows; /* owned; by key */
	uint32_t n_rows, max_rows;
	struct site *older, *newer; /* by when it was seen */
	uint64_t ring_of;           /* the configuration that `ring` is of */
	size_t ring;
};

enum site_state { SITE_SEEN, SITE_SILENT, SITE_FAILING, SITE_STATES };

struct sites_spec {
	struct loop *admin;
	struct work_pool *pool;
	const char *path; /* of the file; copied */
	uint64_t keep_ms; /* from a change to its being written */
};

/* Reads the file; one that is broken is logged, and replaced in time. */
struct sites *sites_new(const struct sites_spec *, struct err *err);
/* Writes what is new; all loops were joined and drained.  NULL is fine. */
void sites_free(struct sites *);

/* Hears of every digest that was measured, by tag too, as the notes come in.
 * FN NULL: nobody.  Before the loops start or after they were joined. */
struct pull_tally;
typedef void sites_tap_fn(
    void *arg, const struct digest *, const struct pull_tally *);
void sites_set_tap(struct sites *, sites_tap_fn *fn, void *arg);

size_t sites_count(const struct sites *);
struct site *sites_find(const struct sites *, const char *name);
/* In the order of their names: the first behind AFTER (NULL: of all); NULL:
 * there is none. */
struct site *sites_next(const struct sites *, const char *after);
/* What ring CONFIG (the same until the next reload) puts it in. */
const char *sites_ring(struct sites *, struct site *, struct config *);
enum site_state site_state(const struct site *, int64_t now);
const char *site_state_name(enum site_state); /* "seen" */
/* When it pulled that manifest last; 0: not that we know. */
int64_t site_pulled_at(const struct site *, const struct digest *manifest);

#endif
