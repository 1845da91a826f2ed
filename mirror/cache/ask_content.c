/*
 * ask_content.c - asks for tags, manifests and a blob's head.
 *
 * A tag is resolved by a HEAD (which Docker Hub does not count), then its
 * manifest is an ask of its own, by digest, so that whoever was told a digest
 * finds it here.  An upstream whose HEAD tells no digest is asked by GET.
 */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "fill.h"
#include "oci/manifest.h"
#include "tag.h"

static bool
find_tag(struct ask *a, struct tag_row *row)
{
	return index_find_tag(a->cache->reader, target_scope(&a->target),
	    str_of(a->target.tag), row);
}

/* The answer "look it up in the index by this digest". */
static struct answer *
stored_answer(const struct digest *digest, int64_t confirmed_at, bool is_stale)
{
	struct answer *answer = answer_new();

	if (answer == NULL)
		return NULL;
	answer->digest = *digest;
	answer->confirmed_at = confirmed_at;
	answer->is_stale = is_stale;
	answer->is_hit = !is_stale;
	return answer;
}

static bool
find_stale_tag(struct ask *a, struct tag_row *row)
{
	struct index_reader *reader = a->cache->reader;
	struct manifest_row manifest;
	bool is_found = a->kind == ASK_TAG && find_tag(a, row) &&
	    tag_age(&a->target, row, clock_wall_s()) != TAG_EXPIRED &&
	    index_find_manifest(reader, &row->digest, &manifest);

	index_release(reader);
	return is_found;
}

bool
content_has_stale(struct ask *a)
{
	struct tag_row row;

	return find_stale_tag(a, &row);
}

struct answer *
content_stale(struct ask *a)
{
	struct tag_row row;

	if (!find_stale_tag(a, &row))
		return NULL;
	return stored_answer(&row.digest, row.confirmed_at, true);
}

/* An upstream deleted the tag: nothing of it is served stale later on.  An
 * immutable one stays. */
struct index_batch *
content_unknown(struct ask *a)
{
	struct index_batch *batch = NULL;

	if (a->kind == ASK_TAG && !tag_is_immutable(&a->target))
		batch = index_batch_new();
	if (batch != NULL)
		index_batch_forget_tag(
		    batch, target_scope(&a->target), str_of(a->target.tag));
	return batch;
}

/* ---- manifests -------------------------------------------------------------
 */

static int
accept_manifest(void *arg, struct err *err)
{
	struct ask *a = arg;
	struct str body = buf_str(&a->gather.body);
	struct digest got;

	digest_of(a->digest.alg, body.p, body.n, &got);
	if (digest_equal(&got, &a->digest))
		return 0;
	metric_count1(M_fill_broken_total, "digest", 1);
	return err_set(err, ERR_DIGEST_MISMATCH,
	    "%s: %s sent other bytes than the manifest %s has; try again, or "
	    "look at that endpoint",
	    a->target.scope, a->gather.endpoint->name, a->reference);
}

static enum ask_step
fetch_manifest(struct ask *a)
{
	(void)digest_text(&a->digest, a->reference);
	return ask_upstream(a, FETCH_MANIFEST, false, accept_manifest);
}

/* What was gathered becomes the answer; its rows are the batch's. */
static enum ask_step
keep_manifest(
    struct ask *a, const struct digest *digest, struct index_batch *batch)
{
	struct answer *answer = answer_new();
	struct str bytes;

	if (answer == NULL || batch == NULL) {
		answer_unref(answer);
		index_batch_free(batch);
		ask_answer(a, NULL);
		return ask_done(a);
	}
	answer->digest = *digest;
	answer->size = answer->n_bytes = a->gather.body.n;
	answer->media_type = str_dup(str_of(a->gather.content_type));
	answer->confirmed_at = clock_wall_s();
	answer->bytes = buf_take(&a->gather.body);
	bytes = (struct str){ answer->bytes, answer->n_bytes };
	a->pending = answer;
	index_batch_manifest(
	    batch, digest, str_of(a->gather.content_type), bytes);
	cache_batch_members(batch, &a->target, digest, bytes);
	a->put.is_public = target_is_public(&a->target);
	return ask_put(a, digest, bytes, batch);
}

