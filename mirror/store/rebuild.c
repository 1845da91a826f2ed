/*
 * rebuild.c - making the index again from blobs/.
 *
 * A thread of its own walks the folders while the store already serves.  Rows
 * that are there are left alone: what was stored meanwhile knows better.  What
 * can't be known from the files: tags, membership, and whether a blob is public
 * (it is not, until an upstream is asked again).
 *
 * Which files are manifests: those up to 4 MiB that are JSON objects with a
 * "schemaVersion".  Their media type is what "mediaType" says, else an OCI
 * index or manifest.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/thread.h"
#include "store_int.h"

#define MANIFEST_MAX (4u << 20)
#define BATCH_FILES 256

struct rebuild {
	struct store *store; /* borrowed; outlives us */
	pthread_t thread;
	char *bytes;               /* owned; MANIFEST_MAX, of one file */
	struct index_batch *batch; /* owned */
	unsigned n_in_batch;
	uint64_t n_files;
};

/* ---- a manifest's media type -------------------------------------------- */

/* Behind the string that begins at AT; the end when it has none. */
static size_t
skip_string(struct str json, size_t at)
{
	for (at++; at < json.n && json.p[at] != '"'; at++)
		if (json.p[at] == '\\')
			at++;
	return at < json.n ? at + 1 : json.n;
}

static struct str
trim_left(struct str s)
{
	while (s.n > 0 && s.p[0] != '\0' && strchr(" \t\r\n", s.p[0]) != NULL)
		s = str_from(s, 1);
	return s;
}

/* What follows KEY and its colon in the outermost object; p == NULL: no such
 * key.  JSON that is none gives an answer, too, but no harm. */
static struct str
value_of(struct str json, const char *key)
{
	int depth = 0;

	for (size_t at = 0; at < json.n; at++) {
		char c = json.p[at];
		size_t end;
		struct str rest;

		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--;
		if (c != '"')
			continue;
		end = skip_string(json, at);
		rest = trim_left(str_from(json, end));
		if (depth == 1 && str_starts(rest, STR(":")) &&
		    str_eqz((struct str){ json.p + at + 1, end - at - 2 }, key))
			return trim_left(str_from(rest, 1));
		at = end - 1;
	}
	return (struct str){ NULL, 0 };
}

static struct str
media_type_of(struct str json)
{
	struct str type = value_of(json, "mediaType");

	if (str_starts(type, STR("\""))) {
		type = str_from(type, 1);
		return (struct str){ type.p, str_index(type, '"') };
	}
	if (value_of(json, "manifests").p != NULL)
		return STR("application/vnd.oci.image.index.v1+json");
	return STR("application/vnd.oci.image.manifest.v1+json");
}

static bool
is_manifest(struct str bytes)
{
	struct str json = trim_left(bytes);

	return str_starts(json, STR("{")) &&
	    value_of(json, "schemaVersion").p != NULL;
}

/* ---- files -------------------------------------------------------------- */

static bool
is_stopping(const struct rebuild *r)
{
	return atomic_load(&r->store->is_closing);
}

static int
flush(struct rebuild *r, struct err *err)
{
	struct index_batch *full = r->batch;

	r->batch = NULL;
	r->n_in_batch = 0;
	if (full != NULL && index_commit_wait(r->store, full, err) != 0)
		return -1;
	r->batch = index_batch_new();
	if (r->batch == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a batch");
	index_batch_only_missing(r->batch);
	return 0;
}

static void
add_manifest(
    struct rebuild *r, int folder, const char *name, const struct digest *d)
{
	ssize_t n = disk_load(folder, name, r->bytes, MANIFEST_MAX);
	struct str bytes = { r->bytes, n > 0 ? (size_t)n : 0 };

	if (is_manifest(bytes))
		index_batch_manifest(r->batch, d, media_type_of(bytes), bytes);
}

static int
add_file(struct rebuild *r, int folder, const char *alg, const char *name,
    struct err *err)
{
	char text[DIGEST_TEXT_MAX + 256];
	struct digest d;
	struct err ignored;
	struct stat st;

	(void)snprintf(text, sizeof(text), "%s:%s", alg, name);
	if (digest_parse(&d, str_of(text), &ignored) != 0 ||
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	index_batch_blob(r->batch, &d, (uint64_t)st.st_size, false);
	if (st.st_size <= MANIFEST_MAX)
		add_manifest(r, folder, name, &d);
	r->n_files++;
	return ++r->n_in_batch < BATCH_FILES ? 0 : flush(r, err);
}

static int
walk(struct rebuild *r, enum folder which, const char *alg, struct err *err)
{
	int folder = r->store->folders[which];
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int status = 0;

	if (dir == NULL) {
		(void)err_errno(err, ERR_DISK, "can't list blobs/%s", alg);
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	while (status == 0 && !is_stopping(r) && (entry = readdir(dir)) != NULL)
		status = add_file(r, folder, alg, entry->d_name, err);
	(void)closedir(dir);
	return status;
}

static int
rebuild_all(struct rebuild *r, struct err *err)
{
	if (flush(r, err) != 0 || walk(r, FOLDER_SHA256, "sha256", err) != 0 ||
	    walk(r, FOLDER_SHA512, "sha512", err) != 0)
		return -1;
	if (!is_stopping(r))
		index_batch_built(r->batch);
	return flush(r, err);
}

/* ---- the thread --------------------------------------------------------- */

static void *
run_rebuild(void *arg)
{
	struct rebuild *r = arg;
	struct err err;

	if (rebuild_all(r, &err) != 0)
		log_error("the index could not be made anew; the next start "
			  "goes on with it",
		    LOG_ERR(&err));
	else if (r->n_files > 0)
		log_info("the index was made anew from the blobs",
		    LOG_U64("files", r->n_files));
	atomic_store(&r->store->is_rebuilding, false);
	return NULL;
}

struct rebuild *
rebuild_start(struct store *s, struct err *err)
{
	struct rebuild *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->bytes = malloc(MANIFEST_MAX);
	if (r == NULL || r->bytes == NULL) {
		free(r);
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for the index");
		return NULL;
	}
	r->store = s;
	if (thread_start(&r->thread, "rebuild", run_rebuild, r, err) != 0) {
		free(r->bytes);
		free(r);
		return NULL;
	}
	return r;
}

void
rebuild_stop(struct rebuild *r)
{
	if (r == NULL)
		return;
	(void)pthread_join(r->thread, NULL);
	index_batch_free(r->batch);
	free(r->bytes);
	free(r);
}
