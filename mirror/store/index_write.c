/*
 * index_write.c - the index's thread: group commit.
 *
 * It takes what is queued (up to a ceiling), carries it out in one durable
 * transaction, and tells each batch's owner.  If anything fails, nothing of
 * the group is written, and each of its batches gets the error.
 */
#include <lmdb.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/thread.h"
#include "index_int.h"

/* The pages that a group changes are in memory until its commit, and LMDB keeps
 * that memory: an operation may take a page of 4 KiB, besides its bytes. */
#define GROUP_BYTES (8u << 20)
#define GROUP_OPS 2048

/* ---- operations --------------------------------------------------------- */

bool
group_get(struct group *g, const struct op *op, struct str *body)
{
	MDB_val key = VAL(op->key), value;

	return mdb_get(g->txn, g->index->tables[op->table], &key, &value) ==
	    0 &&
	    row_open(op->table, op->key, STR_OF_VAL(value), body);
}

int
group_put(struct group *g, const struct op *op, struct str body, unsigned flags)
{
	MDB_val key = VAL(op->key);
	MDB_val value = { ROW_HEAD + body.n, NULL };
	int rc = mdb_put(g->txn, g->index->tables[op->table], &key, &value,
	    flags | MDB_RESERVE);

	if (rc == MDB_KEYEXIST)
		return 0;
	if (rc != 0)
		return rc;
	if (body.n > 0)
		memcpy((char *)value.mv_data + ROW_HEAD, body.p, body.n);
	row_seal(op->table, op->key, value.mv_data, value.mv_size);
	return 0;
}

