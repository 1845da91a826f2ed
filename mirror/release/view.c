/*
 * view.c - copies for other threads: counted, immutable.
 */
#include <stdlib.h>

#include "release_int.h"

#define VIEW_MAX_BYTES (64u << 20)

struct release_view *
view_new(struct release_list *list)
{
	struct release_view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	refs_init(&v->refs);
	pool_init(&v->pool, VIEW_MAX_BYTES);
	v->list = list != NULL ? release_list_ref(list) : NULL;
	return v;
}

struct release_view *
release_view_ref(struct release_view *v)
{
	refs_take(&v->refs);
	return v;
}

void
release_view_unref(struct release_view *v)
{
	if (v == NULL || !refs_drop(&v->refs))
		return;
	pool_done(&v->pool);
	release_list_unref(v->list);
	free(v);
}

struct release_overview *
overview_new(size_t n)
{
	struct release_overview *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	refs_init(&o->refs);
	o->all = calloc(n + 1, sizeof(*o->all));
	if (o->all == NULL) {
		free(o);
		return NULL;
	}
	o->lag_release = "";
	return o;
}

struct release_overview *
release_overview_ref(struct release_overview *o)
{
	refs_take(&o->refs);
	return o;
}

void
release_overview_unref(struct release_overview *o)
{
	if (o == NULL || !refs_drop(&o->refs))
		return;
	free(o->all);
	free(o);
}

void
release_call_done(struct release_call *c)
{
	release_faults_done(&c->faults);
	release_view_unref(c->view);
	release_overview_unref(c->overview);
	c->view = NULL;
	c->overview = NULL;
}
