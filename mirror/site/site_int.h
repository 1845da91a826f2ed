/*
 * site_int.h - what the files of sites share: the rows that serve loops send,
 * and the memory of one site.
 */
#ifndef SITE_SITE_INT_H
#define SITE_SITE_INT_H

#include "common/buf.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "site/pulls.h"
#include "site/site.h"

/* What one site asked for, how often. */
struct pull_row {
	uint64_t what; /* hash of what was asked for, and of HEAD or GET */
	struct site_id site;
	struct digest digest;   /* asked for; alg 0: a tag */
	struct digest manifest; /* sent whole; alg 0: none */
	uint8_t outcome;        /* enum pull_outcome, the last that says much */
	uint16_t status;        /* of the last bad one */
	uint32_t n_requests;
	uint32_t n_bad;
	uint64_t bytes;
	struct pull_tally tally;
	char scope[PULL_SCOPE_MAX + 1];
	char tag[PULL_TAG_MAX + 1];
};

/* Called by pulls: on the admin loop, or when all loops were joined. */
void sites_take(struct sites *, const struct pull_row *rows, size_t n);
struct loop *sites_loop(const struct sites *);

/* ---- the sites (sites.c) ------------------------------------------------ */

struct sites_job;

struct sites {
	struct loop *loop;
	struct work_pool *pool;
	char *path; /* owned */
	uint64_t keep_ms;
	struct site *by_name[SITES_MAX];
	sites_tap_fn *tap; /* NULL: nobody listens */
	void *tap_arg;
	size_t n;
	size_t n_rows; /* of all sites */
	struct site *oldest, *newest;
	struct config *config; /* counted: what rings are of; NULL: none */
	uint64_t n_configs;
	struct timer timer;    /* a change waits to be written */
	struct sites_job *job; /* the file is being written; NULL: it is not */
	bool is_changed;
};

struct site *site_new(const char *name); /* NULL when out of memory */
void site_free(struct site *);           /* NULL is fine */
/* As seen last; there is room and no site of that name. */
void sites_add(struct sites *, struct site *);
void sites_forget(struct sites *, struct site *); /* and frees it */

/* ---- what a site pulled (site_rows.c) ----------------------------------- */

struct site_row {        /* 12 bytes: there may be a million */
	uint32_t key[2]; /* of its digest; lower half first */
	uint32_t at;     /* s, wall */
};

/* A digest's first bytes name it: no two manifests have the same. */
uint64_t site_digest_key(const struct digest *);
uint64_t site_row_key(const struct site_row *);
/* Puts the time beside the digest; when it must be, an older one makes room:
 * the site's own, or, while that has few, one of the site not seen for
 * longest. */
void site_rows_put(struct sites *, struct site *, uint64_t key, uint32_t at);

/* ---- the file (site_file.c, sites_keep.c) ------------------------------- */

#define SITES_FILE_MAX (64u << 20) /* bytes */

/* The sites as they are kept. */
void site_file_write(struct buf *out, const struct sites *);
/* Adds those of BYTES; no time is later than NOW: clocks step.  -1: it is no
 * such file, or broken, and nothing was added. */
err_checked int site_file_read(
    struct sites *, struct str bytes, int64_t now, struct err *err);

void sites_keep_load(struct sites *);
void sites_keep_changed(struct sites *);
void sites_keep_end(struct sites *);

#endif
