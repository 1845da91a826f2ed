/*
 * read.c - what a stored manifest says.
 *
 * Most are in the index.  A large one (over INDEX_INLINE_MANIFEST) is read from
 * its file by a work thread and parsed there; it is kept until nothing is left
 * to be walked, or there are too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/file.h"
#include "oci/manifest.h"
#include "release_int.h"
#include "store/blob.h"

struct read_job {
	struct work work;
	struct releases *releases;
	char pins[PINS_NAME_MAX]; /* of the release whose image is to go on */
	size_t image;
	struct digest digest;
	uint64_t size;
	struct manifest *manifest; /* owned; NULL: it failed */
	struct err error;
};

/* ---- on a work thread ----------------------------------------------------- */

static struct manifest *
parse_file(struct read_job *j, int fd)
{
	struct manifest *m = NULL;
	char *bytes = malloc(j->size + 1);

	if (bytes == NULL)
		(void)err_set(&j->error, ERR_NO_MEMORY, "no memory");
	else if (file_read_at(fd, "a manifest", bytes, j->size, 0, &j->error) ==
	    0)
		m = manifest_parse((struct str){ bytes, j->size }, &j->error);
	free(bytes);
	return m;
}

static void
job_run(struct work *w)
{
	struct read_job *j = container_of(w, struct read_job, work);
	struct store *store = j->releases->spec.store;
	struct shared_fd *fd = blob_open(store, &j->digest, j->size, &j->error);

	if (fd != NULL)
		j->manifest = parse_file(j, fd->fd);
	else if (j->error.code == ERR_NOT_FOUND)
		store_quarantine(store, &j->digest, j->size, j->error.text);
	shared_fd_unref(fd);
}

/* ---- at home --------------------------------------------------------------- */

/* Plans have no name that they are found by. */
static struct release *
release_of(const struct read_job *j)
{
	struct release *r;

	TAILQ_FOREACH (r, &j->releases->all, entry)
		if (strcmp(r->pins, j->pins) == 0)
			break;
	return r;
}

static void
go_on(struct read_job *j)
{
	struct release *r = release_of(j);
	struct image *image = r != NULL ? &r->images[j->image] : NULL;

	if (image != NULL && j->manifest != NULL)
		walk_image(image);
	else if (image != NULL)
		image_unread(image, &j->error);
}

/* Until nothing is left to be walked. */
static void
keep_large(struct read_job *j)
{
	struct map *large = j->releases->large;
	size_t n = digest_key_size(&j->digest);

	if (map_find(large, &j->digest, n) != NULL)
		return;
	if (map_count(large) == READ_LARGE_MAX)
		read_forget(j->releases);
	if (map_put(large, &j->digest, n, j->manifest) == 0)
		j->manifest = NULL;
}

static void
job_done(struct work *w)
{
	struct read_job *j = container_of(w, struct read_job, work);
	struct releases *rs = j->releases;

	rs->n_reading--;
	if (!rs->is_closing) {
		go_on(j);
		if (j->manifest != NULL)
			keep_large(j);
	}
	manifest_free(j->manifest);
	free(j);
	releases_idle(rs);
}

static void
read_later(struct image *image, const struct digest *d, uint64_t size)
{
	struct release *r = image->release;
	struct releases *rs = r->releases;
	struct read_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		image_rest(image, "no_memory", "no memory to read a manifest");
		return;
	}
	j->releases = rs;
	(void)snprintf(j->pins, sizeof(j->pins), "%s", r->pins);
	j->image = (size_t)(image - r->images);
	j->digest = *d;
	j->size = size;
	j->work.home = rs->spec.origin;
	j->work.run = job_run;
	j->work.done = job_done;
	rs->n_reading++;
	releases_busy(rs);
	work_submit(rs->spec.pool, &j->work);
}

enum reading
read_manifest(struct image *image, const struct digest *d,
    struct manifest **out, struct err *err)
{
	struct releases *rs = image->release->releases;
	struct manifest_row row;

	*out = map_find(rs->large, d, digest_key_size(d));
	if (*out != NULL)
		return READ_DONE;
	if (!index_find_manifest(rs->reader, d, &row))
		return READ_LATER; /* the caller has just seen it */
	if (row.bytes.p == NULL && row.size > MANIFEST_MAX_BYTES) {
		(void)err_set(err, ERR_MANIFEST_INVALID,
		    "the manifest has more than %u MiB",
		    MANIFEST_MAX_BYTES >> 20);
		return READ_BAD;
	}
	if (row.bytes.p == NULL) {
		read_later(image, d, row.size);
		return READ_LATER;
	}
	*out = manifest_parse(row.bytes, err);
	return *out != NULL ? READ_DONE : READ_BAD;
}

void
read_close(struct releases *rs, const struct digest *d, struct manifest *m)
{
	if (map_find(rs->large, d, digest_key_size(d)) != m)
		manifest_free(m);
}

static void
forget(const void *key, size_t n, void *value, void *arg)
{
	manifest_free(value);
	(void)map_take(arg, key, n);
}

void
read_forget(struct releases *rs)
{
	if (rs->large != NULL)
		map_each(rs->large, forget, rs->large);
}
