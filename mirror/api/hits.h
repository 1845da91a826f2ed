/*
 * hits.h - how requests for a release's own digests came out, over the gate's
 * window.
 *
 * What was asked for comes from the sites' notes, a second late; whose digest
 * it is, from the index.  Threads: admin loop only, but for hits_new() and
 * hits_free().
 */
#ifndef API_HITS_H
#define API_HITS_H

#include "common/err.h"
#include "release/gate.h"

struct hits;
struct sites;
struct store;

struct hits *hits_new(struct sites *, struct store *, struct err *err);
void hits_free(struct hits *); /* NULL is fine */
struct gate_traffic hits_of(
    const struct hits *, const char *release, int64_t window_s, int64_t now_s);

#endif
