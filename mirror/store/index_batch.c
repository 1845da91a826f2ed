/*
 * index_batch.c - what is to be written, as a list of operations.
 *
 * An operation is a head (u8 kind, u8 table, u16 length of key, u32 length of
 * body), the key and the row's body, one after the other in one buffer.  They
 * are carried out in order, but marks of `public` last, so that they hold for
 * blobs of the same batch.
 */
#include <stdlib.h>

#include "common/clock.h"
#include "index_int.h"

#define OP_HEAD 8

struct index_batch *
index_batch_new(void)
{
	struct index_batch *b = calloc(1, sizeof(*b));

	if (b != NULL)
		buf_init(&b->ops, INDEX_BATCH_MAX);
	return b;
}

void
index_batch_free(struct index_batch *b)
{
	if (b == NULL)
		return;
	buf_done(&b->ops);
	free(b);
}

void
index_batch_only_missing(struct index_batch *b)
{
	b->only_missing = true;
}

void
index_batch_before(struct index_batch *b, bool (*fn)(void *arg), void *arg)
{
	b->before = fn;
	b->before_arg = arg;
}

bool
batch_next(const struct index_batch *b, size_t *offset, struct op *op)
{
	const char *p = b->ops.p + *offset;
	size_t n_key, n_body;

	if (*offset >= b->ops.n)
		return false;
	n_key = (size_t)(uint8_t)p[2] | (size_t)(uint8_t)p[3] << 8;
	n_body = le32_get(p + 4);
	op->kind = (enum op_kind)p[0];
	op->table = (enum index_table)p[1];
	op->key = (struct str){ p + OP_HEAD, n_key };
	op->body = (struct str){ p + OP_HEAD + n_key, n_body };
	*offset += OP_HEAD + n_key + n_body;
	return true;
}

/* BODY in up to three pieces. */
static void
add(struct index_batch *b, enum op_kind kind, enum index_table table,
    const struct row_key *key, const struct str body[3])
{
	size_t n = body[0].n + body[1].n + body[2].n;
	char head[OP_HEAD];

	if (key->n == 0) {
		b->refused = ERR_NAME_INVALID;
		return;
	}
	if (n > INDEX_BATCH_MAX ||
	    buf_room(&b->ops, OP_HEAD + key->n + n) == NULL) {
		b->refused = ERR_NO_MEMORY;
		return;
	}
	head[0] = (char)kind;
	head[1] = (char)table;
	head[2] = (char)(key->n & 0xff);
	head[3] = (char)(key->n >> 8);
	le32_put(head + 4, (uint32_t)n);
	buf_add(&b->ops, head, sizeof(head));
	buf_adds(&b->ops, key_str(key));
	for (int i = 0; i < 3; i++)
		buf_adds(&b->ops, body[i]);
	b->n_ops++;
}

#define BODY(...) ((const struct str[3]){ __VA_ARGS__ })

void
index_batch_blob(struct index_batch *b, const struct digest *d, uint64_t size,
    bool is_public)
{
	struct blob_row row = { size, clock_wall_s(), is_public };
	char body[BLOB_BODY];
	struct row_key k;

	key_of_digest(&k, d);
	blob_encode(&row, body);
	add(b, OP_BLOB, TABLE_BLOBS, &k, BODY({ body, sizeof(body) }));
}

void
index_batch_public(struct index_batch *b, const struct digest *d)
{
	struct row_key k;

	key_of_digest(&k, d);
	add(b, OP_PUBLIC, TABLE_BLOBS, &k, BODY({ NULL, 0 }));
}

void
index_batch_manifest(struct index_batch *b, const struct digest *d,
    struct str media_type, struct str bytes)
{
	struct manifest_row row = { media_type, bytes, bytes.n };
	char head[MANIFEST_BODY_HEAD];
	struct row_key k;

	if (media_type.n > UINT16_MAX) {
		b->refused = ERR_TOO_LARGE;
		return;
	}
	if (bytes.n > INDEX_INLINE_MANIFEST)
		row.bytes = (struct str){ NULL, 0 };
	key_of_digest(&k, d);
	manifest_encode(&row, head);
	add(b, OP_PUT, TABLE_MANIFESTS, &k,
	    BODY({ head, sizeof(head) }, media_type, row.bytes));
}

void
index_batch_tag(struct index_batch *b, struct str scope, struct str tag,
    const struct tag_row *row)
{
	char body[TAG_BODY_MAX];
	struct row_key k;

	key_of_tag(&k, scope, tag);
	add(b, OP_PUT, TABLE_TAGS, &k, BODY({ body, tag_encode(row, body) }));
}

void
index_batch_forget_tag(struct index_batch *b, struct str scope, struct str tag)
{
	struct row_key k;

	key_of_tag(&k, scope, tag);
	add(b, OP_FORGET, TABLE_TAGS, &k, BODY({ NULL, 0 }));
}

void
index_batch_member(struct index_batch *b, struct str scope,
    const struct digest *d, uint64_t size)
{
	struct member_row row = { size };
	char body[MEMBER_BODY];
	struct row_key k;

	key_of_member(&k, scope, d);
	member_encode(&row, body);
	add(b, OP_MEMBER, TABLE_MEMBERS, &k, BODY({ body, sizeof(body) }));
}

void
index_batch_document(struct index_batch *b, enum document_kind kind,
    struct str scope, struct str key, const struct document_row *row)
{
	char head[DOCUMENT_BODY_HEAD];
	struct row_key k;

	key_of_document(&k, kind, scope, key);
	document_encode(row, head);
	add(b, OP_PUT, TABLE_DOCUMENTS, &k,
	    BODY({ head, sizeof(head) }, row->bytes));
}

void
index_batch_forget(struct index_batch *b, const struct digest *d)
{
	struct row_key k;

	key_of_digest(&k, d);
	add(b, OP_FORGET, TABLE_BLOBS, &k, BODY({ NULL, 0 }));
	add(b, OP_FORGET, TABLE_MANIFESTS, &k, BODY({ NULL, 0 }));
}

void
index_batch_pin(struct index_batch *b, struct str release,
    const struct digest *d, const struct pin_row *row)
{
	char body[PIN_BODY];
	struct row_key k;

	key_of_pin(&k, release, d);
	pin_encode(row, body);
	add(b, OP_PIN, TABLE_PINS, &k, BODY({ body, sizeof(body) }));
}

void
index_batch_unpin(
    struct index_batch *b, struct str release, const struct digest *d)
{
	struct row_key k;

	key_of_pin(&k, release, d);
	add(b, OP_UNPIN, TABLE_PINS, &k, BODY({ NULL, 0 }));
}

void
index_batch_built(struct index_batch *b)
{
	struct row_key k = { 5, "built" };

	add(b, OP_PUT, TABLE_COUNTERS, &k, BODY({ NULL, 0 }));
}
