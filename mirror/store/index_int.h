/*
 * index_int.h - what index*.c share: the environment, tables, batches, rows.
 *
 * LMDB's types appear by their struct tags only, so that lmdb.h is included by
 * the files that call it and by no header.
 */
#ifndef STORE_INDEX_INT_H
#define STORE_INDEX_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/buf.h"
#include "store_int.h"

/* A row's head names its table by this number: append only. */
enum index_table {
	TABLE_BLOBS,
	TABLE_MANIFESTS,
	TABLE_TAGS,
	TABLE_MEMBERS,
	TABLE_DOCUMENTS,
	TABLE_COUNTERS, /* keys "usage" and "built" */
	TABLE_PINS,
	TABLE_PINNED, /* the same by digest; no bodies */
	TABLE_PIN_COUNTS,
	TABLE_COUNT
};

struct usage {
	uint64_t used_bytes;
	uint64_t n_objects;
};

struct index {
	char *path;                   /* owned */
	struct MDB_env *env;          /* owned */
	uint64_t map_bytes;           /* its ceiling */
	unsigned tables[TABLE_COUNT]; /* MDB_dbi */
	bool is_built;                /* a rebuild once came to its end */
	atomic_uint n_readers;
	atomic_uint_fast64_t n_damaged; /* rows with a wrong check sum */

	pthread_t writer;
	bool is_writing;      /* the thread was started */
	pthread_mutex_t lock; /* the four below */
	pthread_cond_t wake;
	struct index_batch *first; /* owned */
	struct index_batch *last;
	bool is_stopping;

	struct usage usage;              /* the writer's */
	atomic_uint_fast64_t used_bytes; /* the same, for all to see */
	atomic_uint_fast64_t n_objects;
	struct metric *commits;

	/* Under the lock. */
	struct loop *watch_home; /* borrowed */
	index_watch_fn *watch;   /* NULL: nobody */
	void *watch_arg;
};

/* ---- index_env.c -------------------------------------------------------- */

/* Sets *err from what LMDB returned; returns -1. */
int index_error(struct err *, struct index *, int rc, const char *what);
/* LMDB found its own pages wrong: the next start makes a new index. */
void index_distrust(struct index *, int rc);

/* ---- index_write.c ------------------------------------------------------ */

err_checked int index_writer_start(struct index *, struct err *err);
void index_writer_stop(struct index *); /* commits what is queued */

/* ---- index_batch.c: a batch is a list of operations --------------------- */

enum op_kind {
	OP_PUT,
	OP_BLOB,
	OP_MEMBER,
	OP_FORGET,
	OP_PUBLIC,
	OP_PIN,
	OP_UNPIN
};

struct op {
	enum op_kind kind;
	enum index_table table;
	struct str key;
	struct str body; /* of the row */
};

struct index_batch {
	struct index_batch *next;
	struct buf ops;
	size_t n_ops;
	enum err_code refused; /* why it can't be committed; ERR_NONE */
	bool only_missing;
	bool (*before)(void *arg);
	void *before_arg;
	struct loop *home; /* borrowed; outlives us */
	index_done_fn *done;
	void *arg;
	struct batch_wait *wait; /* index_commit_wait(): instead of done */
	struct letter letter;
	struct err error; /* ERR_NONE: it was committed */
};

/* Takes the operation at *offset; false at the end. */
bool batch_next(const struct index_batch *, size_t *offset, struct op *);

/* ---- index_write.c: what one transaction does --------------------------- */

struct pin_tally;

struct group {
	struct index *index;
	struct MDB_txn *txn;
	struct usage usage;
	uint64_t n_new; /* blobs */
	bool only_missing;
	struct pin_tally *tallies; /* owned; of the releases it touches */
	size_t n_tallies, cap_tallies;
	struct pin_change *changes; /* owned; for the watcher */
	size_t n_changes, cap_changes;
	bool has_lost_changes; /* no memory for them */
};

/* The body of a row, or false when it is absent or damaged. */
bool group_get(struct group *, const struct op *, struct str *body);
int group_put(
    struct group *, const struct op *, struct str body, unsigned flags);
