/*
 * fetch_layout.c - a fetch from an OCI layout.
 *
 *	OPEN ---> FIND ---> READ ---> READ ... ---> end
 *
 * OPEN: the shelf opens the layout, or sees that it is open.  FIND: a work
 * thread looks up what is asked for; small answers (manifests, lists) are in
 * memory then, of a blob we know where it is.  READ: a work thread reads the
 * next piece; at most one is out.  What was found and read is handed on when
 * the work is back on our loop, which is also when a fetch that was closed
 * meanwhile is freed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "fetch_int.h"
#include "loop/work.h"
#include "oci/manifest.h"

#define PIECE_BYTES (256u << 10)
#define LIST_MAX_BYTES (4u << 20)

struct layout_fetch {
	struct work work;
	struct fetch *fetch; /* whose kind we are; counted while work is out */
	struct layout_wait wait;
	struct layout *layout; /* counted */
	bool is_out;
	/* found: */
	enum fetch_result found; /* DONE, or why not */
	struct err err;
	struct digest digest;
	struct buf media_type;
	struct buf body; /* small answers, or a piece of the blob */
	bool is_blob;
	struct layout_blob blob;
	uint64_t at, end; /* of the blob: what is still to be read */
};

/* ---- looking up (on a work thread) ------------------------------------- */

static void
not_found(struct layout_fetch *l, enum err_code code)
{
	const struct fetch_spec *s = &l->fetch->spec;
	char what[FETCH_WHAT_MAX];

	l->found = FETCH_NOT_FOUND;
	(void)err_set(&l->err, code, "%s has no %s", s->endpoint->name,
	    fetch_what(l->fetch, what));
}

/* What could not be opened or read: not there, or a disk's trouble. */
static void
not_read(struct layout_fetch *l)
{
	if (l->err.code == ERR_BLOB_UNKNOWN)
		not_found(l,
		    l->fetch->spec.target == FETCH_MANIFEST
			? ERR_MANIFEST_UNKNOWN
			: ERR_BLOB_UNKNOWN);
	else
		l->found = FETCH_FAILED;
}

static int
reference_digest(struct layout_fetch *l)
{
	if (digest_parse(&l->digest, l->fetch->spec.reference, &l->err) == 0)
		return 0;
	not_found(l, ERR_DIGEST_INVALID);
	return -1;
}

/* All of a manifest, behind what OUT holds. */
static int
read_manifest(struct layout_fetch *l, const struct digest *d, struct buf *out)
{
	struct layout_blob blob;
	char *room = NULL;
	int rc;

	if (layout_blob_open(l->layout, d, &blob, &l->err) != 0)
		return -1;
	if (blob.size_bytes <= MANIFEST_MAX_BYTES)
		room = buf_room(out, (size_t)blob.size_bytes);
	if (room == NULL) {
		rc = err_set(&l->err, ERR_TOO_LARGE,
		    "a manifest has %llu bytes; %u are allowed",
		    (unsigned long long)blob.size_bytes, MANIFEST_MAX_BYTES);
	} else {
		rc = layout_blob_read(l->layout, &blob, room,
		    (size_t)blob.size_bytes, 0, &l->err);
		out->n += rc == 0 ? (size_t)blob.size_bytes : 0;
	}
	layout_blob_close(&blob);
	return rc;
}

static void
find_manifest(struct layout_fetch *l)
{
	const struct fetch_spec *s = &l->fetch->spec;
	const struct layout_index *names = layout_names(l->layout);
	struct layout_name name = { str_of(s->upstream->name), s->repository,
		s->reference };
	const struct layout_entry *e;

	if (str_index(s->reference, ':') < s->reference.n) {
		if (reference_digest(l) != 0)
			return;
		e = layout_index_find(names, &l->digest);
	} else {
		e = layout_index_find_tag(names, &name);
		if (e == NULL) {
			not_found(l, ERR_MANIFEST_UNKNOWN);
			return;
		}
		l->digest = e->digest;
	}
	if (read_manifest(l, &l->digest, &l->body) != 0) {
		not_read(l);
		return;
	}
	if (e != NULL && e->media_type[0] != '\0')
		buf_addz(&l->media_type, e->media_type);
	else if (layout_media_type(
		     buf_str(&l->body), &l->media_type, &l->err) != 0)
		l->found = FETCH_FAILED;
}

