/*
 * walk.c - what an image consists of, and what of that is not here.
 *
 * An image is walked as a whole, from its digest down, each time one of its
 * manifests has come: that is a few reads of the index, and needs no memory of
 * what was found before.  What is here is pinned; what is not is pinned, too,
 * and becomes a piece.  A manifest's pin stays open until all that it names is
 * pinned, in one transaction with its closing.
 *
 * Walking goes in slices, so that the loop's other business has its turn.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "oci/manifest.h"
#include "oci/platform.h"
#include "release_int.h"

#define REST_S 10 /* then an image is looked at again that could not be */
#define SLICE_US 3000
#define UNBUILT_MS 200 /* between looks whether the index is whole */
#define BATCH_OPS 1000
#define COMMITS_MAX 4 /* batches under way */
#define IMAGE_PARTS_MAX 65536

struct walk {
	struct releases *releases;
	struct image *image;
	struct config *config; /* counted */
	struct target target;  /* its digest is set as needed */
	struct map *seen;
	bool is_known;
	walk_part_fn *show; /* NULL: count and pin */
	void *arg;
};

struct part {
	struct digest digest;
	enum release_part part;
	uint64_t size;
};

static bool visit(struct walk *, const struct part *, unsigned depth);

/* ---- what it can't be ------------------------------------------------------ */

static void
retry_at(struct image *image, int64_t at)
{
	struct release *r = image->release;

	image->retry_at = at;
	if (r->retry_at == 0 || at < r->retry_at)
		r->retry_at = at;
}

void
image_fail(struct image *image, const char *code, const char *text)
{
	struct release_why *e = image->error;

	release_touch(image->release);
	if (e == NULL)
		e = image->error = calloc(1, sizeof(*e));
	if (e == NULL) {
		retry_at(image, now_s() + REST_S);
		return;
	}
	(void)snprintf(e->code, sizeof(e->code), "%s", code);
	(void)snprintf(e->text, sizeof(e->text), "%s", text);
}

void
image_rest(struct image *image, const char *code, const char *text)
{
	image_fail(image, code, text);
	retry_at(image, now_s() + REST_S);
}

void
image_unread(struct image *image, const struct err *why)
{
	if (why->code == ERR_MANIFEST_INVALID)
		image_fail(image, "manifest_invalid", why->text);
	else
		image_rest(image, "manifest_unread", why->text);
}

/* ---- one part --------------------------------------------------------------- */

static bool
is_manifest(enum release_part part)
{
	return part == RELEASE_INDEX || part == RELEASE_MANIFEST ||
	    part == RELEASE_REFERRER;
}

/* A manifest is here when its repository may have it: then so is what it
 * names.  A blob is here when it is stored. */
static bool
is_here(struct walk *w, struct part *p)
{
	struct releases *rs = w->releases;
	struct manifest_row manifest;
	struct blob_row blob;

	if (!index_find_blob(rs->reader, &p->digest, &blob))
		return false;
	p->size = blob.size;
	if (!is_manifest(p->part))
		return true;
	w->target.digest = p->digest;
	return index_find_manifest(rs->reader, &p->digest, &manifest) &&
	    want_is_here(rs->spec.cache, rs->reader, &w->target);
}

static void
miss(struct walk *w, const struct part *p, bool is_list)
{
	struct piece_spec spec = { p->digest, is_list, p->part, p->size };

	if (is_manifest(p->part) || is_list)
		w->is_known = false;
	if (w->show != NULL)
		return;
	if (w->image->release->plan != NULL && !is_manifest(p->part) &&
	    !is_list)
		return;
	if (piece_tie(w->image, &spec) != 0)
		image_rest(w->image, "no_memory",
		    "no memory for what is to be brought in");
}

/* They are walked again by the clock, and nothing is said to be ready before
 * that. */
static void
pins_lost(struct releases *rs)
{
	if (rs->has_lost_pins)
		return;
	rs->has_lost_pins = true;
	rs->pin_again_at = warm_back_off(
	    rs->n_pin_tries++, WARM_RETRY_MIN_S, WARM_RETRY_MAX_S);
}