int group_delete(struct group *, const struct op *); /* absent: fine */

/* ---- index_pin.c -------------------------------------------------------- */

int pin_op(struct group *, const struct op *);
int pin_op_unpin(struct group *, const struct op *);
/* The blob of this key came, or went. */
int pin_blob_changed(struct group *, struct str digest_key, bool is_here);
int pin_write_counts(struct group *);
void pin_tell(struct group *); /* it was committed */
void pin_group_done(struct group *);

/* ---- index_read.c ------------------------------------------------------- */

struct index_reader {
	struct index *index; /* borrowed; outlives us */
	struct MDB_txn *txn;
	bool is_active; /* renewed: what was found is valid */
};

bool reader_renew(struct index_reader *);
bool reader_damaged(struct index_reader *); /* counts it; false */

/* ---- index_row.c: keys and values --------------------------------------- */

#define KEY_MAX 511 /* LMDB's */

struct row_key {
	size_t n; /* 0: too long for a key */
	char bytes[KEY_MAX];
};

void key_of_digest(struct row_key *, const struct digest *);
void key_of_tag(struct row_key *, struct str scope, struct str tag);
void key_of_member(struct row_key *, struct str scope, const struct digest *);
void key_of_release(struct row_key *, struct str release);
void key_of_pin(struct row_key *, struct str release, const struct digest *);
void key_of_pinned(struct row_key *, struct str digest_key, struct str release);
/* False: it is no such key. */
bool key_split_pin(struct str key, struct str *release, struct str *digest_key);
bool key_digest(struct str digest_key, struct digest *);
void key_of_document(
    struct row_key *, enum document_kind, struct str scope, struct str key);

/* A value is a head of ROW_HEAD bytes, then the body:
 * u32 CRC-32C of the key and of all that follows; u8 table; u8 version; u16 0.
 */
#define ROW_HEAD 8
/* VALUE has ROW_HEAD bytes free before its body. */
void row_seal(enum index_table, struct str key, void *value, size_t n);
/* False when the check sum or the head is wrong. */
bool row_open(
    enum index_table, struct str key, struct str value, struct str *body);

#define BLOB_BODY 17
#define MEMBER_BODY 8
#define TAG_BODY_MAX (8 + 65)
#define MANIFEST_BODY_HEAD 11
#define DOCUMENT_BODY_HEAD 8
#define USAGE_BODY 16
#define PIN_BODY 10
#define PIN_COUNTS_BODY 40
void blob_encode(const struct blob_row *, char out[BLOB_BODY]);
bool blob_decode(struct str body, struct blob_row *);
void member_encode(const struct member_row *, char out[MEMBER_BODY]);
bool member_decode(struct str body, struct member_row *);
size_t tag_encode(const struct tag_row *, char out[TAG_BODY_MAX]);
bool tag_decode(struct str body, struct tag_row *);
/* The head only; media type and bytes follow it. */
void manifest_encode(const struct manifest_row *, char out[MANIFEST_BODY_HEAD]);
bool manifest_decode(struct str body, struct manifest_row *);
/* The head only; the bytes follow it. */
void document_encode(const struct document_row *, char out[DOCUMENT_BODY_HEAD]);
bool document_decode(struct str body, struct document_row *);
void pin_encode(const struct pin_row *, char out[PIN_BODY]);
bool pin_decode(struct str body, struct pin_row *);
void pin_counts_encode(const struct pin_counts *, char out[PIN_COUNTS_BODY]);
bool pin_counts_decode(struct str body, struct pin_counts *);
void usage_encode(const struct usage *, char out[USAGE_BODY]);
bool usage_decode(struct str body, struct usage *);

/* Between struct str and MDB_val (an initializer). */
#define VAL(s)                                                                 \
	{                                                                      \
		.mv_size = (s).n, .mv_data = (void *)(uintptr_t)(s).p          \
	}
#define STR_OF_VAL(v) ((struct str){ (v).mv_data, (v).mv_size })

static inline struct str
key_str(const struct row_key *k)
{
	return (struct str){ k->bytes, k->n };
}

#endif
