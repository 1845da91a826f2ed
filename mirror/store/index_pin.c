/*
 * index_pin.c - which release claims what, and how much of that is here.
 *
 * A pin stands twice: in PINS by release and digest, with a body; in PINNED by
 * digest and release, so that a blob that comes or goes finds those it is
 * pinned by.  A pin's row says whether it was counted as here; whatever is
 * counted changes only together with that flag, so the counts are right
 * whatever order things come in.
 *
 * A release's counts are read once in a transaction and written at its end.
 */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "common/check.h"
#include "index_int.h"

struct pin_tally {
	char release[INDEX_RELEASE_MAX];
	size_t n_release;
	struct pin_counts counts;
};

struct watch_letter {
	struct letter letter;
	index_watch_fn *fn;
	void *arg;
	size_t n;
	struct pin_change changes[];
};

/* ---- counting ----------------------------------------------------------- */

/* ALL is N of CAP things of SIZE; room for one more, or NULL. */
static void *
room_for_one(void *all, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? 16 : *cap * 2;

	if (n < *cap)
		return all;
	all = reallocarray(all, more, size);
	if (all != NULL)
		*cap = more;
	return all;
}

/* Zeros for a release that has no pins yet; NULL: no memory. */
static struct pin_tally *
tally_of(struct group *g, struct str release)
{
	struct op op = { OP_PUT, TABLE_PIN_COUNTS, release, { NULL, 0 } };
	struct pin_tally *t, *all;
	struct str body;

	check(release.n <= INDEX_RELEASE_MAX);
	for (size_t i = g->n_tallies; i > 0; i--) {
		t = &g->tallies[i - 1];
		if (str_eq((struct str){ t->release, t->n_release }, release))
			return t;
	}
	all = room_for_one(
	    g->tallies, g->n_tallies, &g->cap_tallies, sizeof(*g->tallies));
	if (all == NULL)
		return NULL;
	g->tallies = all;
	t = &g->tallies[g->n_tallies++];
	memset(t, 0, sizeof(*t));
	memcpy(t->release, release.p, release.n);
	t->n_release = release.n;
	if (group_get(g, &op, &body))
		(void)pin_counts_decode(body, &t->counts);
	return t;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0; /* a damaged row may have counted otherwise */
}

static void
count_in(struct pin_counts *c, const struct pin_row *row)
{
	c->n_digests++;
	c->bytes += row->size;
	c->n_open += row->is_open;
	if (row->is_here)
		return;
	c->n_missing++;
	c->missing_bytes += row->size;
}

static void
count_out(struct pin_counts *c, const struct pin_row *row)
{
	c->n_digests = minus(c->n_digests, 1);
	c->bytes = minus(c->bytes, row->size);
	c->n_open = minus(c->n_open, row->is_open);
	if (row->is_here)
		return;
	c->n_missing = minus(c->n_missing, 1);
	c->missing_bytes = minus(c->missing_bytes, row->size);
}

int
pin_write_counts(struct group *g)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_tallies; i++) {
		struct pin_tally *t = &g->tallies[i];
		struct op op = { OP_PUT, TABLE_PIN_COUNTS,
			{ t->release, t->n_release }, { NULL, 0 } };
		char body[PIN_COUNTS_BODY];

		pin_counts_encode(&t->counts, body);
		if (t->counts.n_digests == 0)
			rc = group_delete(g, &op);
		else
			rc = group_put(
			    g, &op, (struct str){ body, sizeof(body) }, 0);
	}
	return rc;
}

void
pin_group_done(struct group *g)
{
	free(g->tallies);
	free(g->changes);
}

/* ---- operations --------------------------------------------------------- */

static bool
find_pin(struct group *g, const struct op *op, struct pin_row *row)
{
	struct str body;

	return group_get(g, op, &body) && pin_decode(body, row);
}

static bool
find_blob(struct group *g, struct str digest_key, struct blob_row *row)
{
	struct op op = { OP_PUT, TABLE_BLOBS, digest_key, { NULL, 0 } };
	struct str body;

	return group_get(g, &op, &body) && blob_decode(body, row);
}

static int
put_pin(struct group *g, const struct op *op, const struct pin_row *row)
{
	char body[PIN_BODY];

	pin_encode(row, body);
	return group_put(g, op, (struct str){ body, sizeof(body) }, 0);
}