/* Writes nothing where the row says so already. */
static void
pin(struct walk *w, const struct part *p, bool here, bool is_open)
{
	struct releases *rs = w->releases;
	struct release *r = w->image->release;
	struct pin_row old,
	    row = { .size = p->size,
		    .part = (uint8_t)p->part,
		    .is_open = is_open };

	if (index_find_pin(rs->reader, release_pins(r), &p->digest, &old) &&
	    old.is_here == here && (old.size == p->size || here) &&
	    (is_open || !old.is_open))
		return;
	if (rs->batch == NULL)
		rs->batch = index_batch_new();
	r->is_pinning = true;
	if (rs->batch == NULL) {
		pins_lost(rs);
		return;
	}
	index_batch_pin(rs->batch, release_pins(r), &p->digest, &row);
	rs->n_ops++;
}

static void
count(struct walk *w, const struct part *p, bool here)
{
	struct image *image = w->image;

	image->n_digests++;
	image->bytes += p->size;
	if (here)
		return;
	image->n_missing++;
	image->missing_bytes += p->size;
}

/* False when it was met before. */
static bool
see(struct walk *w, const struct digest *d)
{
	size_t n = digest_key_size(d);

	if (map_find(w->seen, d, n) != NULL)
		return false;
	if (map_put(w->seen, d, n, w) == 0)
		return true;
	if (map_count(w->seen) == IMAGE_PARTS_MAX)
		image_fail(
		    w->image, "too_large", "the image has too many parts");
	else
		image_rest(
		    w->image, "no_memory", "no memory to look at the image");
	return false;
}

/* ---- what a manifest names --------------------------------------------------- */

static bool
is_attestation(const struct manifest_link *l)
{
	return strcmp(l->os, "unknown") == 0;
}

/* Not for redistribution: registries need not have them. */
static bool
is_foreign(const struct manifest_link *l)
{
	return strstr(l->media_type, "nondistributable") != NULL ||
	    strstr(l->media_type, "foreign") != NULL;
}

static bool
is_chosen(const struct image *image, const struct manifest_link *l)
{
	const struct release_image *of = image_of(image);

	if (is_attestation(l))
		return image->release->list->referrers;
	if (of->n_platforms == 0 || l->os[0] == '\0')
		return true;
	for (size_t i = 0; i < of->n_platforms; i++)
		if (platform_matches(str_of(of->platforms[i]), l->os,
			l->architecture, l->variant))
			return true;
	return false;
}

static bool
has_platform(const struct manifest *m, const char *platform)
{
	for (size_t i = 0; i < m->n_links; i++) {
		const struct manifest_link *l = &m->links[i];

		if (l->part == PART_CHILD &&
		    (l->os[0] == '\0' ||
			platform_matches(str_of(platform), l->os,
			    l->architecture, l->variant)))
			return true;
	}
	return false;
}

static void
check_platforms(struct walk *w, const struct manifest *m)
{
	const struct release_image *of = image_of(w->image);
	char text[ERR_TEXT_MAX];

	for (size_t i = 0; !of->platforms_optional && i < of->n_platforms;
	     i++) {
		if (has_platform(m, of->platforms[i]))
			continue;
		(void)snprintf(text, sizeof(text),
		    "%s: the index has no manifest for %s; take it off "
		    "`platforms`, or set `platforms_optional`",
		    of->reference, of->platforms[i]);
		image_fail(w->image, "platform_missing", text);
		return;
	}
}

static enum release_part
part_of(const struct manifest_link *l)
{
	if (l->part == PART_CONFIG)
		return RELEASE_CONFIG;
	if (l->part == PART_LAYER)
		return RELEASE_LAYER;
	return strstr(l->media_type, "index") != NULL ||
		strstr(l->media_type, "manifest.list") != NULL
	    ? RELEASE_INDEX
	    : RELEASE_MANIFEST;
}

static bool
visit_links(struct walk *w, const struct manifest *m, unsigned depth)
{
	bool is_whole = true;

	for (size_t i = 0; i < m->n_links; i++) {
		const struct manifest_link *l = &m->links[i];
		struct part p = { l->digest, part_of(l), l->size_bytes };

		if (l->part == PART_SUBJECT || is_foreign(l) ||
		    (l->part == PART_CHILD && !is_chosen(w->image, l)))
			continue;
		is_whole &= visit(w, &p, depth + 1);
	}
	return is_whole;
}

/* ---- what refers to it -------------------------------------------------------- */

