/*
 * index_row.c - keys and values of the index, byte by byte.  Pure.
 *
 * Keys:
 *	digest             u8 algorithm, then its 32 or 64 bytes
 *	tag                scope, NUL, tag
 *	member             scope, NUL, digest key
 *	document           u8 kind, scope, NUL, key
 *	pin                release, NUL, digest key
 *	pinned             digest key, release
 *	pin counts         release
 * Bodies (behind the head, see index_int.h), numbers little-endian:
 *	blob               u64 size, i64 stored_at, u8 is_public
 *	manifest           u64 size, u16 length of media type, u8 has bytes,
 *	                   media type, bytes
 *	tag                i64 confirmed_at, digest key
 *	member             u64 size
 *	document           i64 confirmed_at, bytes
 *	usage              u64 used_bytes, u64 n_objects
 *	pin                u64 size, u8 part, u8 1: open, 2: here
 *	pinned             nothing
 *	pin counts         u64 n_digests, n_missing, n_open, bytes,
 *	                   missing_bytes
 */
#include "common/check.h"
#include "common/crc32c.h"
#include "index_int.h"

#define ROW_VERSION 1

/* ---- keys --------------------------------------------------------------- */

static void
key_begin(struct row_key *k)
{
	k->n = 0;
}

/* False, and from then on no key, when it is too long. */
static bool
key_add(struct row_key *k, const void *p, size_t n)
{
	if (n > sizeof(k->bytes) - k->n) {
		k->n = 0;
		return false;
	}
	if (n > 0)
		memcpy(k->bytes + k->n, p, n);
	k->n += n;
	return true;
}

static bool
key_add_scope(struct row_key *k, struct str scope)
{
	if (scope.n > INDEX_SCOPE_MAX) {
		k->n = 0;
		return false;
	}
	return key_add(k, scope.p, scope.n) && key_add(k, "", 1);
}

void
key_of_digest(struct row_key *k, const struct digest *d)
{
	key_begin(k);
	(void)key_add(k, d, digest_key_size(d));
}

void
key_of_tag(struct row_key *k, struct str scope, struct str tag)
{
	key_begin(k);
	if (key_add_scope(k, scope))
		(void)key_add(k, tag.p, tag.n);
}

void
key_of_member(struct row_key *k, struct str scope, const struct digest *d)
{
	key_begin(k);
	if (key_add_scope(k, scope))
		(void)key_add(k, d, digest_key_size(d));
}

void
key_of_document(struct row_key *k, enum document_kind kind, struct str scope,
    struct str key)
{
	char first = (char)kind;

	key_begin(k);
	if (key_add(k, &first, 1) && key_add_scope(k, scope))
		(void)key_add(k, key.p, key.n);
}

/* As long as its algorithm's digests are; 0: none. */
static size_t
digest_key_bytes(char alg)
{
	struct digest d = { .alg = (uint8_t)alg };

	if (d.alg != DIGEST_SHA256 && d.alg != DIGEST_SHA512)
		return 0;
	return digest_key_size(&d);
}

bool
key_digest(struct str key, struct digest *d)
{
	if (key.n == 0 || digest_key_bytes(key.p[0]) != key.n)
		return false;
	*d = (struct digest){ 0 };
	memcpy(d, key.p, key.n);
	return true;
}

void
key_of_release(struct row_key *k, struct str release)
{
	key_begin(k);
	if (release.n <= INDEX_RELEASE_MAX)
		(void)key_add(k, release.p, release.n);
}

void
key_of_pin(struct row_key *k, struct str release, const struct digest *d)
{
	key_of_release(k, release);
	if (k->n > 0 && key_add(k, "", 1))
		(void)key_add(k, d, digest_key_size(d));
}

void
key_of_pinned(struct row_key *k, struct str digest_key, struct str release)
{
	key_begin(k);
	if (key_add(k, digest_key.p, digest_key.n))
		(void)key_add(k, release.p, release.n);
}

bool
key_split_pin(struct str key, struct str *release, struct str *digest_key)
{
	size_t n = str_index(key, '\0');

	*release = (struct str){ key.p, n };
	*digest_key = str_from(key, n < key.n ? n + 1 : n);
	return digest_key->n > 0 &&
	    digest_key_bytes(digest_key->p[0]) == digest_key->n;
}

/* ---- heads -------------------------------------------------------------- */

static uint32_t
sum_of(struct str key, const char *value, size_t n)
{
	uint32_t sum = crc32c(0, key.p, key.n);

	return crc32c(sum, value + 4, n - 4);
}

void
row_seal(enum index_table table, struct str key, void *value, size_t n)
{
	char *p = value;

	check(n >= ROW_HEAD);
	p[4] = (char)table;
	p[5] = ROW_VERSION;
	p[6] = p[7] = 0;
	le32_put(p, sum_of(key, p, n));
}

bool
row_open(
    enum index_table table, struct str key, struct str value, struct str *body)
{
	if (value.n < ROW_HEAD || value.p[4] != (char)table ||
	    value.p[5] != ROW_VERSION)
		return false;
	if (le32_get(value.p) != sum_of(key, value.p, value.n))
		return false;
	*body = str_from(value, ROW_HEAD);
	return true;
}

