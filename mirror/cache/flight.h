/*
 * flight.h - at most one of a kind in the air.
 *
 * The tables of running asks and fills, and of what upstreams lately said they
 * do not have.  Origin loop only.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "ask.h"
#include "cache_int.h"

struct follower;

/* Joins a running ask or starts one.  An answer that is there at once is
 * returned, counted for the caller; else NULL, and W gets it later. */
struct answer *flight_ask(
    struct cache *, enum ask_kind, const struct target *, struct waiter *w);
/* A check in the background, unless one failed lately. */
void flight_check(struct cache *, enum ask_kind, const struct target *);

/* Joins a running fill or starts one; news come to the follower. */
void flight_follow(struct cache *, struct follower *);

/* What the key stands for can't be had for a while (CODE, an upstream's no), or
 * a background check of it failed (ERR_NONE). */
void flight_remember(struct cache *, const struct cache_key *, enum err_code);

#endif
