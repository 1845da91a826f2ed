/*
 * tar_int.h - where the files of an uncompressed tar begin: ustar, pax and GNU
 * long names and sizes.  Blocks: for work threads.
 */
#ifndef UPSTREAM_TAR_INT_H
#define UPSTREAM_TAR_INT_H

#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

struct tar_file {
	struct str name; /* without "./" before it; valid during the call */
	uint64_t offset;
	uint64_t size_bytes;
};

/* Calls FN for each regular file, in order.  FN returns -1 to stop. */
err_checked int tar_walk(int fd, const char *path,
    int (*fn)(void *arg, const struct tar_file *, struct err *err), void *arg,
    struct err *err);

#endif