int
group_delete(struct group *g, const struct op *op)
{
	MDB_val key = VAL(op->key);
	int rc = mdb_del(g->txn, g->index->tables[op->table], &key, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
op_put(struct group *g, const struct op *op)
{
	return group_put(
	    g, op, op->body, g->only_missing ? MDB_NOOVERWRITE : 0);
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0; /* a damaged row may have counted otherwise */
}

/* OLD (NULL: none) gives way to NEW (NULL: none). */
static void
count_blob(
    struct group *g, const struct blob_row *old, const struct blob_row *new)
{
	if (old != NULL) {
		g->usage.used_bytes = minus(g->usage.used_bytes, old->size);
		g->usage.n_objects = minus(g->usage.n_objects, 1);
	}
	if (new != NULL) {
		g->usage.used_bytes += new->size;
		g->usage.n_objects++;
	}
}

static int
op_blob(struct group *g, const struct op *op)
{
	struct blob_row old, new;
	char bytes[BLOB_BODY];
	struct str body;
	bool had = group_get(g, op, &body) && blob_decode(body, &old);
	int rc;

	check(blob_decode(op->body, &new));
	if (had)
		new.is_public |= old.is_public;
	else
		g->n_new++;
	count_blob(g, had ? &old : NULL, &new);
	blob_encode(&new, bytes);
	rc = group_put(g, op, (struct str){ bytes, sizeof(bytes) }, 0);
	return rc != 0 || had ? rc : pin_blob_changed(g, op->key, true);
}

static int
op_public(struct group *g, const struct op *op)
{
	struct blob_row row;
	char bytes[BLOB_BODY];
	struct str body;

	if (!group_get(g, op, &body) || !blob_decode(body, &row) ||
	    row.is_public)
		return 0;
	row.is_public = true;
	blob_encode(&row, bytes);
	return group_put(g, op, (struct str){ bytes, sizeof(bytes) }, 0);
}

static int
op_member(struct group *g, const struct op *op)
{
	struct member_row old, new;
	struct str body;

	check(member_decode(op->body, &new));
	if (group_get(g, op, &body) && member_decode(body, &old) &&
	    (new.size == 0 || new.size == old.size))
		return 0;
	return group_put(g, op, op->body, 0);
}

static int
op_forget(struct group *g, const struct op *op)
{
	struct blob_row old;
	struct str body;
	int rc;

	if (op->table == TABLE_BLOBS && group_get(g, op, &body) &&
	    blob_decode(body, &old))
		count_blob(g, &old, NULL);
	rc = group_delete(g, op);
	if (rc == 0 && op->table == TABLE_BLOBS)
		rc = pin_blob_changed(g, op->key, false);
	return rc;
}

static int (*const carry_out[])(struct group *, const struct op *) = {
	[OP_PUT] = op_put,
	[OP_BLOB] = op_blob,
	[OP_MEMBER] = op_member,
	[OP_FORGET] = op_forget,
	[OP_PUBLIC] = op_public,
	[OP_PIN] = pin_op,
	[OP_UNPIN] = pin_op_unpin,
};

/* ---- transactions ------------------------------------------------------- */

static int
write_batch(struct group *g, const struct index_batch *b)
{
	struct op op;
	size_t at;
	int rc = 0;

	g->only_missing = b->only_missing;
	for (at = 0; rc == 0 && batch_next(b, &at, &op);)
		if (op.kind != OP_PUBLIC)
			rc = carry_out[op.kind](g, &op);
	for (at = 0; rc == 0 && batch_next(b, &at, &op);)
		if (op.kind == OP_PUBLIC)
			rc = carry_out[op.kind](g, &op);
	return rc;
}

static int
write_usage(struct group *g)
{
	struct op op = { OP_PUT, TABLE_COUNTERS, STR("usage"), { NULL, 0 } };
	char bytes[USAGE_BODY];

	if (g->usage.used_bytes == g->index->usage.used_bytes &&
	    g->usage.n_objects == g->index->usage.n_objects)
		return 0;
	usage_encode(&g->usage, bytes);
	return group_put(g, &op, (struct str){ bytes, sizeof(bytes) }, 0);
}

static int
write_group(struct group *g, const struct index_batch *first)
{
	int rc = mdb_txn_begin(g->index->env, NULL, 0, &g->txn);

	if (rc != 0)
		return rc;
	for (const struct index_batch *b = first; rc == 0 && b != NULL;
	     b = b->next)
		if (b->refused == ERR_NONE)
			rc = write_batch(g, b);
	if (rc == 0)
		rc = write_usage(g);
	if (rc == 0)
		rc = pin_write_counts(g);
	if (rc == 0)
		return mdb_txn_commit(g->txn);
	mdb_txn_abort(g->txn);
	return rc;
}

static void
publish(struct group *g)
{
	struct index *ix = g->index;

	ix->usage = g->usage;
	atomic_store_explicit(
	    &ix->used_bytes, g->usage.used_bytes, memory_order_relaxed);
	atomic_store_explicit(
	    &ix->n_objects, g->usage.n_objects, memory_order_relaxed);
	metric_add(ix->commits, (int64_t)g->n_new);
	pin_tell(g);
}

/* ---- telling owners ----------------------------------------------------- */

struct batch_wait {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_done;
	struct err error;
};

static void
deliver(struct letter *l)
{
	struct index_batch *b = container_of(l, struct index_batch, letter);

	b->done(b->arg, b->error.code == ERR_NONE ? NULL : &b->error);
	index_batch_free(b);
}

static void
wake_waiter(struct index_batch *b)
{
	struct batch_wait *w = b->wait;

	(void)pthread_mutex_lock(&w->lock);
	w->error = b->error;
	w->is_done = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
}

static void
tell(struct index_batch *b)
{
	if (b->done != NULL) {
		b->letter.deliver = deliver;
		loop_post(b->home, &b->letter);
		return;
	}
	if (b->wait != NULL)
		wake_waiter(b);
	index_batch_free(b);
}

static void
refuse(struct index_batch *b)
{
	if (b->refused == ERR_NAME_INVALID)
		(void)err_set(&b->error, ERR_NAME_INVALID,
		    "can't write the index: a name in it is too long");
	else
		(void)err_set(&b->error, b->refused,
		    "can't write the index: no memory for what was to be "
		    "written, or more than %u MiB at once",
		    INDEX_BATCH_MAX >> 20);
}

static void
commit_group(struct index *ix, struct index_batch *first)
{
	struct group g = { .index = ix, .usage = ix->usage };
	struct index_batch *b, *next;
	struct err err = { .code = ERR_NONE };
	int rc;

	for (b = first; b != NULL; b = b->next) {
		if (b->before != NULL && !b->before(b->before_arg)) {
			buf_reset(&b->ops);
			b->n_ops = 0;
		}
	}
	rc = write_group(&g, first);
	if (rc == 0)
		publish(&g);
	else
		(void)index_error(&err, ix, rc, "write");
	pin_group_done(&g);
	for (b = first; b != NULL; b = next) {
		next = b->next;
		b->error = err;
		if (b->refused != ERR_NONE)
			refuse(b);
		tell(b);
	}
}

/* ---- the thread --------------------------------------------------------- */

/* Cuts the next group off the queue, at least one batch. */
static struct index_batch *
cut_group(struct index *ix)
{
	struct index_batch *first = ix->first, *last = first;
	size_t n_bytes = first->ops.n, n_ops = first->n_ops;

	for (struct index_batch *b = first->next; b != NULL; b = b->next) {
		n_bytes += b->ops.n;
		n_ops += b->n_ops;
		if (n_bytes > GROUP_BYTES || n_ops > GROUP_OPS)
			break;
		last = b;
	}
	ix->first = last->next;
	last->next = NULL;
	return first;
}

/* Waits for the next group; NULL when it is time to stop. */
static struct index_batch *
take_group(struct index *ix)
{
	struct index_batch *first = NULL;

	(void)pthread_mutex_lock(&ix->lock);
	while (ix->first == NULL && !ix->is_stopping)
		(void)pthread_cond_wait(&ix->wake, &ix->lock);
	if (ix->first != NULL)
		first = cut_group(ix);
	(void)pthread_mutex_unlock(&ix->lock);
	return first;
}

static void *
write_index(void *arg)
{
	struct index_batch *first;

	while ((first = take_group(arg)) != NULL)
		commit_group(arg, first);
	return NULL;
}

int
index_writer_start(struct index *ix, struct err *err)
{
	if (thread_start(&ix->writer, "index", write_index, ix, err) != 0)
		return -1;
	ix->is_writing = true;
	return 0;
}

void
index_writer_stop(struct index *ix)
{
	if (!ix->is_writing)
		return;
	(void)pthread_mutex_lock(&ix->lock);
	ix->is_stopping = true;
	(void)pthread_cond_signal(&ix->wake);
	(void)pthread_mutex_unlock(&ix->lock);
	(void)pthread_join(ix->writer, NULL);
	ix->is_writing = false;
}

static void
submit(struct index *ix, struct index_batch *b)
{
	check(b->next == NULL);
	(void)pthread_mutex_lock(&ix->lock);
	if (ix->first == NULL)
		ix->first = b;
	else
		ix->last->next = b;
	ix->last = b;
	(void)pthread_cond_signal(&ix->wake);
	(void)pthread_mutex_unlock(&ix->lock);
}

void
index_commit(struct store *s, struct index_batch *b, struct loop *home,
    index_done_fn *done, void *arg)
{
	check(done == NULL || home != NULL);
	b->home = home;
	b->done = done;
	b->arg = arg;
	submit(s->index, b);
}

int
index_commit_wait(struct store *s, struct index_batch *b, struct err *err)
{
	struct batch_wait w = { .is_done = false };

	(void)pthread_mutex_init(&w.lock, NULL);
	(void)pthread_cond_init(&w.wake, NULL);
	b->wait = &w;
	submit(s->index, b);
	(void)pthread_mutex_lock(&w.lock);
	while (!w.is_done)
		(void)pthread_cond_wait(&w.wake, &w.lock);
	(void)pthread_mutex_unlock(&w.lock);
	(void)pthread_cond_destroy(&w.wake);
	(void)pthread_mutex_destroy(&w.lock);
	if (w.error.code == ERR_NONE)
		return 0;
	*err = w.error;
	return -1;
}