/* ---- tags -------------------------------------------------------------- */

static void
batch_tag(struct ask *a, struct index_batch *batch, const struct digest *digest)
{
	struct tag_row row = { .digest = *digest,
		.confirmed_at = clock_wall_s() };

	index_batch_tag(
	    batch, target_scope(&a->target), str_of(a->target.tag), &row);
}

static void
forget_moved(const void *key, size_t n, void *value, void *arg)
{
	(void)value;
	(void)map_take(arg, key, n);
}

/* Once for each digest that it is moved to, not for each look at it. */
static void
tell_moved(
    struct ask *a, const struct digest *ours, const struct digest *theirs)
{
	char text[DIGEST_TEXT_MAX];
	uintptr_t mark = 0;

	memcpy(&mark, theirs->bytes, sizeof(mark));
	if ((uintptr_t)map_find(a->cache->moved, a->key.bytes, a->key.n) ==
	    (mark | 1))
		return;
	if (map_put(a->cache->moved, a->key.bytes, a->key.n,
		(void *)(mark | 1)) != 0)
		map_each(a->cache->moved, forget_moved, a->cache->moved);
	metric_count1(M_tag_moved_total, a->target.upstream->name, 1);
	log_warn("immutable tag was moved upstream; serving the first digest",
	    LOG_Z("scope", a->target.scope), LOG_Z("tag", a->target.tag),
	    LOG_DIGEST("serving", ours),
	    LOG_Z("upstream_has", digest_text(theirs, text)));
}

/* The digest that the tag shall have: the upstream's, or for an immutable tag
 * the first that it ever had. */
static struct digest
settle_digest(struct ask *a, const struct digest *theirs)
{
	struct tag_row row;
	bool is_known = find_tag(a, &row);

	index_release(a->cache->reader);
	if (!is_known || digest_equal(&row.digest, theirs) ||
	    !tag_is_immutable(&a->target))
		return *theirs;
	tell_moved(a, &row.digest, theirs);
	return row.digest;
}

static int
accept_tag(void *arg, struct err *err)
{
	struct ask *a = arg;
	struct str body = buf_str(&a->gather.body);
	const struct digest *told = &a->gather.digest;
	struct manifest *manifest = manifest_parse(body, err);

	/* Nothing else tells it from a login page: no digest was named. */
	manifest_free(manifest);
	if (manifest == NULL) {
		err->code = ERR_UPSTREAM_BROKEN;
		return err_wrap(err, "%s:%s: %s sent no manifest",
		    a->target.scope, a->target.tag, a->gather.endpoint->name);
	}
	digest_of(told->alg != 0 ? told->alg : DIGEST_SHA256, body.p, body.n,
	    &a->digest);
	if (told->alg == 0 || digest_equal(told, &a->digest))
		return 0;
	metric_count1(M_fill_broken_total, "digest", 1);
	return err_set(err, ERR_DIGEST_MISMATCH,
	    "%s:%s: %s sent a manifest that is not the one its header names",
	    a->target.scope, a->target.tag, a->gather.endpoint->name);
}

static enum ask_step
tag_resolved(struct ask *a)
{
	enum fetch_result result = a->gather.result;

	if (result == FETCH_DONE && a->gather.digest.alg != 0) {
		a->digest = settle_digest(a, &a->gather.digest);
		return ask_wait_child(a, &a->digest);
	}
	if (result == FETCH_DONE || result == FETCH_REFUSED)
		return ask_upstream(a, FETCH_MANIFEST, false, accept_tag);
	return ask_fail(a, result, &a->gather.error);
}

