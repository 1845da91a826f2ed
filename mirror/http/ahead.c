/*
 * ahead.c - keeps the loop from waiting for a disk.
 *
 * Before file bytes are sent, the kernel is asked whether the next window of
 * them is in the page cache.  If it isn't, a work thread reads the window, and
 * the connection is woken when it is in.  The read can't be called off, so it
 * is its own owner: a turn that ends meanwhile only takes its name off it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/check.h"
#include "common/shared_fd.h"
#include "http_int.h"
#include "loop/work.h"

#define WINDOW_BYTES (2u << 20)
#define PIECE_BYTES (64u << 10)
#define PROBE_STRIDE (64u << 10)

/* cachestat(2), Linux 6.5; the C library has no name for it yet. */
#define CACHESTAT_CALL 451

struct cachestat_range {
	uint64_t offset;
	uint64_t n;
};

struct cachestat {
	uint64_t n_cached;
	uint64_t n_dirty;
	uint64_t n_writeback;
	uint64_t n_evicted;
	uint64_t n_recently_evicted;
};

struct ahead {
	struct work work;
	struct shared_fd *file; /* counted */
	uint64_t offset;
	size_t n;
	struct turn *turn; /* borrowed; NULL when nobody waits any more */
};

/* ---- is it cached? ------------------------------------------------------ */

/* Can the byte at OFFSET be read without a disk? */
static bool
byte_is_cached(int fd, uint64_t offset)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	/* Other errors than EAGAIN: the file system can't tell. */
	return preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT) >= 0 ||
	    errno != EAGAIN;
}

static bool
bytes_are_cached(int fd, uint64_t offset, size_t n)
{
	size_t at;

	for (at = 0; at < n; at += PROBE_STRIDE) {
		if (!byte_is_cached(fd, offset + at))
			return false;
	}
	return true;
}

static bool
window_is_cached(int fd, uint64_t offset, size_t n)
{
	static atomic_bool is_missing; /* the kernel has no cachestat() */
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct cachestat_range range = { offset, n };
	struct cachestat stat;

	/* The last byte, too: a page counts while it is still being read. */
	if (!byte_is_cached(fd, offset + n - 1))
		return false;
	if (atomic_load_explicit(&is_missing, memory_order_relaxed))
		return bytes_are_cached(fd, offset, n);
	if (syscall(CACHESTAT_CALL, fd, &range, &stat, 0) != 0) {
		if (errno == ENOSYS)
			atomic_store_explicit(
			    &is_missing, true, memory_order_relaxed);
		return bytes_are_cached(fd, offset, n);
	}
	return stat.n_cached == (offset + n - 1) / page - offset / page + 1;
}

/* ---- reading ahead ------------------------------------------------------ */

static void
ahead_run(struct work *work)
{
	struct ahead *a = container_of(work, struct ahead, work);
	char piece[PIECE_BYTES];
	size_t at = 0;
	ssize_t got;

	(void)readahead(a->file->fd, (off_t)a->offset, a->n);
	while (at < a->n) {
		got = pread(a->file->fd, piece,
		    a->n - at < sizeof(piece) ? a->n - at : sizeof(piece),
		    (off_t)(a->offset + at));
		if (got <= 0)
			break; /* sending it will tell */
		at += (size_t)got;
	}
}

static void
ahead_done(struct work *work)
{
	struct ahead *a = container_of(work, struct ahead, work);
	struct turn *t = a->turn;

	if (t != NULL) {
		t->ahead = NULL;
		t->cached_to = a->offset + a->n;
		conn_wake(t->conn);
	}
	shared_fd_unref(a->file);
	free(a);
}

static void
ahead_start(struct turn *t, size_t n)
{
	struct http_server *s = t->conn->server;
	struct ahead *a = calloc(1, sizeof(*a));

	if (a == NULL || s->spec.readers == NULL) {
		free(a);
		t->cached_to = t->position + n; /* then the loop waits */
		return;
	}
	a->work.home = s->spec.loop;
	a->work.run = ahead_run;
	a->work.done = ahead_done;
	a->file = shared_fd_ref(t->file);
	a->offset = t->position;
	a->n = n;
	a->turn = t;
	t->ahead = a;
	work_submit(s->spec.readers, &a->work);
}

bool
ahead_is_ready(struct turn *t, uint64_t stop)
{
	uint64_t left = stop - t->position;
	size_t n = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;

	check(left > 0);
	if (t->ahead != NULL)
		return false;
	if (t->position < t->cached_to)
		return true;
	if (window_is_cached(t->file->fd, t->position, n))
		t->cached_to = t->position + n;
	else
		ahead_start(t, n);
	return t->position < t->cached_to;
}

void
ahead_forget(struct turn *t)
{
	if (t->ahead != NULL)
		t->ahead->turn = NULL;
	t->ahead = NULL;
}
