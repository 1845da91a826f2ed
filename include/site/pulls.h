/*
 * pulls.h - what sites ask for, noted by a serve loop as it goes.
 *
 * A table of its own for each serve loop, of what a site asked for and how
 * often: asking for the same again only adds.  When the table is half full, or
 * a second after its first row, it goes to the sites (site.h) as a letter and
 * comes back empty; meanwhile another is used.  No lock, no memory taken: where
 * the sites are too slow for all tables, notes are lost and counted
 * (site_pulls_lost_total).
 *
 * Threads: its serve loop only, but for pulls_new() and pulls_free().
 */
#ifndef SITE_PULLS_H
#define SITE_PULLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "site/name.h"

struct loop;
struct pulls;
struct sites;

enum pull_outcome {
	PULL_GOOD,
	PULL_BAD,
	PULL_LEFT, /* the client went away: says nothing about us */
};

#define PULL_SCOPE_MAX 255 /* "upstream/repository" */
#define PULL_TAG_MAX 128

/* Strings are borrowed for the call. */
struct pull_note {
	const struct site_id *site;
	struct str scope;            /* empty: nothing that we know */
	struct str tag;              /* empty: a digest, or a list */
	const struct digest *digest; /* asked for; alg 0: a tag */
	/* The manifest that was sent whole; NULL: none was. */
	const struct digest *manifest;
	bool is_head;
	enum pull_outcome outcome;
	int status;
	uint64_t bytes;
	/* A GET of content that was served: part of the hit ratio. */
	bool is_measured;
	bool is_hit;
};

/* What was asked for, of one row. */
struct pull_tally {
	uint32_t n_gets, n_hits; /* that are measured */
	uint64_t bytes, hit_bytes;
};

struct pulls *pulls_new(struct loop *serve, struct sites *, struct err *err);
/* After all loops were joined and drained; what is noted goes to the sites.
 * NULL is fine. */
void pulls_free(struct pulls *);
void pulls_note(struct pulls *, const struct pull_note *);

#endif
