/*
 * verify.c - reads and hashes all that a release has pinned.
 *
 * One verify a release, which those who ask meanwhile join; and one at a time
 * of all, in slices of at most SLICE_BYTES on a work thread, since clients'
 * reads wait for the same threads.  Between two slices the origin loop looks
 * whether the mirror is stopping.
 *
 *	pins: a page of them --> slices, until the page is read --> the next page
 *	      --> what was set aside is noted by the index --> all are answered
 *
 * What is missing, short or corrupt is set aside, and with that lost: the index
 * counts it as missing, and it is brought back like any other.  What can't be
 * read now is neither proved nor lost, and counted apart.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "release_int.h"
#include "store/blob.h"

#define PAGE 32
#define PIECE_BYTES (256u << 10)
#define SLICE_BYTES (64u << 20)

struct verify {
	struct work work;
	TAILQ_ENTRY(verify) entry; /* the first one is under way */
	struct releases *releases;
	struct pending_calls callers;
	char pins[PINS_NAME_MAX];
	uint64_t n_pins; /* as counted at the begin */
	struct pin page[PAGE];
	size_t n, at; /* of the page; whose turn it is */
	/* The one that is half read. */
	struct shared_fd *fd; /* owned; NULL: none is */
	struct hasher *hasher;
	off_t done;
	struct release_verified found;
	char *piece; /* owned; of this slice; NULL: no memory */
};

/* ---- on a work thread ---------------------------------------------------------- */

/* One of another content has the right size: any size is wrong, then. */
static void
set_aside(struct verify *v, uint64_t size, const char *why)
{
	v->found.n_corrupt++;
	store_quarantine(
	    v->releases->spec.store, &v->page[v->at].digest, size, why);
}

static void
note_unread(struct verify *v, const char *why)
{
	if (v->found.n_unread++ == 0)
		(void)snprintf(v->found.why, sizeof(v->found.why), "%s", why);
}

static void
open_one(struct verify *v)
{
	const struct pin *pin = &v->page[v->at];
	struct err err;

	v->found.n_digests++;
	v->fd = blob_open(
	    v->releases->spec.store, &pin->digest, pin->row.size, &err);
	if (v->fd == NULL) {
		if (err.code == ERR_NOT_FOUND)
			set_aside(v, pin->row.size, err.text);
		else
			note_unread(v, err.text);
		v->at++;
		return;
	}
	v->done = 0;
	v->hasher = hasher_new(pin->digest.alg);
}

static void
close_one(struct verify *v)
{
	shared_fd_unref(v->fd);
	hasher_free(v->hasher);
	v->fd = NULL;
	v->hasher = NULL;
	v->at++;
}

/* It was read to its end. */
static void
judge_one(struct verify *v)
{
	struct digest got;

	hasher_get(v->hasher, &got);
	if (!digest_equal(&got, &v->page[v->at].digest))
		set_aside(v, UINT64_MAX,
		    "its bytes are not those that its digest names");
	close_one(v);
}

static void
read_failed(struct verify *v)
{
	char text[DIGEST_TEXT_MAX];
	struct err err;

	(void)err_errno(&err, ERR_DISK, "reading %s",
	    digest_text(&v->page[v->at].digest, text));
	note_unread(v, err.text);
	close_one(v);
}

static ssize_t
read_piece(struct verify *v)
{
	ssize_t n;

	if (v->hasher == NULL || v->piece == NULL) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = pread(v->fd->fd, v->piece, PIECE_BYTES, v->done);
	while (n < 0 && errno == EINTR);
	return n;
}

static void
go_on(struct verify *v)
{
	ssize_t n = read_piece(v);

	if (n < 0) {
		read_failed(v);
	} else if (n == 0) {
		judge_one(v);
	} else {
		hasher_add(v->hasher, v->piece, (size_t)n);
		v->done += n;
		v->found.bytes += (uint64_t)n;
	}
}

static void
run_slice(struct work *w)
{
	struct verify *v = container_of(w, struct verify, work);
	uint64_t end = v->found.bytes + SLICE_BYTES;

	v->piece = malloc(PIECE_BYTES);
	while (v->at < v->n && v->found.bytes < end) {
		if (v->fd != NULL) {
			go_on(v);
		} else if (v->page[v->at].row.is_here) {
			open_one(v);
		} else {
			v->found.n_missing++;
			v->at++;
		}
	}
	free(v->piece);
	v->piece = NULL;
}

/* ---- the end -------------------------------------------------------------------- */

