/*
 * draft_int.h - what draft*.c share.
 *
 * Threads: a draft is its owner's loop's.  What a job on a work thread may
 * touch meanwhile is said there; there is one job at a time.
 */
#ifndef STORE_DRAFT_INT_H
#define STORE_DRAFT_INT_H

#include "loop/work.h"
#include "store/draft.h"
#include "store_int.h"

/* ---- draft_map.c: which bytes are here ---------------------------------- */

#define SIZE_UNKNOWN UINT64_MAX
#define DRAFT_SIZE_MAX (1ull << 40)

struct extent {
	uint64_t start, end;
};

/*
 * In memory exact to the byte, as extents: sorted, no two touch.  On disk one
 * bit per chunk that is here as a whole; the chunk at the size ends there.
 */
struct draft_map {
	int fd; /* owned; -1: not kept on disk */
	uint64_t size;
	struct extent *extents; /* owned */
	size_t n_extents, cap_extents;
	uint64_t n_bytes; /* in all extents */
	uint8_t *bits;    /* owned; as on disk */
	size_t n_bits;    /* bytes of it */
};

void draft_map_init(struct draft_map *);
void draft_map_done(struct draft_map *);
/* Takes FD.  Reads what is there; -1 when that is nothing that can be resumed
 * with a file of FILE_BYTES. */
int draft_map_load(struct draft_map *, int fd, uint64_t file_bytes);
/* Takes FD, of an empty file. */
void draft_map_create(struct draft_map *, int fd);
/* Notes that [START, END) is here now. */
err_checked int draft_map_add(
    struct draft_map *, uint64_t start, uint64_t end, struct err *err);
/* False when bytes behind SIZE are here. */
bool draft_map_fits(const struct draft_map *, uint64_t size);
void draft_map_set_size(struct draft_map *, uint64_t size); /* it fits */
void draft_map_clear(struct draft_map *); /* no bytes, size unknown */
/* On disk only: what is here can't be resumed any more. */
void draft_map_forget(struct draft_map *);
uint64_t draft_map_front(const struct draft_map *);
uint64_t draft_map_resumable(const struct draft_map *); /* bytes */
bool draft_map_gap(
    const struct draft_map *, uint64_t from, uint64_t *start, uint64_t *end);

/* ---- draft_pass.c: hashing and comparing behind the front --------------- */

struct pass_range {
	uint64_t from, to;
};

/* What one job is to do, and then what it found. */
struct pass_job {
	unsigned epoch;
	struct pass_range hash;
	bool is_last; /* hash.to is the size: get the digest */
	bool matches;
	struct shared_fd *reference; /* counted; NULL: nothing to compare */
	struct pass_range compare;
	bool differs; /* at compare.to */
};

struct draft_pass {
	struct hasher *hasher; /* owned; the job's while one runs */
	unsigned epoch;        /* counts restarts */
	uint64_t hashed;
	bool is_done; /* all hashed, `matches` is known */
	bool matches;
	const struct draft *reference; /* borrowed until draft_compare() */
	uint64_t agreed;
	bool differs;
	struct pass_job job;
};

err_checked int pass_init(
    struct draft_pass *, enum digest_alg, struct err *err);
void pass_done(struct draft_pass *);
/* Notes a job if there is something to do. */
bool pass_plan(struct draft *);
err_checked int pass_run(struct draft *, struct err *err); /* work thread */
/* Takes the job's results, if it went well.  True when the owner wants to
 * know. */
bool pass_finish(struct draft *, bool is_good);
void pass_restart(struct draft *, bool is_running);

/* ---- draft_disk.c: jobs; work threads ----------------------------------- */

#define DRAFT_NAME_MAX 160

enum draft_job { JOB_OPEN, JOB_PASS, JOB_KEEP, JOB_REMOVE };

void draft_names(struct draft *);
err_checked int draft_disk_open(struct draft *, struct err *err);
err_checked int draft_disk_keep(struct draft *, struct err *err);
void draft_disk_remove(struct draft *);

/* ---- draft.c ------------------------------------------------------------ */

enum draft_end { DRAFT_OWNED, DRAFT_LEFT, DRAFT_DROPPED };

struct draft {
	struct draft_spec spec;
	struct store *store;    /* counted */
	enum draft_state state; /* draft_move() only */
	enum draft_end end;
	struct err error;
	char name[DRAFT_NAME_MAX]; /* in drafts/ */
	char map_name[DRAFT_NAME_MAX + 4];
	struct shared_fd *fd; /* counted; set in OPEN and later */
	bool was_resumed;
	uint64_t wanted_size; /* set while OPENING; SIZE_UNKNOWN */
	struct draft_map map;
	struct draft_pass pass;

	/* The job.  `waits`: letters that are still to come (a job's own, and
	 * in KEEPING the index's). */
	struct work work;
	enum draft_job job;
	unsigned waits;
	struct err job_error; /* ERR_NONE: it went well */
	bool is_public;
	struct index_batch *batch; /* owned until the job commits it */
};

void draft_on_committed(void *arg, const struct err *err);

#endif
