/*
 * releases.c - birth and end of it all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/check.h"
#include "common/clock.h"
#include "release_int.h"

#define SOURCES_MAX 4096

int64_t
now_s(void)
{
	return clock_wall_s();
}

static int
make_folder(struct releases *rs, struct err *err)
{
	rs->state_folder = str_dup(str_of(rs->spec.state_folder));
	rs->spec.state_folder = rs->state_folder;
	if (rs->state_folder == NULL ||
	    asprintf(&rs->folder, "%s/releases", rs->state_folder) < 0) {
		rs->folder = NULL;
		return err_set(err, ERR_NO_MEMORY, "no memory for releases");
	}
	if (mkdir(rs->folder, 0755) == 0 || errno == EEXIST)
		return 0;
	return err_errno(err, ERR_DISK, "can't make %s", rs->folder);
}

static void
init_timers(struct releases *rs)
{
	struct loop *origin = rs->spec.origin;

	timer_init(&rs->walk, origin, walk_on, rs);
	timer_init(&rs->run, origin, warm_run, rs);
	timer_init(&rs->tick, origin, releases_tick, rs);
	timer_init(&rs->tell, origin, ears_tell, rs);
}

struct releases *
releases_new(const struct releases_spec *spec, struct err *err)
{
	struct releases *rs = calloc(1, sizeof(*rs));

	if (rs == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for releases");
		return NULL;
	}
	rs->spec = *spec;
	TAILQ_INIT(&rs->all);
	TAILQ_INIT(&rs->running);
	TAILQ_INIT(&rs->to_walk);
	TAILQ_INIT(&rs->ears);
	TAILQ_INIT(&rs->early);
	TAILQ_INIT(&rs->resolves);
	TAILQ_INIT(&rs->verifies);
	init_timers(rs);
	rs->by_name = map_new(RELEASES_MAX);
	rs->pieces = map_new(WARM_PIECES_MAX);
	rs->sources = map_new(SOURCES_MAX);
	rs->files = map_new(2 * RELEASES_MAX);
	rs->large = map_new(READ_LARGE_MAX);
	if (rs->by_name == NULL || rs->pieces == NULL || rs->sources == NULL ||
	    rs->files == NULL || rs->large == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for releases");
		releases_free(rs);
		return NULL;
	}
	rs->reader = index_reader_new(spec->store, err);
	if (rs->reader == NULL || make_folder(rs, err) != 0) {
		releases_free(rs);
		return NULL;
	}
	index_watch(spec->store, spec->origin, on_pins_changed, rs);
	return rs;
}

/* ---- the end ------------------------------------------------------------- */

static void
deliver_closed(struct letter *l)
{
	struct releases *rs = container_of(l, struct releases, closed);

	rs->on_closed(rs->on_closed_arg);
}

void
releases_busy(struct releases *rs)
{
	rs->n_jobs++;
}

void
releases_idle(struct releases *rs)
{
	check(rs->n_jobs > 0);
	if (--rs->n_jobs > 0 || !rs->is_closing)
		return;
	rs->closed.deliver = deliver_closed;
	loop_post(rs->spec.origin, &rs->closed);
}

static void
close_wants(struct releases *rs)
{
	struct piece *p;

	TAILQ_FOREACH (p, &rs->running, running) {
		want_close(p->want);
		p->want = NULL;
	}
}

void
releases_close(struct releases *rs, void (*done)(void *arg), void *arg)
{
	check(!rs->is_closing);
	rs->is_closing = true;
	rs->on_closed = done;
	rs->on_closed_arg = arg;
	timer_stop(&rs->walk);
	timer_stop(&rs->run);
	timer_stop(&rs->tick);
	timer_stop(&rs->tell);
	index_watch(rs->spec.store, NULL, NULL, NULL);
	releases_busy(rs);
	close_wants(rs);
	probes_cancel(rs);
	calls_cancel(rs);
	resolves_cancel(rs);
	plans_cancel(rs);
	releases_idle(rs);
}

static void
free_value(const void *key, size_t n, void *value, void *arg)
{
	(void)key;
	(void)n;
	(void)arg;
	free(value);
}

static void
free_all(struct releases *rs)
{
	struct release *r;

	while ((r = TAILQ_FIRST(&rs->all)) != NULL) {
		release_take(r);
		release_free(r);
	}
}

void
releases_free(struct releases *rs)
{
	if (rs == NULL)
		return;
	check(rs->n_jobs == 0);
	if (rs->reader != NULL)
		index_watch(rs->spec.store, NULL, NULL, NULL);
	free_all(rs);
	read_forget(rs);
	if (rs->sources != NULL)
		map_each(rs->sources, free_value, NULL);
	map_free(rs->sources);
	map_free(rs->pieces);
	map_free(rs->by_name);
	map_free(rs->files);
	map_free(rs->large);
	index_batch_free(rs->batch);
	index_reader_free(rs->reader);
	free(rs->state_folder);
	free(rs->folder);
	free(rs);
}
