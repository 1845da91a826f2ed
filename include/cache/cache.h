/*
 * cache.h - hit, join or miss: the heart of the mirror.
 *
 *	serve loop                          origin loop
 *	lookup.h   answers hits             flight   one fill, one ask at a time
 *	ticket.h   asks small things  --->  ask      tags, manifests, lists
 *	reader.h   follows a fill     --->  fill     blobs, into drafts
 *
 * Each serve loop has a port.  What crosses loops: letters, and the atomics of
 * stream.h.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "common/err.h"

struct cache;
struct cache_port;
struct loop;
struct store;
struct upstreams;

struct cache_spec {
	struct loop *origin;
	struct store *store;
	struct upstreams *upstreams; /* origin loop's */
};

/* Before the loops start. */
struct cache *cache_new(const struct cache_spec *, struct err *err);

/*
 * On the origin loop: fills stop where they are (their drafts stay, to be
 * resumed), asks are answered ERR_CANCELLED, new ones refused.  DONE is called
 * there when nothing is under way any more.
 */
void cache_close(struct cache *, void (*done)(void *arg), void *arg);
void cache_free(struct cache *); /* after cache_close; NULL is fine */

/* Before SERVE starts; freed after it was joined and drained. */
struct cache_port *cache_port_new(
    struct cache *, struct loop *serve, struct err *err);
void cache_port_free(struct cache_port *); /* NULL is fine */

#endif
