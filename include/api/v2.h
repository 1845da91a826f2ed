/*
 * v2.h - the data plane: the pull half of the OCI distribution API.
 *
 * One per serve loop; it answers hits by itself and waits for the origin loop
 * with everything else.  Threads: its serve loop only, but for v2_new() and
 * v2_free().
 */
#ifndef API_V2_H
#define API_V2_H

#include "common/config.h"
#include "common/err.h"
#include "http/exchange.h"

struct cache;
struct loop;
struct pulls;
struct v2;

/* PULLS is borrowed and outlives it. */
struct v2 *v2_new(struct cache *, struct loop *serve, struct pulls *,
    struct config *, struct err *err);
/* After its loop was joined and drained.  NULL is fine. */
void v2_free(struct v2 *);
/* Requests from now on go by this configuration (referenced). */
void v2_set_config(struct v2 *, struct config *);
/* The server's handler; ARG is the struct v2. */
void v2_handle(struct exchange *, void *v2);

#endif
