/*
 * draft.c - the life of a draft (draft.h has the states).
 *
 * There is one job at a time on a work thread: open, pass (hash and compare),
 * keep, remove.  When its letter comes back, the loop takes the results, starts
 * the next job and only then wakes the owner, who may close the draft in the
 * callback: after on_event() nothing here touches it.
 *
 * Who leaves or drops a draft while a job runs hears no more of it; the letter
 * finds `end` set and goes on from there: remove the files if they are not to
 * stay, then free.  A draft that is being kept becomes a blob all the same; one
 * that is dropped while it is being opened is left instead, since nobody has
 * found its bytes wrong, and the next draft of its digest may have them open.
 *
 * draft_bytes of the store counts what is here of all drafts; of one that was
 * left, what can be resumed.
 */
#include "store/draft.h"

#include <stdlib.h>

#include "common/check.h"
#include "draft_int.h"

/* clang-format off */
#define TO(s) (1u << DRAFT_##s)
static const unsigned next_states[] = {
	[DRAFT_OPENING] = TO(OPEN) | TO(BROKEN),
	[DRAFT_OPEN]    = TO(KEEPING) | TO(BROKEN),
	[DRAFT_KEEPING] = TO(KEPT) | TO(BROKEN),
	[DRAFT_KEPT]    = 0,
	[DRAFT_BROKEN]  = 0,
};
#undef TO
/* clang-format on */

/* The only place that writes d->state. */
static void
draft_move(struct draft *d, enum draft_state to)
{
	check(next_states[d->state] & (1u << to));
	d->state = to;
}

static void
draft_break(struct draft *d, const struct err *why)
{
	d->error = *why;
	draft_move(d, DRAFT_BROKEN);
}

static void
count_bytes(struct draft *d, uint64_t before, uint64_t now)
{
	atomic_fetch_add_explicit(
	    &d->store->draft_bytes, now - before, memory_order_relaxed);
}

/* ---- jobs --------------------------------------------------------------- */

