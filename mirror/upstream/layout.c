/*
 * layout.c - opens layouts and finds blobs in them.
 *
 * Of a folder only index.json is read at opening; a tar's headers are walked
 * once, and its blobs kept as a table that is sorted by digest.  Which of the
 * two a path is, the path itself says.
 */
#include "upstream/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/file.h"
#include "layout_int.h"
#include "tar_int.h"

#define PATH_MAX_BYTES 4096u
#define TAR_BLOBS_MAX (1u << 20)

/* A blob in a tar. */
struct tar_blob {
	struct digest digest;
	uint64_t offset;
	uint64_t size_bytes;
};

/* What tells that a file was changed. */
struct stamp {
	struct timespec changed_at;
	off_t size_bytes;
	ino_t inode;
};

struct layout {
	unsigned refs; /* origin loop */
	char *path;    /* owned */
	bool is_tar;
	int fd; /* owned: the tar, or the folder */
	struct stamp stamp;
	struct layout_index *names; /* owned */
	struct tar_blob *blobs;     /* owned; of a tar, sorted */
	size_t n_blobs;
	size_t blobs_cap;
	uint64_t index_offset; /* of a tar's index.json */
	uint64_t index_bytes;  /* 0: none was seen */
};

/* ---- opening ----------------------------------------------------------- */

static struct stamp
stamp_of(const struct stat *st)
{
	return (struct stamp){ st->st_mtim, st->st_size, st->st_ino };
}

/* The file whose change makes a new picture due: by path, since it may have
 * been replaced. */
static int
take_stamp(const char *path, bool is_tar, struct stamp *out)
{
	char index[PATH_MAX_BYTES];
	struct stat st;

	(void)snprintf(
	    index, sizeof(index), "%s%s", path, is_tar ? "" : "/index.json");
	if (stat(index, &st) != 0)
		return -1;
	*out = stamp_of(&st);
	return 0;
}

static int
by_digest(const void *a, const void *b)
{
	const struct tar_blob *x = a, *y = b;
	int order = memcmp(&x->digest, &y->digest, sizeof(x->digest));

	if (order != 0)
		return order;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
add_blob(struct layout *l, const struct tar_blob *blob, struct err *err)
{
	size_t cap = l->blobs_cap == 0 ? 64 : l->blobs_cap * 2;
	struct tar_blob *grown;

	if (l->n_blobs == l->blobs_cap) {
		grown = cap > TAR_BLOBS_MAX
		    ? NULL
		    : realloc(l->blobs, cap * sizeof(*grown));
		if (grown == NULL)
			return err_set(err, ERR_TOO_LARGE,
			    "%s has too many blobs", l->path);
		l->blobs = grown;
		l->blobs_cap = cap;
	}
	l->blobs[l->n_blobs++] = *blob;
	return 0;
}

/* "blobs/sha256/<hex>"; false for other names. */
static bool
digest_of_name(struct str name, struct digest *out)
{
	char text[DIGEST_TEXT_MAX];
	struct str folder, alg;
	struct err ignored;
	int n;

	if (!str_cut(&name, '/', &folder) || !str_eqz(folder, "blobs") ||
	    !str_cut(&name, '/', &alg) || name.p == NULL)
		return false;
	n = snprintf(
	    text, sizeof(text), "%.*s:%.*s", STR_ARG(alg), STR_ARG(name));
	return n < (int)sizeof(text) &&
	    digest_parse(out, str_of(text), &ignored) == 0;
}

static int
on_tar_file(void *arg, const struct tar_file *file, struct err *err)
{
	struct layout *l = arg;
	struct tar_blob blob = { .offset = file->offset,
		.size_bytes = file->size_bytes };

	if (str_eqz(file->name, "index.json")) {
		l->index_offset = file->offset;
		l->index_bytes = file->size_bytes;
	}
	if (!digest_of_name(file->name, &blob.digest))
		return 0;
	return add_blob(l, &blob, err);
}

static int
read_tar(struct layout *l, struct buf *json, struct err *err)
{
	char *room;

	if (tar_walk(l->fd, l->path, on_tar_file, l, err) != 0)
		return -1;
	if (l->n_blobs > 0)
		qsort(l->blobs, l->n_blobs, sizeof(*l->blobs), by_digest);
	if (l->index_bytes == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "%s has no index.json: is it a tar of an OCI layout, "
		    "not compressed?",
		    l->path);
	room = l->index_bytes > LAYOUT_INDEX_MAX_BYTES
	    ? NULL
	    : buf_room(json, (size_t)l->index_bytes);
	if (room == NULL)
		return err_set(
		    err, ERR_TOO_LARGE, "%s: index.json is too long", l->path);
	json->n = (size_t)l->index_bytes;
	return file_read_at(
	    l->fd, l->path, room, json->n, l->index_offset, err);
}

static int
read_folder(struct layout *l, struct buf *json, struct err *err)
{
	char path[PATH_MAX_BYTES];

	(void)snprintf(path, sizeof(path), "%s/index.json", l->path);
	return file_read(path, json, err);
}

static int
layout_read(struct layout *l, struct err *err)
{
	struct buf json;
	struct stat st;
	int rc = -1;

	l->fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (l->fd < 0 || fstat(l->fd, &st) != 0)
		return err_errno(err, ERR_DISK, "opening %s", l->path);
	l->is_tar = !S_ISDIR(st.st_mode);
	if (take_stamp(l->path, l->is_tar, &l->stamp) != 0)
		return err_errno(
		    err, ERR_DISK, "looking for %s or its index.json", l->path);
	buf_init(&json, LAYOUT_INDEX_MAX_BYTES + 4096);
	rc = l->is_tar ? read_tar(l, &json, err) : read_folder(l, &json, err);
	if (rc == 0) {
		l->names = layout_index_parse(buf_str(&json), err);
		rc = l->names == NULL ? err_wrap(err, "%s", l->path) : 0;
	}
	buf_done(&json);
	return rc;
}

struct layout *
layout_take(const char *path, struct err *err)
{
	struct layout *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->refs = 1;
		l->fd = -1;
		l->path = str_dup(str_of(path));
	}
	if (l == NULL || l->path == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for %s", path);
		layout_unref(l);
		return NULL;
	}
	if (layout_read(l, err) != 0) {
		layout_unref(l);
		return NULL;
	}
	return l;
}