static bool
visit_referrer(struct walk *w, const json_t *descriptor, unsigned depth)
{
	const json_t *size = json_object_get(descriptor, "size");
	const char *text =
	    json_string_value(json_object_get(descriptor, "digest"));
	struct part p = { .part = RELEASE_REFERRER };
	struct err ignored; /* the list is ours, and holds none such */

	if (digest_parse(&p.digest, str_of(text), &ignored) != 0)
		return true;
	p.size = json_is_integer(size) ? (uint64_t)json_integer_value(size) : 0;
	return visit(w, &p, depth + 1);
}

static bool
visit_list(struct walk *w, struct str bytes, unsigned depth)
{
	json_t *root = json_loadb(bytes.p, bytes.n, 0, NULL);
	const json_t *all = json_object_get(root, "manifests");
	bool is_whole = true;

	for (size_t i = 0; i < json_array_size(all); i++)
		is_whole &= visit_referrer(w, json_array_get(all, i), depth);
	json_decref(root);
	return is_whole;
}

static bool
visit_referrers(struct walk *w, const struct part *of, unsigned depth)
{
	char text[DIGEST_TEXT_MAX];
	struct document_row row;
	struct part p = { of->digest, RELEASE_REFERRER, 0 };

	if (!w->image->release->list->referrers || of->part == RELEASE_REFERRER)
		return true;
	if (index_find_document(w->releases->reader, DOCUMENT_REFERRERS,
		target_scope(&w->target),
		str_of(digest_text(&of->digest, text)), &row))
		return visit_list(w, row.bytes, depth);
	miss(w, &p, true);
	return false;
}

/* ---- down ----------------------------------------------------------------------- */

static bool
visit_manifest(struct walk *w, const struct part *p, unsigned depth)
{
	struct manifest *m;
	struct err err;
	bool is_whole;

	switch (read_manifest(w->image, &p->digest, &m, &err)) {
	case READ_DONE:
		break;
	case READ_LATER:
		w->is_known = false;
		return false;
	case READ_BAD:
		image_unread(w->image, &err);
		return false;
	}
	if (m->is_index && depth == 0)
		check_platforms(w, m);
	is_whole = visit_links(w, m, depth);
	is_whole &= visit_referrers(w, p, depth);
	read_close(w->releases, &p->digest, m);
	return is_whole;
}

/* Is all that is under it pinned?  What is only missing is. */
static bool
visit(struct walk *w, const struct part *given, unsigned depth)
{
	struct part p = *given;
	bool here, is_whole = true;

	if (depth > WARM_DEPTH_MAX) {
		image_fail(w->image, "manifest_invalid",
		    "an index in an index in an index: too deep");
		return false;
	}
	if (!see(w, &p.digest))
		return true;
	here = is_here(w, &p);
	if (w->show != NULL)
		w->show(w->arg, &p.digest, p.part, p.size, here);
	else
		count(w, &p, here);
	if (!here)
		miss(w, &p, false);
	if (is_manifest(p.part))
		is_whole = here && visit_manifest(w, &p, depth);
	if (w->show != NULL)
		return is_whole;
	if (w->image->release->plan != NULL)
		plan_seen(w->image, &p.digest, p.size, here);
	else
		pin(w, &p, here, !is_whole);
	return is_whole || !is_manifest(p.part);
}

static void
walk_down(struct walk *w)
{
	const struct release_image *of = image_of(w->image);
	const struct config_upstream *upstream;
	struct part root = { of->digest, RELEASE_MANIFEST, 0 };

	w->config = config_now();
	upstream = image_upstream(w->image, w->config);
	w->seen = map_new(IMAGE_PARTS_MAX);
	if (upstream == NULL || w->seen == NULL) {
		image_rest(w->image,
		    upstream == NULL ? "upstream_unknown" : "no_memory",
		    upstream == NULL
			? "the configuration has no such upstream any more; "
			  "it is looked for again soon"
			: "no memory to look at the image");
	} else {
		target_init(
		    &w->target, w->config, upstream, str_of(of->repository));
		(void)visit(w, &root, 0);
		target_done(&w->target);
	}
	map_free(w->seen);
	config_unref(w->config);
	index_release(w->releases->reader);
}

