/*
 * layout.h - OCI image layouts as upstreams: a folder, or an uncompressed tar
 * of one (ustar, pax, GNU).
 *
 * An open layout is an immutable picture: its index.json, and for a tar where
 * each blob begins.  The shelf keeps the pictures and takes a new one when the
 * file's time or size has changed; whoever holds the old one keeps it.
 *
 * Threads: shelf, references and layout_wait on the origin loop; what says so
 * below on work threads, with a reference held meanwhile.
 */
#ifndef UPSTREAM_LAYOUT_H
#define UPSTREAM_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/digest.h"
#include "common/err.h"
#include "loop/loop.h"
#include "oci/layout_index.h"

struct layout;
struct layout_shelf;
struct work_pool;

struct layout_shelf *layout_shelf_new(
    struct loop *origin, struct work_pool *, struct err *err);
void layout_shelf_free(struct layout_shelf *); /* NULL is fine */

/* One who waits for a layout to be opened; embedded in its owner. */
struct layout_wait {
	/* Last call.  LAYOUT comes with a reference; NULL: ERR says why. */
	void (*on_ready)(
	    struct layout_wait *, struct layout *, const struct err *);
	/* not yours: */
	TAILQ_ENTRY(layout_wait) link;
	struct layout_place *of; /* NULL: does not wait */
};

/* -1 (and no call) when out of memory. */
err_checked int layout_ask(struct layout_shelf *, const char *path,
    struct layout_wait *, struct err *err);
void layout_leave(struct layout_wait *); /* twice is fine */
void layout_unref(struct layout *);      /* NULL is fine */

/* ---- on work threads --------------------------------------------------- */

/* A new picture, with one reference. */
struct layout *layout_take(const char *path, struct err *err);
bool layout_is_current(const struct layout *);
const struct layout_index *layout_names(const struct layout *);

/* Where a blob's bytes are. */
struct layout_blob {
	int fd;
	bool is_own_fd; /* to be closed; else the layout's */
	uint64_t offset;
	uint64_t size_bytes;
};
/* ERR_BLOB_UNKNOWN when it is not there. */
err_checked int layout_blob_open(const struct layout *, const struct digest *,
    struct layout_blob *, struct err *err);
err_checked int layout_blob_read(const struct layout *,
    const struct layout_blob *, void *out, size_t n, uint64_t offset,
    struct err *err);
void layout_blob_close(struct layout_blob *);

#endif
