/*
 * layout_shelf.c - keeps layouts open, and opens them anew when they changed.
 *
 * Each question sends a work thread to look at the file's time and size, or to
 * open it; who asks meanwhile shares the answer.  A place whose work is out
 * when the shelf is freed frees itself as it comes back.
 */
#include <stdlib.h>

#include "common/check.h"
#include "common/map.h"
#include "common/str.h"
#include "layout_int.h"
#include "loop/work.h"

#define PLACES_MAX 4096

TAILQ_HEAD(layout_waits, layout_wait);

struct layout_shelf {
	struct loop *loop;      /* borrowed; outlives us */
	struct work_pool *pool; /* borrowed; outlives us */
	struct map *places;     /* owned, with its values */
};

struct layout_place {
	struct work work;
	struct layout_shelf *shelf; /* NULL: freed meanwhile */
	char *path;                 /* owned */
	struct layout *layout;      /* counted; NULL: not open */
	struct layout_waits waits;
	bool is_out;
	/* the work's result: */
	struct layout *opened; /* NULL: what we have is current, or failed */
	bool has_failed;
	struct err err;
};

static void
place_run(struct work *w)
{
	struct layout_place *p = container_of(w, struct layout_place, work);

	p->opened = NULL;
	p->has_failed = false;
	if (p->layout != NULL && layout_is_current(p->layout))
		return;
	p->opened = layout_take(p->path, &p->err);
	p->has_failed = p->opened == NULL;
}

static void
place_free(struct layout_place *p)
{
	check(!p->is_out && TAILQ_EMPTY(&p->waits));
	layout_unref(p->layout);
	free(p->path);
	free(p);
}

/* The old picture goes when there is a new one, and when it can't be had. */
static void
place_take_result(struct layout_place *p)
{
	p->is_out = false;
	if (p->opened == NULL && !p->has_failed)
		return;
	layout_unref(p->layout);
	p->layout = p->opened;
	p->opened = NULL;
}

static void
place_back(struct work *w)
{
	struct layout_place *p = container_of(w, struct layout_place, work);
	struct layout *l;
	struct layout_wait *wait;
	struct err err = p->err;

	place_take_result(p);
	if (p->shelf == NULL) {
		place_free(p);
		return;
	}
	l = p->layout == NULL ? NULL : layout_ref(p->layout);
	p->is_out = true; /* who asks now shares this answer */
	while ((wait = TAILQ_FIRST(&p->waits)) != NULL) {
		layout_leave(wait);
		wait->on_ready(wait, l == NULL ? NULL : layout_ref(l), &err);
	}
	p->is_out = false;
	layout_unref(l);
}

static struct layout_place *
place_new(struct layout_shelf *s, struct str path)
{
	struct layout_place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->shelf = s;
	p->work.home = s->loop;
	p->work.run = place_run;
	p->work.done = place_back;
	TAILQ_INIT(&p->waits);
	p->path = str_dup(path);
	if (p->path == NULL || map_put(s->places, path.p, path.n, p) != 0) {
		place_free(p);
		return NULL;
	}
	return p;
}

int
layout_ask(struct layout_shelf *s, const char *path, struct layout_wait *w,
    struct err *err)
{
	struct str key = str_of(path);
	struct layout_place *p = map_find(s->places, key.p, key.n);

	if (p == NULL)
		p = place_new(s, key);
	if (p == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for %s", path);
	w->of = p;
	TAILQ_INSERT_TAIL(&p->waits, w, link);
	if (!p->is_out) {
		p->is_out = true;
		work_submit(s->pool, &p->work);
	}
	return 0;
}

void
layout_leave(struct layout_wait *w)
{
	if (w->of != NULL)
		TAILQ_REMOVE(&w->of->waits, w, link);
	w->of = NULL;
}

/* ---- birth and death --------------------------------------------------- */

struct layout_shelf *
layout_shelf_new(struct loop *origin, struct work_pool *pool, struct err *err)
{
	struct layout_shelf *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->loop = origin;
		s->pool = pool;
		s->places = map_new(PLACES_MAX);
	}
	if (s == NULL || s->places == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for layouts");
		free(s);
		return NULL;
	}
	return s;
}

static void
place_orphan(const void *key, size_t n, void *value, void *arg)
{
	struct layout_place *p = value;

	(void)key;
	(void)n;
	(void)arg;
	check(TAILQ_EMPTY(&p->waits));
	p->shelf = NULL;
	if (!p->is_out)
		place_free(p);
}

void
layout_shelf_free(struct layout_shelf *s)
{
	if (s == NULL)
		return;
	map_each(s->places, place_orphan, NULL);
	map_free(s->places);
	free(s);
}