static void
set_known(struct image *image, bool is_known)
{
	struct release *r = image->release;

	if (image->is_known == is_known)
		return;
	image->is_known = is_known;
	r->n_unknown += is_known ? (size_t)-1 : 1;
}

static void
walk_now(struct image *image)
{
	struct walk w = { .releases = image->release->releases,
		.image = image,
		.is_known = true };
	struct edges before = TAILQ_HEAD_INITIALIZER(before);

	/* Untied last: what is still wanted runs on. */
	TAILQ_CONCAT(&before, &image->edges, of_image);
	free(image->error);
	image->error = NULL;
	image->retry_at = 0;
	image->n_digests = image->n_missing = 0;
	image->bytes = image->missing_bytes = 0;
	walk_down(&w);
	edges_untie(&before);
	set_known(
	    image, w.is_known && image->error == NULL && image->retry_at == 0);
	release_touch(image->release);
}

void
walk_show(struct image *image, walk_part_fn *fn, void *arg)
{
	struct walk w = { .releases = image->release->releases,
		.image = image,
		.show = fn,
		.arg = arg };

	walk_down(&w);
}

/* ---- slices ------------------------------------------------------------------- */

void
walk_image(struct image *image)
{
	struct releases *rs = image->release->releases;

	if (image->is_dirty)
		return;
	image->is_dirty = true;
	image->release->n_dirty++;
	TAILQ_INSERT_TAIL(&rs->to_walk, image, to_walk);
	if (!timer_is_set(&rs->walk) && !rs->is_closing)
		timer_set(&rs->walk, 0);
}

void
walk_release(struct release *r)
{
	for (size_t i = 0; i < r->list->n_images; i++)
		walk_image(&r->images[i]);
}

/* Images whose error may have passed. */
void
walk_again(struct release *r, int64_t now)
{
	int64_t soonest = 0;

	if (r->retry_at == 0 || now < r->retry_at)
		return;
	for (size_t i = 0; i < r->list->n_images; i++) {
		int64_t at = r->images[i].retry_at;

		if (at != 0 && at <= now)
			walk_image(&r->images[i]);
		else if (at != 0 && (soonest == 0 || at < soonest))
			soonest = at;
	}
	r->retry_at = soonest;
}

static void
on_committed(void *arg, const struct err *err)
{
	struct releases *rs = arg;

	rs->n_commits--;
	if (err != NULL && !rs->has_lost_pins)
		log_error("pins of releases were not written; they are tried "
			  "again within a minute",
		    LOG_ERR(err));
	if (err != NULL)
		pins_lost(rs);
	releases_idle(rs);
	if (rs->is_closing)
		return;
	releases_settle(rs);
	if (!TAILQ_EMPTY(&rs->to_walk) && !timer_is_set(&rs->walk))
		timer_set(&rs->walk, 0);
}

void
walk_flush(struct releases *rs)
{
	struct index_batch *batch = rs->batch;

	if (batch == NULL)
		return;
	rs->batch = NULL;
	rs->n_ops = 0;
	rs->n_commits++;
	releases_busy(rs);
	index_commit(rs->spec.store, batch, rs->spec.origin, on_committed, rs);
}

static void
walk_next(struct releases *rs)
{
	struct image *image = TAILQ_FIRST(&rs->to_walk);

	TAILQ_REMOVE(&rs->to_walk, image, to_walk);
	image->is_dirty = false;
	image->release->n_dirty--;
	walk_now(image);
	if (rs->n_ops >= BATCH_OPS)
		walk_flush(rs);
}

void
walk_on(void *arg)
{
	struct releases *rs = arg;
	uint64_t until = clock_mono_us() + SLICE_US;

	if (!store_is_built(rs->spec.store)) {
		timer_set(&rs->walk, UNBUILT_MS);
		return;
	}
	while (!TAILQ_EMPTY(&rs->to_walk) && rs->n_commits < COMMITS_MAX &&
	    clock_mono_us() < until)
		walk_next(rs);
	warm_soon(rs);
	if (TAILQ_EMPTY(&rs->to_walk)) {
		walk_flush(rs);
		if (rs->n_reading == 0)
			read_forget(rs);
		releases_settle(rs);
	} else if (rs->n_commits < COMMITS_MAX) {
		timer_set(&rs->walk, 0);
	}
}
