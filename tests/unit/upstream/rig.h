/*
 * rig.h - upstreams on a running origin loop, and fetches that a test can wait
 * for.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <semaphore.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/map.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "upstream/fetch.h"
#include "upstream/upstream.h"

struct rig {
	struct loop *loop;
	struct work_pool *pool;
	struct upstreams *upstreams;
	struct config *config;
	char folder[64]; /* of the test's own, for its files */
};

/* YAML: what stands below "upstreams:" and "links:", a printf format. */
void rig_start(struct rig *);
void rig_stop(struct rig *);
void rig_config(struct rig *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs FN on the loop and waits for it. */
void rig_run(struct rig *, void (*fn)(void *arg), void *arg);
/* Writes a file into the rig's folder; PATH gets its name. */
void rig_file(
    struct rig *, const char *name, const void *, size_t, char path[256]);

/* One fetch, as its owner sees it. */
struct get {
	struct rig *rig;
	struct fetch_spec spec; /* target, strings, offset... */
	size_t upstream, endpoint;
	bool stop_at_head;
	uint64_t stop_at_bytes; /* once so many are in; 0: never */
	bool close_in_end;

	struct fetch *fetch;
	unsigned n_heads;
	struct fetch_head head; /* its strings: below */
	char content_type[128], etag[128], link[128];
	struct buf body;
	sem_t ended;
	enum fetch_result result;
	struct err err;
	uint64_t retry_after_ms;
};

/* A fetch of TARGET from the first endpoint of the first upstream. */
void get_init(struct get *, struct rig *, enum fetch_target,
    const char *repository, const char *reference);
void get_start(struct get *);
void get_wait(struct get *);
void get_close(struct get *);
/* All of it; the result. */
enum fetch_result get_run(struct get *);
void get_done(struct get *);

#define A_DIGEST                                                               \
	"sha256:"                                                              \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#endif
