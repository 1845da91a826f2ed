/*
 * arena.h - memory of one request: taken piece by piece, given back at once.
 *
 * A fixed block from birth, no growth: what does not fit returns NULL and sets
 * `overflow`, so that a request can be refused once, at its end.  The block is
 * the owner's (embedded or malloc'd).  One thread at a time.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

struct arena {
	char *base; /* borrowed; outlives us */
	size_t used;
	size_t cap;
	bool overflow;
};

void arena_init(struct arena *, void *block, size_t cap);
void arena_reset(struct arena *);
void *arena_alloc(struct arena *, size_t); /* zeroed, aligned for any type */
struct str arena_copy(struct arena *, struct str); /* and a NUL behind it */
struct str arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
