/*
 * open_blobs.h - blobs that were lately sent, their files kept open.
 *
 * Opening and closing a file costs more than sending a small one.  Before a kept
 * file is used again it is looked at: one that was removed, renamed, written to or
 * touched in any other way since (its status change time tells) is let go, and
 * what is there now is opened in its place.  So a lost file is noticed at once.
 *
 * What was not used for some seconds is closed: a file that was removed gives its
 * space back when the last descriptor goes.  One for each serve loop, its thread
 * only.
 */
#ifndef STORE_OPEN_BLOBS_H
#define STORE_OPEN_BLOBS_H

#include "store/blob.h"

struct loop;
struct open_blobs;

struct open_blobs *open_blobs_new(
    struct store *, struct loop *, struct err *err);
/* Those who hold a descriptor may outlive it.  NULL is fine. */
void open_blobs_free(struct open_blobs *);

/* As blob_open(); what changed within the last seconds is not kept. */
struct shared_fd *open_blobs_get(
    struct open_blobs *, const struct digest *, uint64_t size, struct err *err);

#endif
