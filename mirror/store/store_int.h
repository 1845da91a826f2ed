/*
 * store_int.h - what the files of store/ share.  No LMDB here: index_int.h.
 */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/metrics.h"
#include "common/refs.h"
#include "common/str.h"
#include "store/index.h"
#include "store/store.h"

struct index;
struct rebuild;

enum folder {
	FOLDER_ROOT,
	FOLDER_SHA256,
	FOLDER_SHA512,
	FOLDER_DRAFTS,
	FOLDER_QUARANTINE,
	FOLDER_STATE,
	FOLDER_COUNT
};

/*
 * Its memory is counted, since letters to drafts and puts may be delivered
 * after store_close(); from then on `is_closing` is true and nothing but the
 * memory is there.
 */
struct store {
	struct refs refs;
	atomic_bool is_closing; /* set by store_close() */
	char *path;             /* owned */
	int folders[FOLDER_COUNT];
	int lock_fd; /* holds the flock */
	uint64_t capacity;
	uint64_t min_free;
	struct index *index;     /* owned */
	struct work_pool *pool;  /* owned */
	struct rebuild *rebuild; /* owned; NULL: the index is complete */
	atomic_bool is_rebuilding;
	/* Opening and removing drafts by name; work threads only. */
	pthread_mutex_t drafts_lock;
	atomic_uint n_drafts; /* that have an owner */
	atomic_uint_fast64_t draft_bytes;
	atomic_uint_fast64_t free_bytes;
	atomic_uint_fast64_t free_at_ms; /* mono: when that was asked */
	atomic_uint next_put;            /* names drafts/put-N */
	struct metric *bytes_used;
	struct metric *bytes_draft;
	struct metric *bytes_free;
	struct metric *objects;
	struct metric *capacity_bytes;
	struct metric *quarantined;
};

struct store *store_ref(struct store *);
void store_unref(struct store *);
/* The folder of blobs of DIGEST's algorithm. */
int store_folder_of(const struct store *, const struct digest *);

/* ---- layout.c: the folders, the lock, the version ----------------------- */

err_checked int folder_open(struct store *, struct err *err);
void layout_close(struct store *);
/* Why something at PATH can't be done, from errno, and what to do about it. */
int layout_refuse(struct err *err, const char *path, const char *what);

/* ---- sweep.c: what lies in drafts/ at start ----------------------------- */

/* Removes what can't be resumed; returns the bytes of what can. */
uint64_t sweep_drafts(int drafts_folder);

/* ---- index_*.c ---------------------------------------------------------- */

/* *is_built is false when rows for what is in blobs/ may be missing. */
struct index *index_open(struct store *, bool *is_built, struct err *err);
/* Commits what was submitted.  Readers must be gone.  NULL is fine. */
void index_close(struct index *);
void index_usage(const struct index *, uint64_t *used, uint64_t *n_objects);
/* Not on a loop: waits until it is durable. */
err_checked int index_commit_wait(
    struct store *, struct index_batch *, struct err *err);
/* Rows that are there already are left as they are. */
void index_batch_only_missing(struct index_batch *);
/* The index has rows for all that is in blobs/. */
void index_batch_built(struct index_batch *);
/* FN runs on the index's thread, before the transaction; false: nothing of the
 * batch is written after all. */
void index_batch_before(struct index_batch *, bool (*fn)(void *arg), void *arg);

/* ---- rebuild.c ---------------------------------------------------------- */

struct rebuild *rebuild_start(struct store *, struct err *err);
void rebuild_stop(struct rebuild *); /* waits; NULL is fine */

/* ---- disk.c: system calls; 0 or -1 with errno --------------------------- */

int disk_write(int fd, uint64_t offset, const void *, size_t n);
/* Less than N only at the file's end. */
ssize_t disk_read(int fd, uint64_t offset, void *, size_t n);
int disk_sync_file(int fd);
int disk_sync_folder(int fd);
int disk_rename(int from, const char *name, int to, const char *to_name);
int disk_remove(int folder, const char *name); /* not there: fine */
/* Is NAME the file that is open as FD? */
bool disk_is(int folder, const char *name, int fd);
/* Reads a whole small file; more than CAP bytes are EFBIG. */
ssize_t disk_load(int folder, const char *name, void *, size_t cap);
/* Makes or replaces a small file, durably. */
int disk_save(int folder, const char *name, struct str bytes);

/* ---- numbers in files are little-endian --------------------------------- */

static inline void
le64_put(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint64_t
le64_get(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void
le32_put(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint32_t
le32_get(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

#endif
