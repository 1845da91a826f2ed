/*
 * refs.h - how many hold an object.  Any thread.
 *
 * Who takes a reference has one already, so taking needs no order; the last to
 * drop one sees all that the others wrote, and frees the object.
 */
#ifndef COMMON_REFS_H
#define COMMON_REFS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/check.h"

struct refs {
	atomic_uint n;
};

/* One: the maker's. */
static inline void
refs_init(struct refs *r)
{
	atomic_init(&r->n, 1);
}

static inline void
refs_take(struct refs *r)
{
	check(atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed) > 0);
}

/* True: it was the last, and the object is the caller's to free. */
static inline bool
refs_drop(struct refs *r)
{
	unsigned before =
	    atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel);

	check(before > 0);
	return before == 1;
}

#endif
