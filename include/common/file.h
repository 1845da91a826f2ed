/*
 * file.h - small files, as a whole.  Blocks: for work threads.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

/* Appends the file's bytes; what does not fit under the buf's ceiling is an
 * error.  ERR_NOT_FOUND when there is no such file, else ERR_DISK. */
err_checked int file_read(const char *path, struct buf *out, struct err *err);
/* The N bytes at OFFSET of FD; fewer are an error.  PATH is for sentences. */
err_checked int file_read_at(int fd, const char *path, void *out, size_t n,
    uint64_t offset, struct err *err);
/* The file is BYTES or what it was before, whatever happens meanwhile. */
err_checked int file_replace(
    const char *path, struct str bytes, struct err *err);
/* For good, over a crash too.  Not there: fine. */
err_checked int file_remove(const char *path, struct err *err);

#endif
