/*
 * store.c - opening and closing; how much is used.
 *
 * Start: folders and lock (layout.c), drafts (sweep.c), index, threads.  Blobs
 * are not looked at, unless the index has to be made anew (rebuild.c).
 */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/check.h"
#include "common/clock.h"
#include "store_int.h"

#define WORK_THREADS 4
#define FREE_FRESH_MS 1000

/* ---- memory ------------------------------------------------------------- */

struct store *
store_ref(struct store *s)
{
	refs_take(&s->refs);
	return s;
}

void
store_unref(struct store *s)
{
	if (!refs_drop(&s->refs))
		return;
	(void)pthread_mutex_destroy(&s->drafts_lock);
	free(s->path);
	free(s);
}

static struct metric *
bytes_cell(const char *state)
{
	return metric_cell(M_store_bytes, &state);
}

static struct store *
store_new(const struct store_spec *spec)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->path = str_dup(str_of(spec->path));
	if (s->path == NULL) {
		free(s);
		return NULL;
	}
	refs_init(&s->refs);
	for (int i = 0; i < FOLDER_COUNT; i++)
		s->folders[i] = -1;
	s->lock_fd = -1;
	s->capacity = spec->capacity;
	s->min_free = spec->min_free;
	(void)pthread_mutex_init(&s->drafts_lock, NULL);
	s->bytes_used = bytes_cell("used");
	s->bytes_draft = bytes_cell("draft");
	s->bytes_free = bytes_cell("free");
	s->objects = metric_get(M_store_objects);
	s->capacity_bytes = metric_get(M_store_capacity_bytes);
	s->quarantined = metric_get(M_corrupt_total);
	return s;
}

int
store_folder_of(const struct store *s, const struct digest *d)
{
	return s
	    ->folders[d->alg == DIGEST_SHA512 ? FOLDER_SHA512 : FOLDER_SHA256];
}

/* ---- usage -------------------------------------------------------------- */

/* At most once a second, by one thread; the others take what is known. */
static void
refresh_free(struct store *s)
{
	uint64_t now = clock_mono_ms();
	uint64_t then = atomic_load(&s->free_at_ms);
	struct statvfs fs;
	uint64_t bytes;

	if (then != 0 && now - then < FREE_FRESH_MS)
		return;
	if (!atomic_compare_exchange_strong(&s->free_at_ms, &then, now))
		return;
	if (fstatvfs(s->folders[FOLDER_ROOT], &fs) != 0)
		return;
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	atomic_store(
	    &s->free_bytes, bytes > s->min_free ? bytes - s->min_free : 0);
}

void
store_usage(struct store *s, struct store_usage *u)
{
	refresh_free(s);
	index_usage(s->index, &u->used_bytes, &u->n_objects);
	u->draft_bytes = atomic_load(&s->draft_bytes);
	u->capacity = s->capacity;
	u->free_bytes = atomic_load(&s->free_bytes);
}

int
store_has_room(struct store *s, uint64_t size, struct err *err)
{
	uint64_t have;

	refresh_free(s);
	have = atomic_load(&s->free_bytes);
	if (size <= have)
		return 0;
	return err_set(err, ERR_DISK_FULL,
	    "no room for %llu MiB in the store at %s: its disk has %llu MiB "
	    "left above store.min_free; free some of it",
	    (unsigned long long)(size >> 20), s->path,
	    (unsigned long long)(have >> 20));
}

static void
on_scrape(void *arg)
{
	struct store *s = arg;
	struct store_usage u;

	if (atomic_load(&s->is_closing))
		return;
	store_usage(s, &u);
	metric_set(s->bytes_used, (int64_t)u.used_bytes);
	metric_set(s->bytes_draft, (int64_t)u.draft_bytes);
	metric_set(s->bytes_free, (int64_t)u.free_bytes);
	metric_set(s->objects, (int64_t)u.n_objects);
	metric_set(s->capacity_bytes, (int64_t)u.capacity);
}

bool
store_is_built(const struct store *s)
{
	return !atomic_load(&s->is_rebuilding);
}

/* ---- opening and closing ------------------------------------------------ */

static int
open_all(struct store *s, struct err *err)
{
	bool is_built;

	if (folder_open(s, err) != 0)
		return -1;
	atomic_store(&s->draft_bytes, sweep_drafts(s->folders[FOLDER_DRAFTS]));
	s->index = index_open(s, &is_built, err);
	if (s->index == NULL)
		return -1;
	s->pool = work_pool_new("store", WORK_THREADS, err);
	if (s->pool == NULL)
		return -1;
	if (is_built)
		return 0;
	atomic_store(&s->is_rebuilding, true);
	s->rebuild = rebuild_start(s, err);
	return s->rebuild != NULL ? 0 : -1;
}

struct store *
store_open(const struct store_spec *spec, struct err *err)
{
	struct store *s = store_new(spec);

	if (s == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a store");
		return NULL;
	}
	if (open_all(s, err) != 0) {
		store_close(s);
		return NULL;
	}
	metrics_on_scrape(on_scrape, s);
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	check(atomic_load(&s->n_drafts) == 0);
	atomic_store(&s->is_closing, true);
	rebuild_stop(s->rebuild);
	work_pool_free(s->pool);
	index_close(s->index);
	layout_close(s);
	store_unref(s);
}
