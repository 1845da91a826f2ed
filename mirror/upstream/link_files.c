/*
 * link_files.c - what is spent of a quota, in FOLDER/quota-<link>.
 *
 * A link's file is read once, before anything is spent, and replaced whenever
 * the quota wants more.  A file that can't be read counts as all spent: too
 * little is never counted.  The work has all it needs, so the link's state may
 * be gone when it comes home.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "loop/work.h"
#include "pace_int.h"
#include "upstream_int.h"

#define AGAIN_MS 1000
#define FILE_MAX_BYTES 8192u

struct link_job {
	struct work work;
	struct link_state *state; /* NULL: gone; origin loop only */
	bool is_write;
	char path[512];
	char text[QUOTA_TEXT_MAX];
	int status;
	struct err err;
};

/* ---- on a work thread --------------------------------------------------- */

static int
read_text(struct link_job *j)
{
	struct buf buf;
	int rc;

	buf_init(&buf, FILE_MAX_BYTES);
	rc = file_read(j->path, &buf, &j->err);
	(void)snprintf(
	    j->text, sizeof(j->text), "%.*s", STR_ARG(buf_str(&buf)));
	buf_done(&buf);
	return rc;
}

static void
job_run(struct work *w)
{
	struct link_job *j = container_of(w, struct link_job, work);

	j->status = j->is_write
	    ? file_replace(j->path, str_of(j->text), &j->err)
	    : read_text(j);
}

/* ---- back home ---------------------------------------------------------- */

static void
take_text(struct link_state *s, const struct link_job *j)
{
	struct quota *q = &s->link.quota;
	struct err err = j->err;

	s->was_read = true;
	if (j->status != 0 && err.code == ERR_NOT_FOUND)
		return;
	if (j->status == 0 &&
	    quota_read(q, str_of(j->text), clock_wall_s(), &err) == 0)
		return;
	quota_lose(q);
	log_error("a link's quota counts as spent until its file is put right "
		  "or removed, and railhead restarted",
	    LOG_Z("link", s->name), LOG_Z("path", j->path), LOG_ERR(&err));
}

static void
job_done(struct work *w)
{
	struct link_job *j = container_of(w, struct link_job, work);
	struct link_state *s = j->state;

	if (s != NULL) {
		s->job = NULL;
		if (j->is_write)
			quota_written(&s->link.quota, j->status == 0);
		else
			take_text(s, j);
		if (j->is_write && j->status != 0) {
			log_error("a link waits: its quota can't be written",
			    LOG_Z("link", s->name), LOG_ERR(&j->err));
			timer_set(&s->again, AGAIN_MS);
		} else {
			pace_wake(s);
		}
	}
	free(j);
}

/* ---- when it is due ----------------------------------------------------- */

static struct link_job *
job_new(struct link_state *s)
{
	struct link_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		timer_set(&s->again, AGAIN_MS);
		return NULL;
	}
	j->work.home = s->upstreams->loop;
	j->work.run = job_run;
	j->work.done = job_done;
	j->state = s;
	(void)snprintf(j->path, sizeof(j->path), "%s/quota-%s",
	    s->upstreams->state_folder, s->name);
	return j;
}

void
link_files_keep(struct link_state *s)
{
	struct link_job *j;

	if (!quota_is_on(&s->link.quota) || s->job != NULL ||
	    timer_is_set(&s->again) || s->upstreams->state_folder == NULL)
		return;
	if (s->was_read && !quota_is_due(&s->link.quota))
		return;
	j = job_new(s);
	if (j == NULL)
		return;
	j->is_write = s->was_read;
	if (j->is_write && !quota_wants(&s->link.quota, j->text)) {
		free(j);
		return;
	}
	s->job = j;
	work_submit(s->upstreams->pool, &j->work);
}

void
link_files_forget(struct link_state *s)
{
	if (s->job != NULL)
		s->job->state = NULL;
}