static enum ask_step
tag_fetched(struct ask *a)
{
	struct index_batch *batch;
	struct digest digest;

	digest = settle_digest(a, &a->digest);
	if (!digest_equal(&digest, &a->digest)) {
		a->digest = digest;
		return ask_wait_child(a, &digest);
	}
	batch = index_batch_new();
	if (batch != NULL)
		batch_tag(a, batch, &digest);
	return keep_manifest(a, &digest, batch);
}

/* The manifest is here (or can't be had). */
enum ask_step
content_child(struct ask *a)
{
	struct index_batch *batch;
	struct answer *child = a->from_child;

	if (child->error.code != ERR_NONE)
		return ask_fail(a,
		    child->error.code == ERR_MANIFEST_UNKNOWN ? FETCH_NOT_FOUND
							      : FETCH_FAILED,
		    &child->error);
	ask_answer(a, answer_ref(child));
	batch = index_batch_new();
	if (batch != NULL)
		batch_tag(a, batch, &a->digest);
	return ask_commit(a, batch);
}

/* ---- confirmed by a HEAD ----------------------------------------------- */

/* The repository has a manifest that is stored already: note it, and what it
 * names. */
static struct index_batch *
batch_confirmed_manifest(struct ask *a)
{
	struct index_batch *batch = index_batch_new();
	struct manifest_row row;

	if (batch != NULL &&
	    index_find_manifest(a->cache->reader, &a->digest, &row)) {
		cache_batch_members(batch, &a->target, &a->digest, row.bytes);
		if (target_is_public(&a->target))
			index_batch_public(batch, &a->digest);
	}
	index_release(a->cache->reader);
	return batch;
}

static enum ask_step
manifest_confirmed(struct ask *a)
{
	if (a->gather.result == FETCH_REFUSED)
		return fetch_manifest(a); /* who has no HEAD has GET */
	if (a->gather.result != FETCH_DONE)
		return ask_fail(a, a->gather.result, &a->gather.error);
	a->pending = stored_answer(&a->digest, clock_wall_s(), false);
	return ask_commit(a, batch_confirmed_manifest(a));
}

/* As a manifest named it; 0: none did. */
static uint64_t
named_size(struct ask *a)
{
	struct member_row row = { 0 };
	bool is_known = index_find_member(a->cache->reader,
	    target_scope(&a->target), &a->target.digest, &row);

	index_release(a->cache->reader);
	return is_known ? row.size : 0;
}

static int
accept_blob_head(void *arg, struct err *err)
{
	struct ask *a = arg;
	uint64_t size = named_size(a);

	if (size == 0 || a->gather.length < 0 ||
	    size == (uint64_t)a->gather.length)
		return 0;
	return err_set(err, ERR_UPSTREAM_BROKEN,
	    "%s: %s says that %s has %lld bytes, its manifest says %llu",
	    a->target.scope, a->gather.endpoint->name, a->reference,
	    (long long)a->gather.length, (unsigned long long)size);
}

static uint64_t
confirmed_size(struct ask *a)
{
	if (a->gather.length > 0)
		return (uint64_t)a->gather.length;
	return named_size(a) != 0 ? named_size(a) : ANSWER_SIZE_UNKNOWN;
}

static enum ask_step
blob_confirmed(struct ask *a)
{
	struct index_batch *batch;
	struct blob_row row;
	struct answer *answer;

	if (a->gather.result != FETCH_DONE)
		return ask_fail(a, a->gather.result, &a->gather.error);
	answer = stored_answer(&a->target.digest, clock_wall_s(), false);
	if (answer != NULL) {
		answer->is_hit = false;
		answer->size = confirmed_size(a);
	}
	batch = index_batch_new();
	if (batch != NULL) {
		/* No size: a HEAD is only somebody's word. */
		index_batch_member(
		    batch, target_scope(&a->target), &a->target.digest, 0);
		if (target_is_public(&a->target) &&
		    index_find_blob(a->cache->reader, &a->target.digest, &row))
			index_batch_public(batch, &a->target.digest);
		index_release(a->cache->reader);
	}
	a->pending = answer;
	return ask_commit(a, batch);
}

