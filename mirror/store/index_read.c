/*
 * index_read.c - finding rows.
 *
 * A reader keeps one read transaction for its life: renewed by the first find,
 * reset by index_release(); neither allocates.  A row that can't be read, for
 * whatever reason, is a row that is not there: the caller fetches it again.
 */
#include <lmdb.h>
#include <stdlib.h>

#include "common/check.h"
#include "index_int.h"

struct index_reader *
index_reader_new(struct store *s, struct err *err)
{
	struct index_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a reader");
		return NULL;
	}
	r->index = s->index;
	rc = mdb_txn_begin(r->index->env, NULL, MDB_RDONLY, &r->txn);
	if (rc != 0) {
		(void)index_error(err, r->index, rc, "read");
		free(r);
		return NULL;
	}
	mdb_txn_reset(r->txn);
	atomic_fetch_add(&r->index->n_readers, 1);
	return r;
}

void
index_reader_free(struct index_reader *r)
{
	if (r == NULL)
		return;
	mdb_txn_abort(r->txn);
	atomic_fetch_sub(&r->index->n_readers, 1);
	free(r);
}

void
index_release(struct index_reader *r)
{
	if (r->is_active)
		mdb_txn_reset(r->txn);
	r->is_active = false;
}

bool
reader_renew(struct index_reader *r)
{
	if (!r->is_active)
		r->is_active = mdb_txn_renew(r->txn) == 0;
	return r->is_active;
}

bool
reader_damaged(struct index_reader *r)
{
	atomic_fetch_add(&r->index->n_damaged, 1);
	return false;
}

static bool
find(struct index_reader *r, enum index_table table, const struct row_key *k,
    struct str *body)
{
	MDB_val key = VAL(key_str(k)), value;
	int rc;

	if (k->n == 0 || !reader_renew(r))
		return false;
	rc = mdb_get(r->txn, r->index->tables[table], &key, &value);
	if (rc == MDB_NOTFOUND)
		return false;
	if (rc != 0) {
		index_distrust(r->index, rc);
		return reader_damaged(r);
	}
	if (!row_open(table, key_str(k), STR_OF_VAL(value), body))
		return reader_damaged(r);
	return true;
}

bool
index_find_blob(
    struct index_reader *r, const struct digest *d, struct blob_row *row)
{
	struct row_key k;
	struct str body;

	key_of_digest(&k, d);
	return find(r, TABLE_BLOBS, &k, &body) &&
	    (blob_decode(body, row) || reader_damaged(r));
}

bool
index_find_manifest(
    struct index_reader *r, const struct digest *d, struct manifest_row *row)
{
	struct row_key k;
	struct str body;

	key_of_digest(&k, d);
	return find(r, TABLE_MANIFESTS, &k, &body) &&
	    (manifest_decode(body, row) || reader_damaged(r));
}

bool
index_find_tag(struct index_reader *r, struct str scope, struct str tag,
    struct tag_row *row)
{
	struct row_key k;
	struct str body;

	key_of_tag(&k, scope, tag);
	return find(r, TABLE_TAGS, &k, &body) &&
	    (tag_decode(body, row) || reader_damaged(r));
}

bool
index_find_member(struct index_reader *r, struct str scope,
    const struct digest *d, struct member_row *row)
{
	struct row_key k;
	struct str body;

	key_of_member(&k, scope, d);
	return find(r, TABLE_MEMBERS, &k, &body) &&
	    (member_decode(body, row) || reader_damaged(r));
}

bool
index_find_document(struct index_reader *r, enum document_kind kind,
    struct str scope, struct str key, struct document_row *row)
{
	struct row_key k;
	struct str body;

	key_of_document(&k, kind, scope, key);
	return find(r, TABLE_DOCUMENTS, &k, &body) &&
	    (document_decode(body, row) || reader_damaged(r));
}

bool
index_find_counts(
    struct index_reader *r, struct str release, struct pin_counts *counts)
{
	struct row_key k;
	struct str body;

	key_of_release(&k, release);
	return find(r, TABLE_PIN_COUNTS, &k, &body) &&
	    (pin_counts_decode(body, counts) || reader_damaged(r));
}

bool
index_find_pin(struct index_reader *r, struct str release,
    const struct digest *d, struct pin_row *row)
{
	struct row_key k;
	struct str body;

	key_of_pin(&k, release, d);
	return find(r, TABLE_PINS, &k, &body) &&
	    (pin_decode(body, row) || reader_damaged(r));
}
