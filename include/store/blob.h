/*
 * blob.h - the file of a stored blob.  Any thread.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/shared_fd.h"

struct store;

/* Opens the file of DIGEST and checks that it is SIZE bytes long.  NULL with
 * ERR_NOT_FOUND: it is missing, short or no file: the caller has it quarantined
 * and goes on as for a miss.  NULL with another code: it can't be opened now
 * (descriptors, memory, the disk); nothing is known against it. */
struct shared_fd *blob_open(
    struct store *, const struct digest *, uint64_t size, struct err *err);

#endif