static int
commit(struct draft *d, struct err *err)
{
	if (d->batch == NULL)
		d->batch = index_batch_new();
	if (d->batch == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a batch");
	index_batch_blob(d->batch, &d->spec.digest, d->map.size, d->is_public);
	index_commit(d->store, d->batch, d->spec.loop, draft_on_committed, d);
	d->batch = NULL;
	return 0;
}

static void
run_job(struct work *w)
{
	struct draft *d = container_of(w, struct draft, work);
	int status = 0;

	d->job_error.code = ERR_NONE;
	switch (d->job) {
	case JOB_OPEN:
		status = draft_disk_open(d, &d->job_error);
		break;
	case JOB_PASS:
		status = pass_run(d, &d->job_error);
		break;
	case JOB_KEEP:
		status = draft_disk_keep(d, &d->job_error);
		if (status == 0)
			status = commit(d, &d->job_error);
		break;
	case JOB_REMOVE:
		draft_disk_remove(d);
		break;
	}
	check((status == 0) == (d->job_error.code == ERR_NONE));
}

static void on_job(struct work *);

static void
start_job(struct draft *d, enum draft_job job, unsigned waits)
{
	check(d->waits == 0);
	d->job = job;
	d->waits = waits;
	d->work.home = d->spec.loop;
	d->work.run = run_job;
	d->work.done = on_job;
	work_submit(d->store->pool, &d->work);
}

/* ---- the end ------------------------------------------------------------ */

static void
draft_free(struct draft *d)
{
	bool stays = d->end == DRAFT_LEFT && d->map.fd >= 0;

	if (d->state != DRAFT_KEPT)
		count_bytes(d, d->map.n_bytes,
		    stays ? draft_map_resumable(&d->map) : 0);
	index_batch_free(d->batch);
	pass_done(&d->pass);
	draft_map_done(&d->map);
	shared_fd_unref(d->fd);
	store_unref(d->store);
	free(d);
}

/* Nobody owns it, nothing runs for it. */
static void
draft_finish(struct draft *d)
{
	bool stays = d->state == DRAFT_KEPT ||
	    (d->end == DRAFT_LEFT && d->spec.copy == 0 &&
		draft_map_resumable(&d->map) > 0);

	if (stays || d->fd == NULL || d->job == JOB_REMOVE ||
	    atomic_load(&d->store->is_closing))
		draft_free(d);
	else
		start_job(d, JOB_REMOVE, 1);
}

static void
draft_close(struct draft *d, enum draft_end end)
{
	if (d == NULL)
		return;
	check(d->end == DRAFT_OWNED);
	if (d->state == DRAFT_OPENING)
		end = DRAFT_LEFT;
	if (end == DRAFT_DROPPED)
		draft_map_forget(&d->map);
	d->end = end;
	d->pass.reference = NULL;
	atomic_fetch_sub(&d->store->n_drafts, 1);
	if (d->waits == 0)
		draft_finish(d);
}

void
draft_leave(struct draft *d)
{
	draft_close(d, DRAFT_LEFT);
}

void
draft_drop(struct draft *d)
{
	draft_close(d, DRAFT_DROPPED);
}

/* ---- results ------------------------------------------------------------ */

/* Lets the hash follow the front. */
static void
draft_follow(struct draft *d)
{
	if (d->state != DRAFT_OPEN || d->end != DRAFT_OWNED || d->waits > 0 ||
	    atomic_load(&d->store->is_closing))
		return;
	if (pass_plan(d))
		start_job(d, JOB_PASS, 1);
}

static void
take_opened(struct draft *d)
{
	if (d->job_error.code != ERR_NONE) {
		draft_break(d, &d->job_error);
		return;
	}
	draft_move(d, DRAFT_OPEN);
	if (d->end == DRAFT_OWNED && d->wanted_size != SIZE_UNKNOWN)
		draft_set_size(d, d->wanted_size);
}

static bool
take_pass(struct draft *d)
{
	bool is_good = d->job_error.code == ERR_NONE;
	bool is_news = pass_finish(d, is_good);

	if (!is_good)
		draft_break(d, &d->job_error);
	return is_news || !is_good;
}

/* The last of the two letters, or the job's when it failed: then the index
 * was never asked. */
static bool
take_kept(struct draft *d)
{
	if (d->job_error.code != ERR_NONE)
		d->waits = 0;
	if (d->waits > 0)
		return false;
	if (d->job_error.code != ERR_NONE) {
		draft_break(d, &d->job_error);
	} else if (d->error.code != ERR_NONE) {
		draft_move(d, DRAFT_BROKEN);
	} else {
		count_bytes(d, d->map.n_bytes, 0);
		draft_move(d, DRAFT_KEPT);
	}
	return true;
}

static void
on_letter(struct draft *d)
{
	bool is_news = true;

	d->waits--;
	switch (d->job) {
	case JOB_OPEN:
		take_opened(d);
		break;
	case JOB_PASS:
		is_news = take_pass(d);
		break;
	case JOB_KEEP:
		is_news = take_kept(d);
		break;
	case JOB_REMOVE:
		break;
	}
	if (d->state == DRAFT_KEEPING && d->waits == 0 &&
	    !atomic_load(&d->store->is_closing))
		start_job(d, JOB_KEEP, 2); /* had waited for a pass */
	if (d->end != DRAFT_OWNED) {
		if (d->waits == 0)
			draft_finish(d);
		return;
	}
	draft_follow(d);
	if (is_news)
		d->spec.on_event(d->spec.arg); /* may close d */
}

static void
on_job(struct work *w)
{
	on_letter(container_of(w, struct draft, work));
}

void
draft_on_committed(void *arg, const struct err *err)
{
	struct draft *d = arg;

	if (err != NULL)
		d->error = *err;
	on_letter(d);
}

/* ---- birth -------------------------------------------------------------- */

struct draft *
draft_open(const struct draft_spec *spec, struct err *err)
{
	struct draft *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a draft");
		return NULL;
	}
	d->spec = *spec;
	d->store = store_ref(spec->store);
	d->state = DRAFT_OPENING;
	d->wanted_size = SIZE_UNKNOWN;
	draft_map_init(&d->map);
	draft_names(d);
	atomic_fetch_add(&d->store->n_drafts, 1);
	start_job(d, JOB_OPEN, 1);
	return d;
}