static void
find_blob(struct layout_fetch *l)
{
	const struct fetch_spec *s = &l->fetch->spec;

	if (reference_digest(l) != 0)
		return;
	if (layout_blob_open(l->layout, &l->digest, &l->blob, &l->err) != 0) {
		not_read(l);
		return;
	}
	l->is_blob = true;
	l->at = s->is_head ? 0 : s->offset;
	l->end = l->blob.size_bytes;
	if (!s->is_head && s->end > 0 && s->end < l->end)
		l->end = s->end;
	buf_addz(&l->media_type, "application/octet-stream");
	if (l->at > 0 && l->at >= l->end) {
		l->found = FETCH_REFUSED;
		(void)err_set(&l->err, ERR_RANGE_INVALID,
		    "%s: the blob has no bytes from %llu on", s->endpoint->name,
		    (unsigned long long)l->at);
	}
}

static void
find_tags(struct layout_fetch *l)
{
	const struct fetch_spec *s = &l->fetch->spec;
	struct layout_name name = { str_of(s->upstream->name), s->repository,
		STR("") };

	if (layout_index_tags(layout_names(l->layout), &name, &l->body) == 0)
		not_found(l, ERR_NAME_UNKNOWN);
	buf_addz(&l->media_type, "application/json");
}

/* Of those that index.json names; what is no manifest refers to nothing. */
static int
add_referrers(struct layout_fetch *l, const struct digest *subject)
{
	const struct layout_index *names = layout_names(l->layout);
	struct buf manifest;
	struct err why_not;
	int rc = 0;

	buf_init(&manifest, MANIFEST_MAX_BYTES);
	for (size_t i = 0; rc == 0 && i < layout_index_count(names); i++) {
		const struct layout_entry *e = layout_index_get(names, i);

		buf_reset(&manifest);
		if (read_manifest(l, &e->digest, &manifest) != 0)
			rc = l->err.code == ERR_BLOB_UNKNOWN ? 0 : -1;
		else if (layout_referrer_add(&l->body, e, buf_str(&manifest),
			     subject, &why_not) != 0)
			continue;
	}
	buf_done(&manifest);
	return rc;
}

static void
find_referrers(struct layout_fetch *l)
{
	struct digest subject;

	if (reference_digest(l) != 0)
		return;
	subject = l->digest;
	l->digest = (struct digest){ 0 };
	buf_addz(&l->media_type, "application/vnd.oci.image.index.v1+json");
	buf_addz(&l->body,
	    "{\"schemaVersion\":2,\"mediaType\":"
	    "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[");
	if (add_referrers(l, &subject) != 0)
		l->found = FETCH_FAILED;
	buf_addz(&l->body, "]}");
}

static void
run_find(struct work *w)
{
	struct layout_fetch *l = container_of(w, struct layout_fetch, work);

	l->found = FETCH_DONE;
	switch (l->fetch->spec.target) {
	case FETCH_MANIFEST:
		find_manifest(l);
		break;
	case FETCH_BLOB:
		find_blob(l);
		break;
	case FETCH_TAGS:
		find_tags(l);
		break;
	case FETCH_REFERRERS:
		find_referrers(l);
		break;
	case FETCH_PAGE: /* our lists have one page */
		not_found(l, ERR_NAME_UNKNOWN);
		break;
	}
	if (l->found == FETCH_DONE &&
	    (l->body.overflow || l->media_type.overflow)) {
		l->found = FETCH_FAILED;
		(void)err_set(&l->err, ERR_TOO_LARGE, "the answer is too long");
	}
}

static void
run_read(struct work *w)
{
	struct layout_fetch *l = container_of(w, struct layout_fetch, work);
	uint64_t left = l->end - l->at;
	size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
	char *room;

	buf_reset(&l->body);
	room = buf_room(&l->body, n);
	if (room == NULL) {
		l->found = FETCH_FAILED;
		(void)err_set(&l->err, ERR_NO_MEMORY, "out of memory");
	} else if (layout_blob_read(
		       l->layout, &l->blob, room, n, l->at, &l->err) != 0) {
		l->found = FETCH_BROKEN;
	} else {
		l->body.n = n;
	}
}

/* ---- on the loop ------------------------------------------------------- */

static void
layout_fetch_free(struct layout_fetch *l)
{
	check(!l->is_out);
	layout_leave(&l->wait);
	if (l->is_blob)
		layout_blob_close(&l->blob);
	layout_unref(l->layout);
	buf_done(&l->media_type);
	buf_done(&l->body);
	free(l);
}

static void
submit(struct layout_fetch *l, void (*run)(struct work *),
    void (*done)(struct work *))
{
	l->is_out = true;
	l->fetch->refs++;
	l->work.home = l->fetch->upstreams->loop;
	l->work.run = run;
	l->work.done = done;
	work_submit(l->fetch->upstreams->pool, &l->work);
}