/* ---- bodies ------------------------------------------------------------- */

void
blob_encode(const struct blob_row *row, char out[BLOB_BODY])
{
	le64_put(out, row->size);
	le64_put(out + 8, (uint64_t)row->stored_at);
	out[16] = row->is_public;
}

bool
blob_decode(struct str body, struct blob_row *row)
{
	if (body.n != BLOB_BODY)
		return false;
	row->size = le64_get(body.p);
	row->stored_at = (int64_t)le64_get(body.p + 8);
	row->is_public = body.p[16] != 0;
	return true;
}

void
member_encode(const struct member_row *row, char out[MEMBER_BODY])
{
	le64_put(out, row->size);
}

bool
member_decode(struct str body, struct member_row *row)
{
	if (body.n != MEMBER_BODY)
		return false;
	row->size = le64_get(body.p);
	return true;
}

size_t
tag_encode(const struct tag_row *row, char out[TAG_BODY_MAX])
{
	size_t n = digest_key_size(&row->digest);

	le64_put(out, (uint64_t)row->confirmed_at);
	memcpy(out + 8, &row->digest, n);
	return 8 + n;
}

bool
tag_decode(struct str body, struct tag_row *row)
{
	if (body.n < 9 || body.n > TAG_BODY_MAX)
		return false;
	row->confirmed_at = (int64_t)le64_get(body.p);
	row->digest = (struct digest){ 0 };
	row->digest.alg = (uint8_t)body.p[8];
	if (row->digest.alg != DIGEST_SHA256 &&
	    row->digest.alg != DIGEST_SHA512)
		return false;
	if (body.n - 8 != digest_key_size(&row->digest))
		return false;
	memcpy(&row->digest, body.p + 8, body.n - 8);
	return true;
}

void
manifest_encode(const struct manifest_row *row, char out[MANIFEST_BODY_HEAD])
{
	check(row->media_type.n <= UINT16_MAX);
	le64_put(out, row->size);
	out[8] = (char)(row->media_type.n & 0xff);
	out[9] = (char)(row->media_type.n >> 8);
	out[10] = row->bytes.p != NULL;
}

bool
manifest_decode(struct str body, struct manifest_row *row)
{
	struct str rest;
	size_t n;

	if (body.n < MANIFEST_BODY_HEAD)
		return false;
	row->size = le64_get(body.p);
	n = (size_t)(uint8_t)body.p[8] | (size_t)(uint8_t)body.p[9] << 8;
	rest = str_from(body, MANIFEST_BODY_HEAD);
	if (rest.n < n)
		return false;
	row->media_type = (struct str){ rest.p, n };
	row->bytes = str_from(rest, n);
	if (body.p[10] == 0)
		row->bytes = (struct str){ NULL, 0 };
	else if (row->bytes.n != row->size)
		return false;
	return true;
}

void
document_encode(const struct document_row *row, char out[DOCUMENT_BODY_HEAD])
{
	le64_put(out, (uint64_t)row->confirmed_at);
}

bool
document_decode(struct str body, struct document_row *row)
{
	if (body.n < DOCUMENT_BODY_HEAD)
		return false;
	row->confirmed_at = (int64_t)le64_get(body.p);
	row->bytes = str_from(body, DOCUMENT_BODY_HEAD);
	return true;
}

void
usage_encode(const struct usage *u, char out[USAGE_BODY])
{
	le64_put(out, u->used_bytes);
	le64_put(out + 8, u->n_objects);
}

bool
usage_decode(struct str body, struct usage *u)
{
	if (body.n != USAGE_BODY)
		return false;
	u->used_bytes = le64_get(body.p);
	u->n_objects = le64_get(body.p + 8);
	return true;
}

#define PIN_OPEN 1
#define PIN_HERE 2

void
pin_encode(const struct pin_row *row, char out[PIN_BODY])
{
	le64_put(out, row->size);
	out[8] = (char)row->part;
	out[9] = (char)((row->is_open ? PIN_OPEN : 0) |
	    (row->is_here ? PIN_HERE : 0));
}

bool
pin_decode(struct str body, struct pin_row *row)
{
	if (body.n != PIN_BODY)
		return false;
	row->size = le64_get(body.p);
	row->part = (uint8_t)body.p[8];
	row->is_open = (body.p[9] & PIN_OPEN) != 0;
	row->is_here = (body.p[9] & PIN_HERE) != 0;
	return true;
}

void
pin_counts_encode(const struct pin_counts *c, char out[PIN_COUNTS_BODY])
{
	le64_put(out, c->n_digests);
	le64_put(out + 8, c->n_missing);
	le64_put(out + 16, c->n_open);
	le64_put(out + 24, c->bytes);
	le64_put(out + 32, c->missing_bytes);
}

bool
pin_counts_decode(struct str body, struct pin_counts *c)
{
	if (body.n != PIN_COUNTS_BODY)
		return false;
	c->n_digests = le64_get(body.p);
	c->n_missing = le64_get(body.p + 8);
	c->n_open = le64_get(body.p + 16);
	c->bytes = le64_get(body.p + 24);
	c->missing_bytes = le64_get(body.p + 32);
	return true;
}
