/*
 * lookup.c - answers from the index, on a serve loop.
 */
#include "cache/lookup.h"

#include "cache_int.h"
#include "common/clock.h"
#include "store/open_blobs.h"
#include "tag.h"

/* The manifest's rows; the caller has seen to who may have it. */
static bool
find_manifest(
    struct cache_port *p, const struct digest *digest, struct found *out)
{
	struct manifest_row row;

	if (!index_find_manifest(p->reader, digest, &row))
		return false;
	out->digest = *digest;
	out->size = row.size;
	out->media_type = row.media_type;
	out->bytes = row.bytes;
	return true;
}

bool
lookup_manifest(struct cache_port *p, const struct target *t, struct found *out)
{
	struct blob_row row;

	out->confirmed_at = 0;
	return index_find_blob(p->reader, &t->digest, &row) &&
	    cache_may_have(p->reader, t, &t->digest, &row) &&
	    find_manifest(p, &t->digest, out);
}

bool
lookup_tag(struct cache_port *p, const struct target *t, struct found *out)
{
	int64_t now = clock_wall_s();
	enum tag_age age;
	struct tag_row row;

	if (!index_find_tag(p->reader, target_scope(t), str_of(t->tag), &row))
		return false;
	age = tag_age(t, &row, now);
	if (age != TAG_FRESH && age != TAG_RECHECK)
		return false;
	if (!find_manifest(p, &row.digest, out))
		return false;
	out->confirmed_at = row.confirmed_at;
	if (age == TAG_RECHECK)
		ticket_send(p, ASK_TAG, t);
	return true;
}

bool
lookup_answered(
    struct cache_port *p, const struct digest *digest, struct found *out)
{
	return find_manifest(p, digest, out);
}

bool
lookup_blob(struct cache_port *p, const struct target *t, struct found *out)
{
	struct blob_row row;

	if (!index_find_blob(p->reader, &t->digest, &row) ||
	    !cache_may_have(p->reader, t, &t->digest, &row))
		return false;
	out->digest = t->digest;
	out->size = row.size;
	return true;
}

bool
lookup_list(struct cache_port *p, const struct target *t, enum lookup_list list,
    struct found *out)
{
	struct document_row row;
	char text[DIGEST_TEXT_MAX];
	struct str key = STR("");

	if (list == LOOKUP_REFERRERS)
		key = str_of(digest_text(&t->digest, text));
	if (!index_find_document(p->reader,
		list == LOOKUP_TAGS ? DOCUMENT_TAGS : DOCUMENT_REFERRERS,
		target_scope(t), key, &row))
		return false;
	if (list_age(t, row.confirmed_at, clock_wall_s()) != TAG_FRESH)
		return false;
	out->bytes = row.bytes;
	out->size = row.bytes.n;
	out->confirmed_at = row.confirmed_at;
	return true;
}

struct shared_fd *
lookup_open(struct cache_port *p, const struct found *found, struct err *err)
{
	struct shared_fd *fd;

	fd = open_blobs_get(p->open_blobs, &found->digest, found->size, err);
	if (fd == NULL && err->code == ERR_NOT_FOUND)
		store_quarantine(
		    p->cache->store, &found->digest, found->size, err->text);
	return fd;
}

void
lookup_release(struct cache_port *p)
{
	index_release(p->reader);
}