static void
answer_one(struct verify *v, struct release_call *c, const struct err *err)
{
	struct releases *rs = v->releases;
	struct release *r = release_find(rs, c->name);
	struct report_images none = { .limit = 0 };

	c->verified = v->found;
	if (err != NULL)
		c->error = *err;
	else if (r == NULL)
		(void)err_set(&c->error, ERR_NOT_FOUND,
		    "the release was deleted meanwhile");
	else if ((c->view = report_view(r, &none)) == NULL)
		(void)err_set(
		    &c->error, ERR_NO_MEMORY, "no memory for it; try again");
	call_answer(rs, c);
}

static void
verify_end(struct verify *v, const struct err *err)
{
	struct releases *rs = v->releases;
	struct release_call *c;

	TAILQ_REMOVE(&rs->verifies, v, entry);
	v->found.n_missing += v->found.n_corrupt;
	while ((c = TAILQ_FIRST(&v->callers)) != NULL) {
		TAILQ_REMOVE(&v->callers, c, inside.entry);
		answer_one(v, c, err);
	}
	if (v->fd != NULL)
		close_one(v);
	free(v);
	releases_idle(rs);
}

static void verify_page(struct verify *, const struct digest *after);

static void
verifies_go_on(struct releases *rs)
{
	struct verify *v;
	struct err err;

	(void)err_set(&err, ERR_CANCELLED, "the mirror is stopping; ask again");
	while ((v = TAILQ_FIRST(&rs->verifies)) != NULL && rs->is_closing)
		verify_end(v, &err);
	if (v != NULL)
		verify_page(v, NULL);
}

/* What was set aside is noted by the index before this is. */
static void
on_noted(void *arg, const struct err *err)
{
	struct verify *v = arg;
	struct releases *rs = v->releases;
	uint64_t n_seen = v->found.n_digests + v->found.n_missing;

	if (n_seen < v->n_pins) {
		note_unread(v, "the index does not list all of them");
		v->found.n_unread += v->n_pins - n_seen - 1;
	}
	verify_end(v, err);
	verifies_go_on(rs);
}

/* ---- at home ---------------------------------------------------------------------- */

static void
wait_for_index(struct verify *v)
{
	struct releases *rs = v->releases;
	struct index_batch *nothing = index_batch_new();
	struct err err;

	if (nothing != NULL) {
		index_commit(
		    rs->spec.store, nothing, rs->spec.origin, on_noted, v);
		return;
	}
	(void)err_set(&err, ERR_NO_MEMORY, "no memory to verify it");
	verify_end(v, &err);
	verifies_go_on(rs);
}

static void
verify_page(struct verify *v, const struct digest *after)
{
	struct releases *rs = v->releases;
	struct pin_counts counts = { 0 };

	if (after == NULL) {
		(void)index_find_counts(rs->reader, str_of(v->pins), &counts);
		v->n_pins = counts.n_digests;
	}
	v->at = 0;
	v->n =
	    index_list_pins(rs->reader, str_of(v->pins), after, v->page, PAGE);
	index_release(rs->reader);
	if (v->n > 0)
		work_submit(rs->spec.pool, &v->work);
	else
		wait_for_index(v);
}

static void
done_slice(struct work *w)
{
	struct verify *v = container_of(w, struct verify, work);
	struct digest after = v->page[v->n - 1].digest;

	if (v->releases->is_closing)
		verifies_go_on(v->releases);
	else if (v->at < v->n)
		work_submit(v->releases->spec.pool, &v->work);
	else
		verify_page(v, &after);
}

static struct verify *
verify_find(struct releases *rs, const struct release *r)
{
	struct verify *v;

	TAILQ_FOREACH (v, &rs->verifies, entry)
		if (strcmp(v->pins, r->pins) == 0)
			return v;
	return NULL;
}

static struct verify *
verify_new(struct releases *rs, struct release *r)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->releases = rs;
	TAILQ_INIT(&v->callers);
	(void)snprintf(v->pins, sizeof(v->pins), "%s", r->pins);
	v->work.home = rs->spec.origin;
	v->work.run = run_slice;
	v->work.done = done_slice;
	releases_busy(rs);
	TAILQ_INSERT_TAIL(&rs->verifies, v, entry);
	return v;
}

void
verify_start(struct releases *rs, struct release *r, struct release_call *c)
{
	struct verify *v = verify_find(rs, r);
	bool is_first = TAILQ_EMPTY(&rs->verifies);

	if (v == NULL)
		v = verify_new(rs, r);
	if (v == NULL) {
		(void)err_set(
		    &c->error, ERR_NO_MEMORY, "no memory to verify it");
		call_answer(rs, c);
		return;
	}
	TAILQ_INSERT_TAIL(&v->callers, c, inside.entry);
	walk_release(r); /* what the walk finds must agree with the counts */
	if (is_first)
		verifies_go_on(rs);
}
