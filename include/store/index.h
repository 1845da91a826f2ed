/*
 * index.h - what is where: blobs, manifests, tags, membership, documents.
 *
 * LMDB behind it; only index*.c know that.  What binds us of its caveats: a
 * read transaction belongs to one thread and, while open, keeps old pages from
 * being reused, so it is reset before the callback that renewed it returns;
 * pointers into the map die with it; one environment per process; the map is
 * reserved large at open (64 GiB, virtual).  LMDB 0.9 has no check sums: every
 * value carries a CRC-32C of key and value; one that does not match is treated
 * as absent and counted.
 *
 * A scope is "upstream/repository", at most 255 bytes.
 *
 * Reading: one index_reader per thread.  The find functions renew it when
 * needed; what they return points into the map and is valid until
 * index_release(), which every callback that used it must call before it
 * returns or sends anything.
 *
 * Writing: build an index_batch, then index_commit() hands it to the writer
 * thread, which puts all that is waiting into one transaction (group commit,
 * durable) and then posts DONE to each batch's home loop.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"
#include "loop/loop.h"

#define INDEX_SCOPE_MAX 255
#define INDEX_INLINE_MANIFEST (64u << 10) /* larger ones: from files */

struct index_batch;
struct index_reader;
struct store;

/* ---- reading ------------------------------------------------------------ */

/* To be freed before store_close(). */
struct index_reader *index_reader_new(struct store *, struct err *err);
void index_reader_free(struct index_reader *); /* NULL is fine */
void index_release(struct index_reader *);

struct blob_row {
	uint64_t size;
	int64_t stored_at; /* s, wall */
	bool is_public;    /* seen in an upstream that is public */
};
bool index_find_blob(
    struct index_reader *, const struct digest *, struct blob_row *);

struct manifest_row {
	struct str media_type; /* as received */
	struct str bytes;      /* p == NULL: over INDEX_INLINE_MANIFEST */
	uint64_t size;
};
bool index_find_manifest(
    struct index_reader *, const struct digest *, struct manifest_row *);

struct tag_row {
	struct digest digest;
	int64_t confirmed_at; /* s, wall: when the upstream last said so */
};
bool index_find_tag(
    struct index_reader *, struct str scope, struct str tag, struct tag_row *);

/* What a repository is known to hold, by its manifests or by a HEAD. */
struct member_row {
	uint64_t size; /* 0: not known */
};
bool index_find_member(struct index_reader *, struct str scope,
    const struct digest *, struct member_row *);

enum document_kind { DOCUMENT_TAGS = 1, DOCUMENT_REFERRERS = 2 };
struct document_row {
	struct str bytes;
	int64_t confirmed_at;
};
/* KEY: for tags empty, for referrers the digest's text. */
bool index_find_document(struct index_reader *, enum document_kind,
    struct str scope, struct str key, struct document_row *);

/*
 * Pins: a release's claims on digests.  What of a release is here is counted in
 * the transaction that stores, forgets, pins or unpins a digest; index_pin.c.
 */
#define INDEX_RELEASE_MAX 160 /* bytes of a release's name */

struct pin_row {
	uint64_t size; /* as a manifest says; 0: not known */
	uint8_t part;  /* the release's business */
	bool is_open;  /* a manifest whose content is not pinned yet */
	bool is_here;  /* kept by the index */
};
struct pin_counts {
	uint64_t n_digests;
	uint64_t n_missing;
	uint64_t n_open; /* complete: none missing, none open */
	uint64_t bytes;
	uint64_t missing_bytes;
};
/* False: it has no pins. */
bool index_find_counts(
    struct index_reader *, struct str release, struct pin_counts *);
bool index_find_pin(struct index_reader *, struct str release,
    const struct digest *, struct pin_row *);
/* A page of a release's pins, in order, from the first behind AFTER (NULL: from
 * the first). */
struct pin {
	struct digest digest;
	struct pin_row row;
};
size_t index_list_pins(struct index_reader *, struct str release,
    const struct digest *after, struct pin *out, size_t max);
/* The name behind AFTER of one that has pins, terminated; false: none. */
bool index_next_release(
    struct index_reader *, struct str after, char out[INDEX_RELEASE_MAX + 1]);
bool index_is_pinned(struct index_reader *, const struct digest *);
/* Each release that pins the digest, in order. */
typedef void index_pinner_fn(void *arg, struct str release);
void index_each_pinner(
    struct index_reader *, const struct digest *, index_pinner_fn *, void *arg);

/* Rows found with a wrong check sum, since the store was opened.  Any thread.
 */
uint64_t index_n_damaged(const struct store *);

/* ---- writing ------------------------------------------------------------ */

#define INDEX_BATCH_MAX (64u << 20) /* bytes */

/* A batch belongs to one thread until it is given away.  Adding to it never
 * fails: one that found no memory is refused by index_commit(). */
struct index_batch *index_batch_new(void);   /* NULL when out of memory */
void index_batch_free(struct index_batch *); /* NULL is fine */

/* PUBLIC once is public for ever: the flag is or-ed into the row. */
void index_batch_blob(
    struct index_batch *, const struct digest *, uint64_t size, bool is_public);
/* Marks a blob that is there already as seen in a public upstream. */
void index_batch_public(struct index_batch *, const struct digest *);
/* BYTES over INDEX_INLINE_MANIFEST are not copied, their size is. */
void index_batch_manifest(struct index_batch *, const struct digest *,
    struct str media_type, struct str bytes);
void index_batch_tag(struct index_batch *, struct str scope, struct str tag,
    const struct tag_row *);
void index_batch_forget_tag(
    struct index_batch *, struct str scope, struct str tag);
/* SIZE 0 leaves a known size alone. */
void index_batch_member(struct index_batch *, struct str scope,
    const struct digest *, uint64_t size);
void index_batch_document(struct index_batch *, enum document_kind,
    struct str scope, struct str key, const struct document_row *);
/* Blob and manifest rows of a digest that is not stored any more. */
void index_batch_forget(struct index_batch *, const struct digest *);

/* Pins, or pins anew with another size, part or is_open; is_here is seen to. */
void index_batch_pin(struct index_batch *, struct str release,
    const struct digest *, const struct pin_row *);
void index_batch_unpin(
    struct index_batch *, struct str release, const struct digest *);

typedef void index_done_fn(void *arg, const struct err *err); /* NULL: good */

/* Takes the batch.  DONE may be NULL; else it is called on HOME.  The batches
 * of one thread are carried out in its order; within one, marks of
 * index_batch_public() come last.  Any thread. */
void index_commit(struct store *, struct index_batch *, struct loop *home,
    index_done_fn *done, void *arg);

/* ---- watching ----------------------------------------------------------- */

/* A pinned digest came, or was lost. */
struct pin_change {
	struct digest digest;
	bool is_here;
};
typedef void index_watch_fn(void *arg, const struct pin_change *, size_t n);
/* FN is called on HOME after each commit that changed something pinned; n is
 * 0 when there was no memory to say what.  One watcher; before the loops start
 * (FN NULL: none, after HOME was joined). */
void index_watch(
    struct store *, struct loop *home, index_watch_fn *fn, void *arg);

#endif
