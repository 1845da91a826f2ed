/*
 * fixture.h - a store in a folder of its own, for tests.
 *
 * The test's thread is the loop's thread: AWAIT runs callbacks of the loop
 * until something is true.  Work threads and the index's thread are real.
 */
#ifndef STORE_TEST_FIXTURE_H
#define STORE_TEST_FIXTURE_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/metrics.h"
#include "loop/loop.h"
#include "store/blob.h"
#include "store/draft.h"
#include "store/index.h"
#include "store/store.h"

struct fixture {
	char path[64]; /* the store is PATH/store */
	char store_path[80];
	struct loop *loop;
	struct store *store;   /* NULL: closed */
	unsigned n_events;     /* of drafts */
	unsigned n_done;       /* of batches and puts */
	struct err done_error; /* of the last batch that failed */
};

/* For cmocka: *state is a fixture whose store is open. */
int set_up(void **state);
int tear_down(void **state);

void open_store(struct fixture *);
void close_store(struct fixture *);
/* The store can't be opened: with TEXT in the sentence. */
void assert_refused(struct fixture *, const char *text);

/* Runs callbacks that have been posted; waits for the first one. */
void run_loop(struct fixture *);
#define AWAIT(f, condition)                                                    \
	do {                                                                   \
		while (!(condition))                                           \
			run_loop(f);                                           \
	} while (0)

/* N bytes that differ by SEED; free() them. */
char *make_bytes(size_t n, unsigned seed);
struct digest digest_for(const void *, size_t n);
/* PATH/store/NAME. */
const char *path_of(struct fixture *, const char *name);
const char *blob_path(struct fixture *, const struct digest *);
bool is_there(const char *path);
unsigned count_files(const char *folder);
void write_file(const char *path, const void *, size_t n);
/* Runs a command line of /bin/sh; its exit status. */
int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Commits and waits; the error, or NULL. */
const struct err *commit(struct fixture *, struct index_batch *);

struct blob {
	char *bytes; /* owned */
	size_t n;
	struct digest digest;
};
struct blob make_blob(size_t n, unsigned seed); /* free(bytes) */
unsigned n_drafts(struct fixture *);            /* files in drafts/ */
uint64_t draft_bytes(struct fixture *);

struct draft *start_draft(
    struct fixture *, const struct digest *, unsigned copy);
struct draft *open_draft(struct fixture *, const struct digest *); /* waits */
void write_all(struct draft *, uint64_t offset, const void *, size_t n);
/* Waits until it is hashed, matches and is kept. */
void keep_draft(struct fixture *, struct draft *);
/* The stored bytes are these. */
void assert_stored(struct fixture *, const void *, size_t n);

#endif
