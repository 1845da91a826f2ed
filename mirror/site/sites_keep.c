/*
 * sites_keep.c - when the sites' file is read and written.
 *
 * Read once, at the start.  Written by a work thread, keep_ms after the first
 * change since it was written last; at the end once more, when whoever was
 * still writing is done.  What can't be written is tried again with the next
 * change; who was seen when is not worth stopping for.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "loop/work.h"
#include "site_int.h"

struct sites_job {
	struct work work;
	struct sites *sites; /* NULL: gone; admin loop only */
	char *path;          /* owned */
	struct buf bytes;
	int status;
	struct err err;
	sem_t is_written; /* posted by the work thread */
};

static void
log_not_written(const struct err *err)
{
	log_error("sites not written", LOG_ERR(err));
}

/* ---- there and back ----------------------------------------------------- */

static void
job_run(struct work *w)
{
	struct sites_job *j = container_of(w, struct sites_job, work);

	j->status = file_replace(j->path, buf_str(&j->bytes), &j->err);
	check(sem_post(&j->is_written) == 0);
}

static void
job_free(struct sites_job *j)
{
	buf_done(&j->bytes);
	free(j->path);
	check(sem_destroy(&j->is_written) == 0);
	free(j);
}

static void
job_done(struct work *w)
{
	struct sites_job *j = container_of(w, struct sites_job, work);
	struct sites *ss = j->sites;

	if (j->status != 0)
		log_not_written(&j->err);
	if (ss != NULL) {
		ss->job = NULL;
		ss->is_changed |= j->status != 0;
		if (ss->is_changed)
			timer_set(&ss->timer, ss->keep_ms);
	}
	job_free(j);
}

/* NULL when out of memory. */
static struct sites_job *
job_new(struct sites *ss)
{
	struct sites_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	check(sem_init(&j->is_written, 0, 0) == 0);
	buf_init(&j->bytes, SITES_FILE_MAX);
	site_file_write(&j->bytes, ss);
	j->path = str_dup(str_of(ss->path));
	if (j->path == NULL || j->bytes.overflow) {
		job_free(j);
		return NULL;
	}
	j->work.home = ss->loop;
	j->work.run = job_run;
	j->work.done = job_done;
	j->sites = ss;
	return j;
}

static void
on_timer(void *arg)
{
	struct sites *ss = arg;

	ss->job = job_new(ss);
	if (ss->job == NULL) {
		timer_set(&ss->timer, ss->keep_ms);
		return;
	}
	ss->is_changed = false;
	work_submit(ss->pool, &ss->job->work);
}

/* ---- when --------------------------------------------------------------- */

void
sites_keep_load(struct sites *ss)
{
	struct buf bytes;
	struct err err;

	timer_init(&ss->timer, ss->loop, on_timer, ss);
	buf_init(&bytes, SITES_FILE_MAX);
	if (file_read(ss->path, &bytes, &err) == 0) {
		if (site_file_read(ss, buf_str(&bytes), clock_wall_s(), &err) !=
		    0)
			log_warn("the sites start anew",
			    LOG_Z("path", ss->path), LOG_ERR(&err));
	} else if (err.code != ERR_NOT_FOUND) {
		log_warn("the sites start anew", LOG_Z("path", ss->path),
		    LOG_ERR(&err));
	}
	buf_done(&bytes);
}

void
sites_keep_changed(struct sites *ss)
{
	ss->is_changed = true;
	if (ss->job == NULL && !timer_is_set(&ss->timer))
		timer_set(&ss->timer, ss->keep_ms);
}

/* The loop is joined: the job comes home to nobody. */
void
sites_keep_end(struct sites *ss)
{
	struct buf bytes;
	struct err err;

	timer_stop(&ss->timer);
	if (ss->job != NULL) {
		while (sem_wait(&ss->job->is_written) != 0)
			;
		ss->job->sites = NULL;
		ss->is_changed |= ss->job->status != 0;
	}
	if (!ss->is_changed)
		return;
	buf_init(&bytes, SITES_FILE_MAX);
	site_file_write(&bytes, ss);
	if (bytes.overflow)
		log_error("sites not written: no memory");
	else if (file_replace(ss->path, buf_str(&bytes), &err) != 0)
		log_not_written(&err);
	buf_done(&bytes);
}
