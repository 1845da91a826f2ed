/*
 * open_blobs.c - blobs that were lately sent, their files kept open.
 *
 * A table with one place for each hash: who comes to a place that is taken
 * replaces what is there.  The timer runs only while something is kept.
 *
 * A file system's times move in steps, so of a file that has just changed, the
 * next change could go unnoticed: it is not kept before it has settled.
 */
#include "store/open_blobs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define PLACES 128 /* descriptors of one loop, at most */
#define SWEEP_MS 2000
#define SETTLED_S 3 /* more than the longest step */

struct place {
	struct digest digest;
	struct shared_fd *file; /* counted; NULL: free */
	struct timespec changed;
	bool is_used; /* since the last sweep */
};

struct open_blobs {
	struct store *store; /* borrowed; outlives us */
	struct timer sweep;
	struct place places[PLACES];
};

static void
place_clear(struct place *p)
{
	shared_fd_unref(p->file);
	p->file = NULL;
}

static void
on_sweep(void *arg)
{
	struct open_blobs *o = arg;
	bool is_empty = true;

	for (size_t i = 0; i < PLACES; i++) {
		struct place *p = &o->places[i];

		if (!p->is_used)
			place_clear(p);
		p->is_used = false;
		is_empty = is_empty && p->file == NULL;
	}
	if (!is_empty)
		timer_set(&o->sweep, SWEEP_MS);
}

struct open_blobs *
open_blobs_new(struct store *s, struct loop *loop, struct err *err)
{
	struct open_blobs *o = calloc(1, sizeof(*o));

	if (o == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for open files");
		return NULL;
	}
	o->store = s;
	timer_init(&o->sweep, loop, on_sweep, o);
	return o;
}

void
open_blobs_free(struct open_blobs *o)
{
	if (o == NULL)
		return;
	timer_stop(&o->sweep);
	for (size_t i = 0; i < PLACES; i++)
		place_clear(&o->places[i]);
	free(o);
}

static bool
is_for(const struct place *p, const struct digest *d)
{
	return p->file != NULL && digest_equal(&p->digest, d);
}

/* Is the kept file still the one that the blob's name leads to? */
static bool
is_as_it_was(const struct place *p, uint64_t size)
{
	struct stat st;

	return fstat(p->file->fd, &st) == 0 && st.st_nlink > 0 &&
	    (uint64_t)st.st_size == size &&
	    st.st_ctim.tv_sec == p->changed.tv_sec &&
	    st.st_ctim.tv_nsec == p->changed.tv_nsec;
}

static void
place_keep(struct place *p, const struct digest *d, struct shared_fd *file)
{
	struct stat st;

	place_clear(p);
	if (fstat(file->fd, &st) != 0 ||
	    clock_wall_s() - st.st_ctim.tv_sec < SETTLED_S)
		return;
	p->digest = *d;
	p->file = shared_fd_ref(file);
	p->changed = st.st_ctim;
	p->is_used = true;
}

struct shared_fd *
open_blobs_get(struct open_blobs *o, const struct digest *d, uint64_t size,
    struct err *err)
{
	struct place *p = &o->places[d->bytes[0] % PLACES];
	struct shared_fd *file;

	if (is_for(p, d) && is_as_it_was(p, size)) {
		p->is_used = true;
		return shared_fd_ref(p->file);
	}
	place_clear(p);
	file = blob_open(o->store, d, size, err);
	if (file == NULL)
		return NULL;
	place_keep(p, d, file);
	if (!timer_is_set(&o->sweep))
		timer_set(&o->sweep, SWEEP_MS);
	return file;
}
