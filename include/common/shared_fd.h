/*
 * shared_fd.h - a descriptor that several owners read at offsets of their own
 * (pread, sendfile), closed by the last.  The count is atomic; any thread.
 */
#ifndef COMMON_SHARED_FD_H
#define COMMON_SHARED_FD_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/refs.h"

struct shared_fd {
	struct refs refs;
	int fd;
	/* What http/ahead.c found out: see there.  0: nothing. */
	_Atomic uint64_t cached;
};

struct shared_fd *shared_fd_new(
    int fd); /* takes fd; NULL: no memory, fd closed */
struct shared_fd *shared_fd_ref(struct shared_fd *);
void shared_fd_unref(struct shared_fd *); /* NULL is fine */

#endif
