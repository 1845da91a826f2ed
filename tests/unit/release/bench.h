/*
 * bench.h - releases over a real store and a real upstream (an OCI layout), for
 * tests.  The test's thread is the callers' loop; the origin loop, work threads
 * and the index's thread are real.
 */
#ifndef RELEASE_TEST_BENCH_H
#define RELEASE_TEST_BENCH_H

#include "../store/fixture.h"

#include <semaphore.h>

#include "cache/cache.h"
#include "loop/work.h"
#include "release/releases.h"
#include "upstream/upstream.h"

#define N_IMAGES 8
#define N_SHARED 3
#define N_PARTS 64

struct part {
	struct digest digest;
	size_t n;
};

/* An image and all that it consists of, itself first. */
struct made {
	struct part parts[8];
	size_t n_parts;
};

struct bench {
	struct fixture *f; /* its loop is the callers' home */
	struct loop *origin;
	struct work_pool *pool;
	struct upstreams *upstreams;
	struct cache *cache;
	struct releases *releases;
	struct made images[N_IMAGES];
	struct letter closing;
	sem_t closed;
	unsigned n_answers;
	struct release_call call; /* the last */
	struct release_summary now;
};

/* For cmocka: *state is a bench whose mirror runs. */
int setup(void **state);
int teardown(void **state);
void open_mirror(struct bench *b);
void close_mirror(struct bench *b);

/* Waits for the answer, which is in b->call until the next. */
void call_as(struct bench *b, const char *name, enum release_verb verb,
    struct release_list *list);
void call(struct bench *b, enum release_verb verb,
    struct release_list *list); /* of "r" */
/* Images of which a bit is set. */
struct release_list *list_of(struct bench *b, unsigned which);
void put_as(struct bench *b, const char *name, unsigned which);
void put(struct bench *b, unsigned which);
void await_ready(struct bench *b);

/* What a walk of our own finds, each once. */
struct parts {
	struct part all[N_PARTS];
	size_t n;
};
void parts_of(struct bench *b, unsigned which, struct parts *out);
/* What is counted is what is there. */
void assert_whole(struct bench *b, unsigned which);

#endif
