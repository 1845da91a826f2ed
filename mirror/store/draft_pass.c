/*
 * draft_pass.c - hashing what is here, and comparing it with a reference.
 *
 * Behind the front go two offsets: `hashed`, and `agreed` when there is a
 * reference.  A job moves each by at most PASS_BYTES, reading from the page
 * cache; as long as the front is ahead, the next job follows.  Both read for
 * themselves: only a draft whose predecessor was wrong is compared.  Readers
 * wait for a comparison, so it is done at once; for the digest they wait only
 * at the end, so until then hashing waits for PASS_WORTH bytes.
 *
 * The job reads `fd` and `spec`, uses the hasher, and writes into pass.job; the
 * loop takes the results from there.  A restart meanwhile makes them void: its
 * epoch tells.
 */
#include <stdlib.h>

#include "common/check.h"
#include "draft_int.h"

#define PASS_BYTES (1u << 20)
#define PASS_WORTH (256u << 10) /* the trip to another thread */
#define BUF_BYTES (256u << 10)

int
pass_init(struct draft_pass *p, enum digest_alg alg, struct err *err)
{
	p->hasher = hasher_new(alg);
	if (p->hasher == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for hashing a draft");
	return 0;
}

void
pass_done(struct draft_pass *p)
{
	hasher_free(p->hasher);
	shared_fd_unref(p->job.reference);
}

/* ---- on the loop -------------------------------------------------------- */

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct pass_range
range_up_to(uint64_t from, uint64_t limit)
{
	struct pass_range r = { from, smaller(limit, from + PASS_BYTES) };

	if (r.to < r.from)
		r.to = r.from;
	return r;
}

bool
pass_plan(struct draft *d)
{
	struct draft_pass *p = &d->pass;
	const struct draft *ref = p->reference;
	uint64_t front = draft_map_front(&d->map);
	struct pass_job job = { .epoch = p->epoch };

	job.hash = range_up_to(p->hashed, front);
	job.is_last = job.hash.to == d->map.size && !p->is_done;
	if (ref != NULL && ref->fd != NULL && !p->differs)
		job.compare = range_up_to(
		    p->agreed, smaller(front, draft_map_front(&ref->map)));
	if (job.hash.to - job.hash.from < PASS_WORTH && !job.is_last &&
	    job.compare.from == job.compare.to)
		return false;
	if (job.compare.from < job.compare.to)
		job.reference = shared_fd_ref(ref->fd);
	p->job = job;
	return true;
}

static bool
take_hash(struct draft_pass *p, const struct pass_job *job)
{
	p->hashed = job->hash.to;
	if (!job->is_last)
		return false;
	p->is_done = true;
	p->matches = job->matches;
	return true;
}

static bool
take_compare(struct draft_pass *p, const struct pass_job *job)
{
	if (job->reference == NULL || p->reference == NULL ||
	    p->reference->fd != job->reference)
		return false;
	p->agreed = job->compare.to;
	p->differs = job->differs;
	return true;
}

bool
pass_finish(struct draft *d, bool is_good)
{
	struct draft_pass *p = &d->pass;
	struct pass_job job = p->job;
	bool is_news = false;

	p->job = (struct pass_job){ 0 };
	if (job.epoch != p->epoch) {
		hasher_reset(p->hasher);
	} else if (is_good) {
		is_news = take_hash(p, &job);
		is_news |= take_compare(p, &job);
	}
	shared_fd_unref(job.reference);
	return is_news;
}

void
pass_restart(struct draft *d, bool is_running)
{
	struct draft_pass *p = &d->pass;

	p->epoch++;
	p->hashed = 0;
	p->is_done = p->matches = false;
	p->agreed = 0;
	p->differs = false;
	if (!is_running)
		hasher_reset(p->hasher);
}

/* ---- on a work thread --------------------------------------------------- */

static int
read_all(int fd, uint64_t offset, void *bytes, size_t n, struct err *err)
{
	ssize_t got = disk_read(fd, offset, bytes, n);

	if (got < 0)
		return err_errno(err, ERR_DISK, "can't read a draft back");
	if ((size_t)got < n)
		return err_set(err, ERR_DISK,
		    "a draft's file is shorter than what was written to it");
	return 0;
}

static int
hash_range(struct draft *d, char *buf, struct err *err)
{
	struct draft_pass *p = &d->pass;
	struct digest got;
	uint64_t at = p->job.hash.from;

	while (at < p->job.hash.to) {
		size_t n = (size_t)smaller(BUF_BYTES, p->job.hash.to - at);

		if (read_all(d->fd->fd, at, buf, n, err) != 0)
			return -1;
		hasher_add(p->hasher, buf, n);
		at += n;
	}
	if (p->job.is_last) {
		hasher_get(p->hasher, &got);
		p->job.matches = digest_equal(&got, &d->spec.digest);
	}
	return 0;
}

static size_t
equal_bytes(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	if (memcmp(a, b, n) == 0)
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

static int
compare_range(struct draft *d, char *buf, struct err *err)
{
	struct pass_job *job = &d->pass.job;
	char *ours = buf, *theirs = buf + BUF_BYTES / 2;
	uint64_t at = job->compare.from;

	while (at < job->compare.to && !job->differs) {
		size_t n = (size_t)smaller(BUF_BYTES / 2, job->compare.to - at);
		size_t same;

		if (read_all(d->fd->fd, at, ours, n, err) != 0 ||
		    read_all(job->reference->fd, at, theirs, n, err) != 0)
			return -1;
		same = equal_bytes(ours, theirs, n);
		job->differs = same < n;
		at += same;
	}
	job->compare.to = at;
	return 0;
}

int
pass_run(struct draft *d, struct err *err)
{
	char *buf = malloc(BUF_BYTES); /* a job's, since drafts may be many */
	int status;

	if (buf == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for hashing a draft");
	status = hash_range(d, buf, err);
	if (status == 0)
		status = compare_range(d, buf, err);
	free(buf);
	return status;
}
