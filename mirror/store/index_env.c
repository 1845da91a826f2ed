/*
 * index_env.c - the LMDB environment: opening, closing, and what to do when it
 * is damaged.
 *
 * The index can be made again from blobs/ (rebuild.c), so a damaged one is
 * moved aside, to PATH/index.damaged-<ms>, and a new one begun.  Damage is
 * found when it is opened, or later: then LMDB gives an error, or aborts in an
 * assertion, and either leaves a file PATH/index/distrusted for the next start
 * to find.  The row "built" tells whether a rebuild has once come to its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "index_int.h"

/* Virtual; also the ceiling.  Less where address space is scarce (RLIMIT_AS,
 * valgrind). */
#define MAP_BYTES (64ull << 30)
#define MAP_BYTES_LEAST (1ull << 30)
#define READERS_MAX 512

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_BLOBS] = "blobs",
	[TABLE_MANIFESTS] = "manifests",
	[TABLE_TAGS] = "tags",
	[TABLE_MEMBERS] = "members",
	[TABLE_DOCUMENTS] = "documents",
	[TABLE_COUNTERS] = "counters",
	[TABLE_PINS] = "pins",
	[TABLE_PINNED] = "pinned",
	[TABLE_PIN_COUNTS] = "pin_counts",
};

/* ---- errors ------------------------------------------------------------- */

static bool
is_damage(int rc)
{
	return rc == MDB_INVALID || rc == MDB_CORRUPTED ||
	    rc == MDB_VERSION_MISMATCH || rc == MDB_PAGE_NOTFOUND ||
	    rc == MDB_INCOMPATIBLE;
}

static void
mark_distrusted(const struct index *ix)
{
	char name[4096];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/distrusted", ix->path);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)close(fd);
}

void
index_distrust(struct index *ix, int rc)
{
	if (is_damage(rc) || rc == MDB_PANIC)
		mark_distrusted(ix);
}

static void
on_assert(MDB_env *env, const char *what)
{
	(void)what; /* LMDB prints it, and aborts */
	mark_distrusted(mdb_env_get_userctx(env));
}

int
index_error(struct err *err, struct index *ix, int rc, const char *what)
{
	index_distrust(ix, rc);
	if (rc == MDB_MAP_FULL)
		return err_set(err, ERR_DISK_FULL,
		    "can't %s the index %s: it has reached its ceiling of "
		    "%llu GiB",
		    what, ix->path, (unsigned long long)(ix->map_bytes >> 30));
	if (is_damage(rc) || rc == MDB_PANIC)
		return err_set(err, ERR_DISK,
		    "can't %s the index %s: it is damaged (%s); restart "
		    "railhead, and it is made anew",
		    what, ix->path, mdb_strerror(rc));
	if (rc > 0) {
		errno = rc;
		return err_errno(
		    err, ERR_DISK, "can't %s the index %s", what, ix->path);
	}
	return err_set(err, ERR_DISK, "can't %s the index %s: %s", what,
	    ix->path, mdb_strerror(rc));
}

/* ---- counters ----------------------------------------------------------- */