/* The work is back: false when nobody wants it any more, and all is freed. */
static bool
take_back(struct layout_fetch *l)
{
	struct fetch *f = l->fetch;
	bool is_wanted = !f->is_closed;

	l->is_out = false;
	if (!is_wanted)
		layout_fetch_free(l);
	fetch_unref(f);
	return is_wanted;
}

static void on_read(struct work *);

/* Goes on with what is still to come, or ends. */
static void
next(struct layout_fetch *l)
{
	struct fetch *f = l->fetch;

	if (!fetch_is_judged(f) && l->is_blob && !f->spec.is_head &&
	    l->at < l->end) {
		submit(l, run_read, on_read);
		return;
	}
	if (!fetch_is_judged(f))
		fetch_judge_done(f);
	fetch_end(f);
}

static void
give_body(struct layout_fetch *l)
{
	struct fetch *f = l->fetch;

	if (f->spec.is_head || l->body.n == 0)
		return;
	if (fetch_give_bytes(f, l->body.p, l->body.n) == 0 && l->is_blob)
		l->at += l->body.n;
}

static void
on_read(struct work *w)
{
	struct layout_fetch *l = container_of(w, struct layout_fetch, work);

	if (!take_back(l))
		return;
	if (l->found != FETCH_DONE)
		(void)fetch_judge(
		    l->fetch, l->found, l->err.code, "%s", l->err.text);
	else
		give_body(l);
	next(l);
}

/* Small answers are given as a whole: a range of them is not asked for. */
static int
give_head(struct layout_fetch *l)
{
	const struct fetch_spec *s = &l->fetch->spec;
	char etag[DIGEST_TEXT_MAX + 2], text[DIGEST_TEXT_MAX];
	bool is_part = l->is_blob && fetch_asks_range(s);
	struct fetch_head head = { .status = is_part ? 206 : 200,
		.length = (int64_t)l->body.n,
		.total = (int64_t)l->body.n,
		.content_type = buf_str(&l->media_type),
		.digest = l->digest };

	if (l->is_blob) {
		head.length = (int64_t)(l->end - l->at);
		head.total = (int64_t)l->blob.size_bytes;
		head.first = l->at;
	}
	if (l->digest.alg != 0) {
		(void)snprintf(etag, sizeof(etag), "\"%s\"",
		    digest_text(&l->digest, text));
		head.etag = str_of(etag);
	}
	return fetch_give_head(l->fetch, &head);
}

static void
on_found(struct work *w)
{
	static const int status[] = { [FETCH_DONE] = 200,
		[FETCH_NOT_FOUND] = 404,
		[FETCH_REFUSED] = 416,
		[FETCH_FAILED] = 500 };
	struct layout_fetch *l = container_of(w, struct layout_fetch, work);

	if (!take_back(l))
		return;
	endpoint_answered(l->fetch->endpoint, status[l->found]);
	if (l->found != FETCH_DONE)
		(void)fetch_judge(
		    l->fetch, l->found, l->err.code, "%s", l->err.text);
	else if (give_head(l) == 0)
		give_body(l);
	next(l);
}

static void
on_open(struct layout_wait *w, struct layout *layout, const struct err *err)
{
	struct layout_fetch *l = container_of(w, struct layout_fetch, wait);

	if (layout == NULL) {
		endpoint_answered(l->fetch->endpoint, 0);
		(void)fetch_judge(l->fetch, FETCH_UNREACHABLE,
		    ERR_UPSTREAM_DOWN, "%s", err->text);
		fetch_end(l->fetch);
		return;
	}
	l->layout = layout;
	submit(l, run_find, on_found);
}

/* ---- birth and death --------------------------------------------------- */

static int
layout_start(struct fetch *f, struct err *err)
{
	struct layout_fetch *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a fetch");
	l->fetch = f;
	l->wait.on_ready = on_open;
	buf_init(&l->media_type, 1024);
	buf_init(&l->body, LIST_MAX_BYTES + 4096);
	if (layout_ask(f->upstreams->layouts, f->spec.endpoint->layout,
		&l->wait, err) != 0) {
		layout_fetch_free(l);
		return -1;
	}
	f->of_kind = l;
	return 0;
}

/* Work that is out comes back to itself. */
static void
layout_stop(struct fetch *f)
{
	struct layout_fetch *l = f->of_kind;

	f->of_kind = NULL;
	layout_leave(&l->wait);
	if (!l->is_out)
		layout_fetch_free(l);
}

const struct fetch_kind fetch_kind_layout = { layout_start, layout_stop, NULL };
