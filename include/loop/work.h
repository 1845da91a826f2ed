/*
 * work.h - threads that may block, for what a loop may not do: fsync, rename,
 * unlink, hashing, reading ahead, running a credential helper.
 *
 * A struct work is embedded in its owner.  work_submit() lends it to the pool:
 * run() is called on a work thread and touches no loop's objects; then done()
 * is called on the home loop.  It cannot be called off: the owner stays alive
 * until done().  Work of one pool may run in any order.
 */
#ifndef LOOP_WORK_H
#define LOOP_WORK_H

#include "common/err.h"
#include "loop/loop.h"

struct work_pool;

struct work {
	struct letter letter;
	struct work *next;
	struct loop *home; /* borrowed; outlives us */
	void (*run)(struct work *);
	void (*done)(struct work *);
};

/* NAME is kept by reference and shows as the threads' name. */
struct work_pool *work_pool_new(
    const char *name, unsigned n_threads, struct err *err);
/* Runs what is queued (and what that submits), posts its results, joins. NULL
 * is fine. */
void work_pool_free(struct work_pool *);
void work_submit(struct work_pool *, struct work *); /* any thread */

#endif