bool
layout_is_current(const struct layout *l)
{
	struct stamp now;

	return take_stamp(l->path, l->is_tar, &now) == 0 &&
	    now.size_bytes == l->stamp.size_bytes &&
	    now.inode == l->stamp.inode &&
	    now.changed_at.tv_sec == l->stamp.changed_at.tv_sec &&
	    now.changed_at.tv_nsec == l->stamp.changed_at.tv_nsec;
}

const struct layout_index *
layout_names(const struct layout *l)
{
	return l->names;
}

struct layout *
layout_ref(struct layout *l)
{
	l->refs++;
	return l;
}

void
layout_unref(struct layout *l)
{
	if (l == NULL || --l->refs > 0)
		return;
	if (l->fd >= 0)
		(void)close(l->fd);
	layout_index_free(l->names);
	free(l->blobs);
	free(l->path);
	free(l);
}

/* ---- blobs ------------------------------------------------------------- */

static int
blob_unknown(const struct layout *l, const struct digest *d, struct err *err)
{
	char text[DIGEST_TEXT_MAX];

	return err_set(err, ERR_BLOB_UNKNOWN, "%s has no %s", l->path,
	    digest_text(d, text));
}

static int
open_in_tar(const struct layout *l, const struct digest *d,
    struct layout_blob *out, struct err *err)
{
	size_t low = 0, high = l->n_blobs;

	while (low < high) { /* of equal ones the last counts, as in tar */
		size_t mid = low + (high - low) / 2;

		if (memcmp(&l->blobs[mid].digest, d, sizeof(*d)) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || !digest_equal(&l->blobs[low - 1].digest, d))
		return blob_unknown(l, d, err);
	*out = (struct layout_blob){ .fd = l->fd,
		.offset = l->blobs[low - 1].offset,
		.size_bytes = l->blobs[low - 1].size_bytes };
	return 0;
}

static int
open_in_folder(const struct layout *l, const struct digest *d,
    struct layout_blob *out, struct err *err)
{
	char path[DIGEST_TEXT_MAX + 32], hex[DIGEST_TEXT_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "blobs/%s/%s", digest_alg_name(d),
	    digest_hex(d, hex));
	*out = (struct layout_blob){ .is_own_fd = true };
	out->fd = openat(l->fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (out->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return blob_unknown(l, d, err);
	if (out->fd < 0)
		return err_errno(err, ERR_DISK, "opening %s/%s", l->path, path);
	if (fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		out->size_bytes = (uint64_t)st.st_size;
		return 0;
	}
	layout_blob_close(out);
	return err_set(
	    err, ERR_DISK, "%s/%s is no regular file", l->path, path);
}

int
layout_blob_open(const struct layout *l, const struct digest *d,
    struct layout_blob *out, struct err *err)
{
	return l->is_tar ? open_in_tar(l, d, out, err)
			 : open_in_folder(l, d, out, err);
}

int
layout_blob_read(const struct layout *l, const struct layout_blob *b, void *out,
    size_t n, uint64_t offset, struct err *err)
{
	check(offset <= b->size_bytes && n <= b->size_bytes - offset);
	return file_read_at(b->fd, l->path, out, n, b->offset + offset, err);
}

void
layout_blob_close(struct layout_blob *b)
{
	if (b->is_own_fd && b->fd >= 0)
		(void)close(b->fd);
	b->fd = -1;
}
