/*
 * rig.c - upstreams on a running origin loop.
 */
#include "rig.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/metrics.h"
#include "upstream/links.h"

#define PATIENCE_S 60
#define BODY_MAX (8u << 20)

static void
wait_for(sem_t *sem)
{
	struct timespec until;

	check(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += PATIENCE_S;
	check(sem_timedwait(sem, &until) == 0);
}

/* ---- the rig ----------------------------------------------------------- */

void
rig_start(struct rig *r)
{
	struct err err;

	*r = (struct rig){ .folder = "/tmp/railhead-upstream-XXXXXX" };
	check(mkdtemp(r->folder) != NULL);
	metrics_init();
	r->loop = loop_new("origin", &err);
	r->pool = work_pool_new("work", 2, &err);
	check(r->loop != NULL && r->pool != NULL);
	r->upstreams = upstreams_new(r->loop, r->pool, &err);
	check(r->upstreams != NULL);
	check(upstreams_set_state_folder(r->upstreams, r->folder, &err) == 0);
	check(loop_start(r->loop, &err) == 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
rig_stop(struct rig *r)
{
	loop_stop(r->loop);
	loop_join(r->loop);
	upstreams_free(r->upstreams);
	work_pool_free(r->pool);
	loop_free(r->loop);
	config_unref(r->config);
	metrics_done();
	check(nftw(r->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

static void
set_links(void *arg)
{
	struct rig *r = arg;
	struct err err;

	check(upstreams_set_links(r->upstreams, r->config, &err) == 0);
}

void
rig_config(struct rig *r, const char *fmt, ...)
{
	char yaml[8192];
	struct err err;
	va_list args;
	int n;

	va_start(args, fmt);
	n = snprintf(yaml, sizeof(yaml),
	    "region: test\nlisten: [{address: \"127.0.0.1:0\"}]\n"
	    "store: {path: %s/store, capacity: 1GiB}\n",
	    r->folder);
	n += vsnprintf(yaml + n, sizeof(yaml) - (size_t)n, fmt, args);
	va_end(args);
	check(n < (int)sizeof(yaml));
	config_unref(r->config);
	r->config = config_parse("test.yaml", str_of(yaml), &err);
	if (r->config == NULL)
		(void)fprintf(stderr, "%s\n%s", err.text, yaml);
	check(r->config != NULL);
	rig_run(r, set_links, r);
}

struct errand {
	struct letter letter;
	void (*fn)(void *);
	void *arg;
	sem_t done;
};

static void
errand_run(struct letter *l)
{
	struct errand *e = container_of(l, struct errand, letter);

	e->fn(e->arg);
	check(sem_post(&e->done) == 0);
}

void
rig_run(struct rig *r, void (*fn)(void *arg), void *arg)
{
	struct errand e = {
		.letter.deliver = errand_run, .fn = fn, .arg = arg
	};

	check(sem_init(&e.done, 0, 0) == 0);
	loop_post(r->loop, &e.letter);
	wait_for(&e.done);
	check(sem_destroy(&e.done) == 0);
}

void
rig_file(
    struct rig *r, const char *name, const void *p, size_t n, char path[256])
{
	FILE *f;

	(void)snprintf(path, 256, "%s/%s", r->folder, name);
	f = fopen(path, "w");
	check(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

/* ---- a fetch ----------------------------------------------------------- */

static void
copy(struct str s, char out[128], struct str *to)
{
	(void)snprintf(out, 128, "%.*s", STR_ARG(s));
	*to = str_of(out);
}

static int
on_head(void *arg, const struct fetch_head *head, struct err *err)
{
	struct get *g = arg;

	check(g->n_heads++ == 0 && g->fetch != NULL);
	check(fetch_result(g->fetch) == FETCH_RUNNING);
	g->head = *head;
	copy(head->content_type, g->content_type, &g->head.content_type);
	copy(head->etag, g->etag, &g->head.etag);
	copy(head->link, g->link, &g->head.link);
	return g->stop_at_head ? err_set(err, ERR_CANCELLED, "enough") : 0;
}

static int
on_bytes(void *arg, const void *p, size_t n, struct err *err)
{
	struct get *g = arg;

	check(g->n_heads == 1 && n > 0);
	buf_add(&g->body, p, n);
	check(!g->body.overflow);
	if (g->stop_at_bytes > 0 && g->body.n >= g->stop_at_bytes)
		return err_set(err, ERR_CANCELLED, "enough");
	return 0;
}

static void
close_here(void *arg)
{
	struct get *g = arg;

	fetch_close(g->fetch);
	g->fetch = NULL;
}

static void
on_end(void *arg)
{
	struct get *g = arg;

	check(g->fetch != NULL && g->result == FETCH_RUNNING);
	g->result = fetch_result(g->fetch);
	g->err = *fetch_error(g->fetch);
	g->retry_after_ms = fetch_retry_after_ms(g->fetch);
	check(g->result != FETCH_RUNNING);
	if (g->close_in_end)
		close_here(g);
	check(sem_post(&g->ended) == 0);
}

void
get_init(struct get *g, struct rig *r, enum fetch_target target,
    const char *repository, const char *reference)
{
	*g = (struct get){ .rig = r };
	g->spec.target = target;
	g->spec.repository = str_of(repository);
	g->spec.reference = str_of(reference);
	buf_init(&g->body, BODY_MAX);
	check(sem_init(&g->ended, 0, 0) == 0);
}

static void
start_here(void *arg)
{
	struct get *g = arg;
	struct err err;

	g->spec.upstreams = g->rig->upstreams;
	g->spec.config = g->rig->config;
	g->spec.upstream = &g->rig->config->upstreams[g->upstream];
	g->spec.endpoint = &g->spec.upstream->endpoints[g->endpoint];
	g->spec.on_head = on_head;
	g->spec.on_bytes = on_bytes;
	g->spec.on_end = on_end;
	g->spec.arg = g;
	g->fetch = fetch_start(&g->spec, &err);
	check(g->fetch != NULL && g->result == FETCH_RUNNING);
}

void
get_start(struct get *g)
{
	rig_run(g->rig, start_here, g);
}

void
get_wait(struct get *g)
{
	wait_for(&g->ended);
}

void
get_close(struct get *g)
{
	rig_run(g->rig, close_here, g);
}

enum fetch_result
get_run(struct get *g)
{
	get_start(g);
	get_wait(g);
	if (!g->close_in_end)
		get_close(g);
	return g->result;
}

void
get_done(struct get *g)
{
	buf_done(&g->body);
	check(sem_destroy(&g->ended) == 0);
}
