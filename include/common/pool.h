/*
 * pool.h - memory that grows piece by piece and is given back at once.
 *
 * Where an arena is one fixed block for a request, a pool takes block after
 * block, up to a ceiling, for things that live long: a configuration, a tree.
 * Ownership: embedded in its owner; pool_done() frees every piece.  One thread
 * at a time.
 */
#ifndef COMMON_POOL_H
#define COMMON_POOL_H

#include <stddef.h>

#include "common/str.h"

struct pool_block;

struct pool {
	struct pool_block *blocks; /* newest first */
	size_t taken;              /* bytes of all blocks */
	size_t max;                /* ceiling on `taken` */
};

void pool_init(struct pool *, size_t max);
void pool_done(struct pool *);
/* Zeroed, aligned for any type; NULL at the ceiling or without memory. */
void *pool_take(struct pool *, size_t);
/* A terminated copy; NULL likewise. */
char *pool_copy(struct pool *, struct str);

#endif
