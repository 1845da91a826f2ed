/*
 * ahead.c - keeps the loop from waiting for a disk.
 *
 * Before file bytes are sent, the kernel is asked whether the next window of
 * them is in the page cache.  If it isn't, a work thread reads the window, and
 * the connection is woken when it is in; while that one is sent, the next is
 * read.  The read can't be called off, so it is its own owner: a turn that ends
 * meanwhile only takes its name off it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/check.h"
#include "common/shared_fd.h"
#include "http_int.h"
#include "loop/loop.h"
#include "loop/work.h"

#define WINDOW_BYTES (2u << 20)
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
	uint64_t offset;        /* the window that is waited for */
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

/* ---- what was found out ------------------------------------------------- */

/*
 * A small file that many ask for is not probed for each of them.  How many pages
 * from its front were cached is kept with its descriptor, and until when that may
 * be taken as still true: the kernel does not let go what was used just now.
 */
#define TRUST_MS 100
#define PAGE_BYTES 4096 /* or larger */

static uint64_t
pack(uint64_t ms, uint64_t end)
{
	return ms << 32 | ((end + PAGE_BYTES - 1) / PAGE_BYTES & UINT32_MAX);
}

static void
note_cached(struct turn *t, uint64_t end)
{
	uint64_t now = loop_now_ms(t->x.loop);

	atomic_store_explicit(
	    &t->file->cached, pack(now + TRUST_MS, end), memory_order_relaxed);
}

static bool
is_known_cached(struct turn *t, uint64_t end)
{
	uint64_t known =
	    atomic_load_explicit(&t->file->cached, memory_order_relaxed);
	uint64_t asked = pack(loop_now_ms(t->x.loop), end);

	/* Modulo 2^32 ms: whether the time is still to come, and not far off. */
	return (uint32_t)((known >> 32) - (asked >> 32)) <= TRUST_MS &&
	    (asked & UINT32_MAX) <= (known & UINT32_MAX);
}

/* ---- reading ahead ------------------------------------------------------ */

/*
 * Sending to /dev/null waits for each page and copies none; the kernel reads ahead
 * as for any other sequential reader, in large folios, which readahead(2) does not.
 * What can't be read: sending it to the client will tell.  Without a descriptor
 * for /dev/null the loop waits.
 */
static void
ahead_run(struct work *work)
{
	struct ahead *a = container_of(work, struct ahead, work);
	off_t at = (off_t)a->offset;
	off_t end = at + (off_t)a->n;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	while (at < end &&
	    sendfile(nowhere, a->file->fd, &at, (size_t)(end - at)) > 0)
		;
	if (nowhere >= 0)
		(void)close(nowhere);
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

/* Reads N bytes from t->cached_to. */
static void
ahead_start(struct turn *t, size_t n)
{
	struct http_server *s = t->conn->server;
	struct ahead *a = calloc(1, sizeof(*a));

	if (a == NULL || s->spec.readers == NULL) {
		free(a);
		t->cached_to += n; /* then the loop waits */
		return;
	}
	a->work.home = s->spec.loop;
	a->work.run = ahead_run;
	a->work.done = ahead_done;
	a->file = shared_fd_ref(t->file);
	a->offset = t->cached_to;
	a->n = n;
	a->turn = t;
	t->ahead = a;
	work_submit(s->spec.readers, &a->work);
}

/* Looks at the window behind t->cached_to. */
static void
look_further(struct turn *t, uint64_t stop)
{
	uint64_t from = t->cached_to;
	size_t n =
	    stop - from < WINDOW_BYTES ? (size_t)(stop - from) : WINDOW_BYTES;
	bool is_known = is_known_cached(t, from + n);

	t->is_cold = !is_known && !window_is_cached(t->file->fd, from, n);
	if (t->is_cold) {
		ahead_start(t, n);
		return;
	}
	if (!is_known && from == 0)
		note_cached(t, n);
	t->cached_to = from + n;
}

bool
ahead_is_ready(struct turn *t, uint64_t stop)
{
	bool is_next = t->is_cold && t->cached_to < stop;

	check(t->position < stop && t->position <= t->cached_to);
	/* Of a file that is not cached, the next window is read while this one
	 * is sent. */
	if (t->ahead == NULL && (t->position == t->cached_to || is_next))
		look_further(t, stop);
	return t->position < t->cached_to;
}

void
ahead_forget(struct turn *t)
{
	if (t->ahead != NULL)
		t->ahead->turn = NULL;
	t->ahead = NULL;
}
