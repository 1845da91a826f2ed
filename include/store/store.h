/*
 * store.h - a folder that holds blobs, and the index of what is where.
 *
 *	PATH/oci-layout, index.json,
 *	PATH/blobs/<algorithm>/<hex>   an OCI image layout
 *	PATH/drafts/<algorithm>-<hex>  while being written
 *	PATH/quarantine/               files found wrong
 *	PATH/state/version             of this format
 *	PATH/index/                    LMDB
 *	PATH/lock                      flock: one process
 *
 * The law of the store: digest verified, fsync, rename, fsync of the folder,
 * index.  Never otherwise.
 *
 * Threads: store_open() and store_close() on main; everything else says so.
 * The store owns a thread that writes the index (index.h); what blocks runs in
 * its work pool.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"
#include "loop/work.h"

struct index_batch;
struct store;

struct store_spec {
	const char *path;
	uint64_t capacity; /* bytes; known, exported, not yet enforced */
	uint64_t min_free; /* bytes that must stay free on the file system */
};

/* Makes what is missing, locks, checks the version, opens the index, notes
 * which drafts lie there.  Refuses a store of a newer version, one in use, one
 * that can't be written: with a sentence. */
struct store *store_open(const struct store_spec *, struct err *err);
/* Finishes what was submitted; drafts must be closed, index readers freed.
 * Letters to the loops may be delivered after it.  NULL is fine. */
void store_close(struct store *);

/* False while the index is made anew from blobs/: what it lacks may be here.
 * Any thread. */
bool store_is_built(const struct store *);

struct store_usage {
	uint64_t used_bytes; /* of what the index holds */
	uint64_t n_objects;
	uint64_t draft_bytes;
	uint64_t capacity;
	uint64_t free_bytes; /* of the file system, above min_free */
};
/* Cheap: atomics; the file system is asked at most once a second.  Any
 * thread. */
void store_usage(struct store *, struct store_usage *);
/* May SIZE more bytes be written?  ERR_DISK_FULL with a sentence else.  Calls
 * statvfs() at most once a second.  Any thread. */
err_checked int store_has_room(struct store *, uint64_t size, struct err *err);

/*
 * Stores a small object (a manifest) whose bytes are all here and verified.
 * Embedded in its owner, who stays until done() is called on HOME.
 */
struct store_put {
	struct work work;    /* not yours */
	struct store *store; /* not yours */
	struct digest digest;
	struct str bytes;          /* borrowed until done */
	bool is_public;            /* goes into the blob's row */
	struct index_batch *batch; /* given away; rows to commit with it */
	struct loop *home;
	void (*done)(struct store_put *);
	int status; /* at done: 0, or -1 with error set */
	struct err error;
	unsigned waits; /* not yours */
};
void store_put(struct store *, struct store_put *); /* any loop */

/* Sets a file aside and forgets it in the index: it was found missing, or of
 * another size than SIZE.  One that has come anew meanwhile stays.  Counted and
 * logged there.  Any thread; returns at once. */
void store_quarantine(
    struct store *, const struct digest *, uint64_t size, const char *why);

#endif