static int
count_blobs(struct index *ix, MDB_txn *txn)
{
	struct blob_row row;
	MDB_cursor *cursor;
	MDB_val key, value;
	struct str body;
	int rc = mdb_cursor_open(txn, ix->tables[TABLE_BLOBS], &cursor);

	if (rc != 0)
		return rc;
	ix->usage = (struct usage){ 0 };
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (!row_open(TABLE_BLOBS, STR_OF_VAL(key), STR_OF_VAL(value),
			&body) ||
		    !blob_decode(body, &row))
			continue;
		ix->usage.used_bytes += row.size;
		ix->usage.n_objects++;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* MDB_NOTFOUND also when its check sum is wrong. */
static int
find_counter(struct index *ix, MDB_txn *txn, struct str name, struct str *body)
{
	MDB_val key = VAL(name), value;
	int rc = mdb_get(txn, ix->tables[TABLE_COUNTERS], &key, &value);

	if (rc == 0 && !row_open(TABLE_COUNTERS, name, STR_OF_VAL(value), body))
		return MDB_NOTFOUND;
	return rc;
}

static int
read_usage(struct index *ix, MDB_txn *txn)
{
	struct str body;
	int rc = find_counter(ix, txn, STR("usage"), &body);

	if (rc == MDB_NOTFOUND || (rc == 0 && !usage_decode(body, &ix->usage)))
		rc = count_blobs(ix, txn);
	return rc;
}

static int
read_counters(struct index *ix)
{
	struct str body;
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = find_counter(ix, txn, STR("built"), &body);
	ix->is_built = rc == 0;
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = read_usage(ix, txn);
	mdb_txn_abort(txn);
	atomic_store(&ix->used_bytes, ix->usage.used_bytes);
	atomic_store(&ix->n_objects, ix->usage.n_objects);
	return rc;
}

/* ---- opening ------------------------------------------------------------ */

/*
 * A page behind the file's end would be a SIGBUS; one of zeros is an error.
 * That alone is no sign of damage: LMDB need not have written its last pages.
 */
static int
cover_all_pages(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	off_t wanted;
	int fd;

	(void)mdb_env_info(env, &info);
	(void)mdb_env_stat(env, &stat);
	wanted = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
	if (mdb_env_get_fd(env, &fd) != 0 || fstat(fd, &st) != 0)
		return errno;
	if (st.st_size < wanted && ftruncate(fd, wanted) != 0)
		return errno;
	return 0;
}

static int
open_tables(struct index *ix)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (int i = 0; rc == 0 && i < TABLE_COUNT; i++)
		rc = mdb_dbi_open(
		    txn, table_names[i], MDB_CREATE, &ix->tables[i]);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* The largest map that leaves half as much address space for the rest of us. */
static uint64_t
map_bytes(void)
{
	uint64_t n = MAP_BYTES;
	void *p;

	for (; n > MAP_BYTES_LEAST; n /= 2) {
		p = mmap(NULL, n + n / 2, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p != MAP_FAILED) {
			(void)munmap(p, n + n / 2);
			return n;
		}
	}
	return n;
}

static int
env_open(struct index *ix)
{
	int rc;

	if (mkdir(ix->path, 0755) != 0 && errno != EEXIST)
		return errno;
	rc = mdb_env_create(&ix->env);
	if (rc != 0) {
		ix->env = NULL;
		return rc;
	}
	(void)mdb_env_set_userctx(ix->env, ix);
	(void)mdb_env_set_assert(ix->env, on_assert);
	(void)mdb_env_set_maxdbs(ix->env, TABLE_COUNT);
	(void)mdb_env_set_maxreaders(ix->env, READERS_MAX);
	ix->map_bytes = map_bytes();
	rc = mdb_env_set_mapsize(ix->env, ix->map_bytes);
	if (rc == 0)
		rc = mdb_env_open(ix->env, ix->path, MDB_NOTLS, 0644);
	if (rc == 0)
		rc = cover_all_pages(ix->env);
	if (rc == 0)
		rc = open_tables(ix);
	if (rc == 0)
		rc = read_counters(ix);
	return rc;
}

static void
env_close(struct index *ix)
{
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	ix->env = NULL;
}

static bool
is_distrusted(const struct index *ix)
{
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s/distrusted", ix->path);
	return access(name, F_OK) == 0;
}

static int
move_aside(const struct index *ix)
{
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s.damaged-%lld", ix->path,
	    (long long)clock_wall_ms());
	if (rename(ix->path, name) != 0)
		return errno;
	log_warn("the index was damaged; it is made anew from the blobs",
	    LOG_Z("moved_to", name));
	return 0;
}

static int
open_or_replace(struct index *ix)
{
	int rc = is_distrusted(ix) ? MDB_CORRUPTED : env_open(ix);

	if (!is_damage(rc))
		return rc;
	env_close(ix);
	rc = move_aside(ix);
	return rc != 0 ? rc : env_open(ix);
}

/* ---- birth and death ---------------------------------------------------- */

static struct index *
index_new(const char *store_path)
{
	struct index *ix = calloc(1, sizeof(*ix));

	if (ix == NULL)
		return NULL;
	if (asprintf(&ix->path, "%s/index", store_path) < 0) {
		free(ix);
		return NULL;
	}
	(void)pthread_mutex_init(&ix->lock, NULL);
	(void)pthread_cond_init(&ix->wake, NULL);
	ix->commits = metric_get(M_store_commits_total);
	return ix;
}

struct index *
index_open(struct store *s, bool *is_built, struct err *err)
{
	struct index *ix = index_new(s->path);
	int rc;

	if (ix == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for an index");
		return NULL;
	}
	rc = open_or_replace(ix);
	if (rc != 0)
		(void)index_error(err, ix, rc, "open");
	if (rc != 0 || index_writer_start(ix, err) != 0) {
		index_close(ix);
		return NULL;
	}
	*is_built = ix->is_built;
	return ix;
}

void
index_close(struct index *ix)
{
	if (ix == NULL)
		return;
	index_writer_stop(ix);
	check(atomic_load(&ix->n_readers) == 0);
	env_close(ix);
	(void)pthread_cond_destroy(&ix->wake);
	(void)pthread_mutex_destroy(&ix->lock);
	free(ix->path);
	free(ix);
}

void
index_usage(const struct index *ix, uint64_t *used, uint64_t *n_objects)
{
	*used = atomic_load_explicit(&ix->used_bytes, memory_order_relaxed);
	*n_objects = atomic_load_explicit(&ix->n_objects, memory_order_relaxed);
}

uint64_t
index_n_damaged(const struct store *s)
{
	return atomic_load_explicit(&s->index->n_damaged, memory_order_relaxed);
}