int
pin_op(struct group *g, const struct op *op)
{
	struct op other = { OP_PUT, TABLE_PINNED, { NULL, 0 }, { NULL, 0 } };
	struct pin_row old, new;
	struct str release, digest;
	struct pin_tally *t;
	struct blob_row blob;
	struct row_key k;
	int rc;

	check(pin_decode(op->body, &new) &&
	    key_split_pin(op->key, &release, &digest));
	t = tally_of(g, release);
	if (t == NULL)
		return ENOMEM;
	new.is_here = find_blob(g, digest, &blob);
	if (new.is_here)
		new.size = blob.size;
	if (find_pin(g, op, &old)) {
		new.is_open = new.is_open &&old.is_open;
		count_out(&t->counts, &old);
	}
	count_in(&t->counts, &new);
	rc = put_pin(g, op, &new);
	key_of_pinned(&k, digest, release);
	other.key = key_str(&k);
	return rc != 0 ? rc : group_put(g, &other, other.body, 0);
}

int
pin_op_unpin(struct group *g, const struct op *op)
{
	struct op other = { OP_PUT, TABLE_PINNED, { NULL, 0 }, { NULL, 0 } };
	struct str release, digest;
	struct pin_tally *t;
	struct pin_row old;
	struct row_key k;
	int rc;

	check(key_split_pin(op->key, &release, &digest));
	t = tally_of(g, release);
	if (t == NULL)
		return ENOMEM;
	if (find_pin(g, op, &old))
		count_out(&t->counts, &old);
	key_of_pinned(&k, digest, release);
	other.key = key_str(&k);
	rc = group_delete(g, op);
	return rc != 0 ? rc : group_delete(g, &other);
}

/* ---- a blob comes or goes ----------------------------------------------- */

static void
note_change(struct group *g, struct str digest_key, bool is_here)
{
	struct pin_change *all = room_for_one(
	    g->changes, g->n_changes, &g->cap_changes, sizeof(*g->changes));

	if (all == NULL) {
		g->has_lost_changes = true;
		return;
	}
	g->changes = all;
	check(key_digest(digest_key, &all[g->n_changes].digest));
	all[g->n_changes++].is_here = is_here;
}

/* One release's pin. */
static int
change_pin(
    struct group *g, struct str release, struct str digest_key, bool is_here)
{
	struct op op = { OP_PUT, TABLE_PINS, { NULL, 0 }, { NULL, 0 } };
	struct pin_tally *t = tally_of(g, release);
	struct blob_row blob;
	struct digest digest;
	struct pin_row row;
	struct row_key k;

	if (t == NULL)
		return ENOMEM;
	check(key_digest(digest_key, &digest));
	key_of_pin(&k, release, &digest);
	op.key = key_str(&k);
	if (!find_pin(g, &op, &row) || row.is_here == is_here)
		return 0;
	count_out(&t->counts, &row);
	row.is_here = is_here;
	if (is_here && find_blob(g, digest_key, &blob))
		row.size = blob.size;
	count_in(&t->counts, &row);
	return put_pin(g, &op, &row);
}

int
pin_blob_changed(struct group *g, struct str digest_key, bool is_here)
{
	MDB_val key = VAL(digest_key), value;
	MDB_cursor *cursor;
	size_t n_pins = 0;
	int rc;

	rc = mdb_cursor_open(g->txn, g->index->tables[TABLE_PINNED], &cursor);
	if (rc != 0)
		return rc;
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	     rc == 0 && str_starts(STR_OF_VAL(key), digest_key);
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		rc = change_pin(g, str_from(STR_OF_VAL(key), digest_key.n),
		    digest_key, is_here);
		if (rc != 0)
			break;
		n_pins++;
	}
	mdb_cursor_close(cursor);
	if (n_pins > 0)
		note_change(g, digest_key, is_here);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- the watcher -------------------------------------------------------- */

static void
deliver_changes(struct letter *l)
{
	struct watch_letter *w = container_of(l, struct watch_letter, letter);

	w->fn(w->arg, w->changes, w->n);
	free(w);
}

/* False: nobody watches any more. */
static bool
post_changes(struct index *ix, struct watch_letter *w)
{
	bool is_watched;

	(void)pthread_mutex_lock(&ix->lock);
	is_watched = ix->watch != NULL;
	if (is_watched) {
		w->fn = ix->watch;
		w->arg = ix->watch_arg;
		loop_post(ix->watch_home, &w->letter);
	}
	(void)pthread_mutex_unlock(&ix->lock);
	return is_watched;
}

void
pin_tell(struct group *g)
{
	size_t n = g->has_lost_changes ? 0 : g->n_changes;
	struct watch_letter *w;

	if (g->n_changes == 0 && !g->has_lost_changes)
		return;
	w = malloc(sizeof(*w) + n * sizeof(w->changes[0]));
	if (w == NULL)
		return;
	w->n = n;
	if (n > 0)
		memcpy(w->changes, g->changes, n * sizeof(w->changes[0]));
	w->letter.deliver = deliver_changes;
	if (!post_changes(g->index, w))
		free(w);
}