/* ---- the states' entries ----------------------------------------------- */

/* It may have come in since the serve loop looked. */
static bool
is_here(struct ask *a)
{
	struct index_reader *reader = a->cache->reader;
	struct manifest_row manifest;
	struct blob_row blob;
	struct tag_row tag;
	bool is_it = false;

	if (a->kind == ASK_TAG && find_tag(a, &tag) &&
	    tag_age(&a->target, &tag, clock_wall_s()) == TAG_FRESH &&
	    index_find_manifest(reader, &tag.digest, &manifest)) {
		a->digest = tag.digest;
		is_it = true;
	}
	if (a->kind == ASK_MANIFEST && !a->target.is_lost &&
	    index_find_manifest(reader, &a->digest, &manifest) &&
	    index_find_blob(reader, &a->digest, &blob))
		is_it = cache_may_have(reader, &a->target, &a->digest, &blob);
	index_release(reader);
	return is_it;
}

/* A blob that is verified, but not in the index yet, is as good as stored. */
static uint64_t
size_of_verified_fill(struct ask *a)
{
	const struct fill *fill =
	    map_find(a->cache->fills, &a->digest, digest_key_size(&a->digest));

	if (fill == NULL || !fill_is_open_to(fill, &a->target))
		return 0;
	return fill_verified_size(fill);
}

static enum ask_step
begin_blob(struct ask *a)
{
	uint64_t size = size_of_verified_fill(a);
	struct answer *answer;

	if (size == 0) {
		(void)digest_text(&a->digest, a->reference);
		return ask_upstream(a, FETCH_BLOB, true, accept_blob_head);
	}
	answer = stored_answer(&a->digest, clock_wall_s(), false);
	if (answer != NULL)
		answer->size = size;
	ask_answer(a, answer);
	return ask_done(a);
}

/* Stored, but brought in by another repository. */
static bool
is_elsewhere(struct ask *a)
{
	struct manifest_row row;
	bool is_it = !a->target.is_lost &&
	    index_find_manifest(a->cache->reader, &a->digest, &row) &&
	    row.bytes.p != NULL;

	index_release(a->cache->reader);
	return is_it;
}

enum ask_step
content_begin(struct ask *a)
{
	a->digest = a->target.digest;
	if (a->kind != ASK_BLOB && is_here(a)) {
		ask_answer(a, stored_answer(&a->digest, clock_wall_s(), false));
		return ask_done(a);
	}
	switch (a->kind) {
	case ASK_TAG:
		(void)snprintf(
		    a->reference, sizeof(a->reference), "%s", a->target.tag);
		return ask_upstream(a, FETCH_MANIFEST, true, NULL);
	case ASK_MANIFEST:
		if (!is_elsewhere(a))
			return fetch_manifest(a);
		(void)digest_text(&a->digest, a->reference);
		return ask_upstream(a, FETCH_MANIFEST, true, NULL);
	case ASK_BLOB:
		return begin_blob(a);
	case ASK_TAGS:
	case ASK_REFERRERS:
	case ASK_KIND_COUNT:
		break;
	}
	unreachable("content_begin");
}

enum ask_step
content_resolved(struct ask *a)
{
	if (a->kind == ASK_TAG)
		return tag_resolved(a);
	if (a->kind == ASK_MANIFEST)
		return manifest_confirmed(a);
	return blob_confirmed(a);
}

enum ask_step
content_fetched(struct ask *a)
{
	if (a->gather.result != FETCH_DONE)
		return ask_fail(a, a->gather.result, &a->gather.error);
	if (a->kind == ASK_TAG)
		return tag_fetched(a);
	return keep_manifest(a, &a->digest, index_batch_new());
}
