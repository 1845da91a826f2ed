/*
 * lookup.h - is it here, and may this repository have it?
 *
 * Serve loop only; no waiting.  What is found may point into the index: it is
 * valid until lookup_release(), which the caller calls before its callback
 * returns.
 *
 * Who may: content belongs to a repository when one of its manifests names it
 * or the upstream once confirmed it; content seen in any public upstream
 * belongs to all repositories of public upstreams.
 */
#ifndef CACHE_LOOKUP_H
#define CACHE_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/target.h"
#include "common/shared_fd.h"

struct cache_port;

struct found {
	struct digest digest;
	uint64_t size;
	struct str media_type; /* manifests */
	struct str bytes;      /* manifests; p == NULL: read the file */
	int64_t confirmed_at;  /* tags: s, wall */
};

/* By digest: target->digest. */
bool lookup_manifest(
    struct cache_port *, const struct target *, struct found *);
/* By tag, while it is fresh (or immutable). */
bool lookup_tag(struct cache_port *, const struct target *, struct found *);
/* Size only; lookup_open() opens the file. */
bool lookup_blob(struct cache_port *, const struct target *, struct found *);

/* By a digest that an answer named: who may have it was seen to. */
bool lookup_answered(
    struct cache_port *, const struct digest *, struct found *);

enum lookup_list { LOOKUP_TAGS, LOOKUP_REFERRERS };
/* A tag list, or the referrers of target->digest, while fresh. */
bool lookup_list(struct cache_port *, const struct target *, enum lookup_list,
    struct found *);

/* NULL with ERR_NOT_FOUND: the file is missing or short; it was quarantined,
 * treat as a miss with target.is_lost.  NULL with another code: an error. */
struct shared_fd *lookup_open(
    struct cache_port *, const struct found *, struct err *err);

void lookup_release(struct cache_port *);

#endif
