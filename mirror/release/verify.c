/*
 * verify.c - reads and hashes all that a release has pinned.
 *
 * Page by page of its pins: one job on a work thread at a time.  What is
 * missing, short or corrupt is set aside, and with that lost: the index counts
 * it as missing, and it is brought back like any other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "release_int.h"
#include "store/blob.h"

#define PAGE 32
#define PIECE_BYTES (256u << 10)

struct verify {
	struct work work;
	struct releases *releases;
	struct release_call *call;
	char pins[PINS_NAME_MAX];
	struct pin page[PAGE];
	size_t n;
	struct release_verified found;
};

/* ---- on a work thread ---------------------------------------------------------- */

/* Does the file hold the digest's bytes?  -1: it can't be read now. */
static int
matches(int fd, const struct digest *digest, char *piece)
{
	struct hasher *h = hasher_new(digest->alg);
	struct digest got;
	off_t at = 0;
	ssize_t n = -1;

	if (h == NULL)
		return -1;
	while ((n = pread(fd, piece, PIECE_BYTES, at)) > 0) {
		hasher_add(h, piece, (size_t)n);
		at += n;
	}
	hasher_get(h, &got);
	hasher_free(h);
	return n < 0 ? -1 : digest_equal(&got, digest);
}

/* One of another content has the right size: any size is wrong, then. */
static void
set_aside(
    struct verify *v, const struct pin *pin, uint64_t size, const char *why)
{
	v->found.n_corrupt++;
	store_quarantine(v->releases->spec.store, &pin->digest, size, why);
}

static void
verify_one(struct verify *v, const struct pin *pin, char *piece)
{
	struct shared_fd *fd;
	struct err err;

	v->found.n_digests++;
	v->found.bytes += pin->row.size;
	fd = blob_open(
	    v->releases->spec.store, &pin->digest, pin->row.size, &err);
	if (fd == NULL) {
		if (err.code == ERR_NOT_FOUND)
			set_aside(v, pin, pin->row.size, err.text);
		return;
	}
	if (matches(fd->fd, &pin->digest, piece) == 0)
		set_aside(v, pin, UINT64_MAX,
		    "its bytes are not those that its digest names");
	shared_fd_unref(fd);
}

static void
run_page(struct work *w)
{
	struct verify *v = container_of(w, struct verify, work);
	char *piece = malloc(PIECE_BYTES);

	for (size_t i = 0; piece != NULL && i < v->n; i++) {
		if (v->page[i].row.is_here)
			verify_one(v, &v->page[i], piece);
		else
			v->found.n_missing++;
	}
	free(piece);
}

/* ---- at home ---------------------------------------------------------------------- */

static void
verify_end(struct verify *v)
{
	struct releases *rs = v->releases;
	struct release_call *c = v->call;
	struct release *r = release_find(rs, c->name);
	struct report_images none = { .limit = 0 };

	c->verified = v->found;
	c->verified.n_missing += v->found.n_corrupt;
	if (r != NULL)
		c->view = report_view(r, &none);
	call_answer(rs, c);
	free(v);
	releases_idle(rs);
}

/* What was set aside is noted by the index before this is. */
static void
on_noted(void *arg, const struct err *err)
{
	(void)err;
	verify_end(arg);
}

static void
wait_for_index(struct verify *v)
{
	struct index_batch *nothing = index_batch_new();

	if (nothing == NULL)
		verify_end(v);
	else
		index_commit(v->releases->spec.store, nothing,
		    v->releases->spec.origin, on_noted, v);
}

static void
verify_page(struct verify *v, const struct digest *after)
{
	struct releases *rs = v->releases;

	v->n = rs->is_closing ? 0
			      : index_list_pins(rs->reader, str_of(v->pins),
				    after, v->page, PAGE);
	index_release(rs->reader);
	if (v->n > 0)
		work_submit(rs->spec.pool, &v->work);
	else
		wait_for_index(v);
}

static void
done_page(struct work *w)
{
	struct verify *v = container_of(w, struct verify, work);
	struct digest after = v->page[v->n - 1].digest;

	verify_page(v, &after);
}

void
verify_start(struct releases *rs, struct release *r, struct release_call *c)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		(void)err_set(
		    &c->error, ERR_NO_MEMORY, "no memory to verify it");
		call_answer(rs, c);
		return;
	}
	v->releases = rs;
	v->call = c;
	(void)snprintf(v->pins, sizeof(v->pins), "%s", r->pins);
	v->work.home = rs->spec.origin;
	v->work.run = run_page;
	v->work.done = done_page;
	releases_busy(rs);
	walk_release(r); /* what the walk finds must agree with the counts */
	verify_page(v, NULL);
}