/* ---- its owner's -------------------------------------------------------- */

enum draft_state
draft_state(const struct draft *d)
{
	return d->state;
}

const struct err *
draft_error(const struct draft *d)
{
	check(d->state == DRAFT_BROKEN);
	return &d->error;
}

struct shared_fd *
draft_fd(const struct draft *d)
{
	check(d->state != DRAFT_OPENING);
	return d->fd;
}

bool
draft_was_resumed(const struct draft *d)
{
	check(d->state != DRAFT_OPENING);
	return d->was_resumed;
}

void
draft_set_size(struct draft *d, uint64_t size)
{
	if (d->state == DRAFT_OPENING) {
		d->wanted_size = size;
		return;
	}
	check(d->state == DRAFT_OPEN);
	if (d->map.size == size)
		return;
	if (d->map.size != SIZE_UNKNOWN || !draft_map_fits(&d->map, size))
		draft_restart(d);
	draft_map_set_size(&d->map, size);
	draft_follow(d);
}

uint64_t
draft_size(const struct draft *d)
{
	uint64_t size =
	    d->state == DRAFT_OPENING ? d->wanted_size : d->map.size;

	return size == SIZE_UNKNOWN ? 0 : size;
}

int
draft_write(struct draft *d, uint64_t offset, const void *bytes, size_t n,
    struct err *err)
{
	uint64_t before, limit;

	check(d->state == DRAFT_OPEN);
	if (n == 0)
		return 0;
	before = d->map.n_bytes;
	limit = d->map.size < DRAFT_SIZE_MAX ? d->map.size : DRAFT_SIZE_MAX;
	if (offset > limit || n > limit - offset)
		return err_set(err, ERR_TOO_LARGE,
		    "more bytes came for the draft %s than it is to have",
		    d->name);
	if (disk_write(d->fd->fd, offset, bytes, n) != 0)
		return err_errno(err, ERR_DISK,
		    "can't write the draft %s/drafts/%s", d->store->path,
		    d->name);
	if (draft_map_add(&d->map, offset, offset + n, err) != 0)
		return -1;
	count_bytes(d, before, d->map.n_bytes);
	draft_follow(d);
	return 0;
}

uint64_t
draft_front(const struct draft *d)
{
	return d->state == DRAFT_OPENING ? 0 : draft_map_front(&d->map);
}

bool
draft_gap(const struct draft *d, uint64_t from, uint64_t *start, uint64_t *end)
{
	check(d->state != DRAFT_OPENING);
	return draft_map_gap(&d->map, from, start, end);
}

/* The old bytes stay in the file, to be written over: readers may be at them,
 * and giving back a large file's blocks takes a disk its time. */
void
draft_restart(struct draft *d)
{
	uint64_t size = d->map.size;

	check(d->state == DRAFT_OPEN);
	count_bytes(d, d->map.n_bytes, 0);
	draft_map_clear(&d->map);
	if (size != SIZE_UNKNOWN)
		draft_map_set_size(&d->map, size);
	pass_restart(d, d->waits > 0);
}

bool
draft_is_hashed(const struct draft *d)
{
	return d->pass.is_done;
}

bool
draft_matches(const struct draft *d)
{
	check(d->pass.is_done);
	return d->pass.matches;
}

void
draft_compare(struct draft *d, const struct draft *reference)
{
	check(reference == NULL || reference->state != DRAFT_OPENING);
	d->pass.reference = reference;
	d->pass.agreed = 0;
	d->pass.differs = false;
	draft_follow(d);
}

uint64_t
draft_agreed(const struct draft *d)
{
	return d->pass.agreed;
}

bool
draft_differs(const struct draft *d)
{
	return d->pass.differs;
}

void
draft_keep(struct draft *d, bool is_public, struct index_batch *batch)
{
	check(d->state == DRAFT_OPEN);
	check(draft_is_hashed(d) && draft_matches(d));
	d->is_public = is_public;
	d->batch = batch;
	draft_move(d, DRAFT_KEEPING);
	if (d->waits == 0)
		start_job(d, JOB_KEEP, 2);
}
