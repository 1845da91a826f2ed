/*
 * cache_int.h - what the files of cache/ share: the origin loop's side of the
 * cache, and a serve loop's port.
 */
#ifndef CACHE_INT_H
#define CACHE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cache/cache.h"
#include "cache/target.h"
#include "cache/ticket.h"
#include "common/map.h"
#include "loop/loop.h"
#include "store/index.h"
#include "store/store.h"
#include "upstream/fetch.h"
#include "upstream/upstream.h"

#define CACHE_FILLS_MAX 4096
#define CACHE_ASKS_MAX 16384
#define CACHE_ABSENT_MAX 16384
#define CACHE_MOVED_MAX 4096

#define ABSENT_MS 10000      /* how long an upstream's 404 is remembered */
#define RECHECK_MS 30000     /* after a background check that failed */
#define ASK_PATIENCE_MS 8000 /* new tries of an ask begin within this */
/* The same of a blob whose manifest we served. */
#define FILL_PATIENCE_MS 25000
#define FILL_PREWARM_PATIENCE_MS (5u * 60 * 1000)
#define FILL_STALL_MS 60000 /* no new byte for this long: give up */

/* The origin loop's side.  Origin loop only, but for the immutable fields. */
struct cache {
	struct loop *origin;         /* immutable */
	struct store *store;         /* immutable */
	struct upstreams *upstreams; /* immutable */
	struct index_reader *reader;
	struct map *fills;  /* digest key -> struct fill */
	struct map *asks;   /* kind, scope and key -> struct ask */
	struct map *absent; /* the same key -> until when (loop ms) */
	struct map *moved; /* key of an immutable tag -> mark of the digest that
			      the upstream moved it to, as last told */
	unsigned n_busy;   /* fills and asks that are not freed yet */
	bool is_closing;
	void (*on_closed)(void *arg);
	void *on_closed_arg;
	struct letter closed;
};

/* A serve loop's side.  That loop only, but for the immutable fields. */
struct cache_port {
	struct cache *cache; /* immutable */
	struct loop *loop;   /* immutable */
	struct index_reader *reader;
	struct open_blobs *open_blobs;
	struct map *followers; /* scope and digest -> struct follower */
	TAILQ_HEAD(, call) calls;
};

/* A fill or ask begins and ends; the last one may end the closing. */
void cache_busy(struct cache *);
void cache_idle(struct cache *);

/* The key of a target in a map: KIND, scope, and tag or digest. */
struct cache_key {
	char bytes[2 + TARGET_SCOPE_MAX + 1 + TARGET_TAG_MAX + 1];
	size_t n;
};
void cache_key(struct cache_key *, enum ask_kind, const struct target *);

/* The code of an upstream's failure, as clients shall see it: UNKNOWN for a
 * 404, the configured one when it denied, else CODE. */
enum err_code cache_error_code(const struct target *, enum fetch_result,
    enum err_code unknown, enum err_code code);

/* May the target's repository have this blob?  ROW is the blob's; a member row
 * is looked up when needed. */
bool cache_may_have(struct index_reader *, const struct target *,
    const struct digest *, const struct blob_row *);

/* Rows that say: the target's repository holds this manifest and all that it
 * names. */
void cache_batch_members(struct index_batch *, const struct target *,
    const struct digest *manifest, struct str bytes);

#endif