void
index_watch(struct store *s, struct loop *home, index_watch_fn *fn, void *arg)
{
	struct index *ix = s->index;

	(void)pthread_mutex_lock(&ix->lock);
	ix->watch_home = home;
	ix->watch = fn;
	ix->watch_arg = arg;
	(void)pthread_mutex_unlock(&ix->lock);
}

/* ---- reading ------------------------------------------------------------ */

/* The first key of the table at or behind KEY. */
static MDB_cursor *
seek(struct index_reader *r, enum index_table table, MDB_val *key,
    MDB_val *value)
{
	MDB_cursor *cursor;
	int rc;

	if (!reader_renew(r) ||
	    mdb_cursor_open(r->txn, r->index->tables[table], &cursor) != 0)
		return NULL;
	rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
	if (rc == 0)
		return cursor;
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		index_distrust(r->index, rc);
		(void)reader_damaged(r);
	}
	return NULL;
}

static bool
read_pin(struct index_reader *r, struct str key, struct str value,
    struct str release, struct pin *out)
{
	struct str whose, digest, body;

	if (!key_split_pin(key, &whose, &digest) || !str_eq(whose, release))
		return false;
	check(key_digest(digest, &out->digest));
	return (row_open(TABLE_PINS, key, value, &body) &&
		   pin_decode(body, &out->row)) ||
	    reader_damaged(r);
}

size_t
index_list_pins(struct index_reader *r, struct str release,
    const struct digest *after, struct pin *out, size_t max)
{
	char from[INDEX_RELEASE_MAX + 1 + sizeof(struct digest)];
	size_t n = 0, n_from = release.n + 1;
	MDB_val key, value;
	MDB_cursor *cursor;

	check(release.n <= INDEX_RELEASE_MAX);
	memcpy(from, release.p, release.n);
	from[release.n] = '\0';
	if (after != NULL) {
		memcpy(from + n_from, after, digest_key_size(after));
		n_from += digest_key_size(after);
	}
	key = (MDB_val){ n_from, from };
	cursor = seek(r, TABLE_PINS, &key, &value);
	if (cursor == NULL)
		return 0;
	do {
		bool is_after = after == NULL || key.mv_size != n_from ||
		    memcmp(key.mv_data, from, n_from) != 0;

		if (key.mv_size <= release.n ||
		    memcmp(key.mv_data, from, release.n + 1) != 0)
			break;
		if (is_after &&
		    read_pin(r, STR_OF_VAL(key), STR_OF_VAL(value), release,
			&out[n]))
			n++;
	} while (
	    n < max && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
	mdb_cursor_close(cursor);
	return n;
}

bool
index_next_release(
    struct index_reader *r, struct str after, char out[INDEX_RELEASE_MAX + 1])
{
	char from[INDEX_RELEASE_MAX + 2];
	MDB_val key = { after.n + 1, from }, value;
	MDB_cursor *cursor;

	check(after.n <= INDEX_RELEASE_MAX);
	memcpy(from, after.p, after.n);
	from[after.n] = '\0'; /* the least name behind it */
	cursor = seek(r, TABLE_PIN_COUNTS, &key, &value);
	if (cursor == NULL)
		return false;
	mdb_cursor_close(cursor);
	if (key.mv_size > INDEX_RELEASE_MAX)
		return false;
	memcpy(out, key.mv_data, key.mv_size);
	out[key.mv_size] = '\0';
	return true;
}

bool
index_is_pinned(struct index_reader *r, const struct digest *d)
{
	struct str prefix = { (const char *)d, digest_key_size(d) };
	MDB_val key = VAL(prefix), value;
	MDB_cursor *cursor = seek(r, TABLE_PINNED, &key, &value);
	bool is_it;

	if (cursor == NULL)
		return false;
	is_it = str_starts(STR_OF_VAL(key), prefix);
	mdb_cursor_close(cursor);
	return is_it;
}

void
index_each_pinner(struct index_reader *r, const struct digest *d,
    index_pinner_fn *fn, void *arg)
{
	struct str prefix = { (const char *)d, digest_key_size(d) };
	MDB_val key = VAL(prefix), value;
	MDB_cursor *cursor = seek(r, TABLE_PINNED, &key, &value);
	int rc = cursor != NULL ? 0 : MDB_NOTFOUND;

	while (rc == 0 && str_starts(STR_OF_VAL(key), prefix)) {
		fn(arg, str_from(STR_OF_VAL(key), prefix.n));
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
}
