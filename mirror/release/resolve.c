/*
 * resolve.c - from tags to digests, for a list that asks for it.
 *
 * A few at a time; each tag is asked of its upstream as a store would ask.  All
 * that have no digest are told together.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "release_int.h"

#define AT_A_TIME 16

struct resolve;

struct tag {
	struct resolve *resolve;
	struct want *want; /* owned */
	size_t image;
};

struct resolve {
	TAILQ_ENTRY(resolve) entry;
	struct releases *releases;
	struct release_call *call;
	struct digest *digests; /* owned; an image each */
	struct tag tags[AT_A_TIME];
	size_t next;
	unsigned n_open;
};

bool
resolve_is_due(const struct release_list *list)
{
	for (size_t i = 0; i < list->n_images; i++)
		if (list->images[i].digest.alg == 0)
			return true;
	return false;
}

static void
resolve_free(struct resolve *v)
{
	TAILQ_REMOVE(&v->releases->resolves, v, entry);
	free(v->digests);
	free(v);
}

static void
resolve_end(struct resolve *v)
{
	struct releases *rs = v->releases;
	struct release_call *c = v->call;
	struct release_list *list = NULL;

	if (c->faults.n_found > 0) {
		(void)err_set(&c->error, ERR_BAD_REQUEST,
		    "%zu tags could not be resolved to a digest",
		    c->faults.n_found);
	} else {
		list = release_list_resolved(c->list, v->digests);
		if (list == NULL)
			(void)err_set(&c->error, ERR_NO_MEMORY,
			    "no memory for the list; try again");
	}
	resolve_free(v);
	if (list == NULL) {
		call_answer(rs, c);
		return;
	}
	release_list_unref(c->list);
	c->list = list;
	if (c->verb == RELEASE_PLAN)
		plan_start(rs, c);
	else
		call_put_resolved(rs, c);
}

static void
fault(struct resolve *v, size_t image, const struct err *why)
{
	const struct release_image *of = &v->call->list->images[image];

	release_faults_add(
	    &v->call->faults, of->line, of->field, why->code, why->text);
}

static void resolve_next(struct resolve *v, struct tag *t);

static void
on_end(void *arg, const struct want_end *end)
{
	struct tag *t = arg;
	struct resolve *v = t->resolve;

	t->want = NULL;
	v->n_open--;
	if (end->error.code == ERR_NONE)
		v->digests[t->image] = end->digest;
	else
		fault(v, t->image, &end->error);
	resolve_next(v, t);
	if (v->n_open == 0)
		resolve_end(v);
}

static int
ask(struct resolve *v, struct tag *t, struct err *err)
{
	struct release_call *c = v->call;
	const struct release_image *of = &c->list->images[t->image];
	const struct config_upstream *u =
	    config_find_upstream(c->config, str_of(of->upstream));
	struct target target;
	struct want_spec spec = {
		.kind = WANT_TAG, .target = &target, .on_end = on_end, .arg = t
	};

	if (u == NULL)
		return err_set(err, ERR_NAME_UNKNOWN,
		    "the configuration has no upstream %s", of->upstream);
	target_init(&target, c->config, u, str_of(of->repository));
	(void)snprintf(target.tag, sizeof(target.tag), "%s", of->tag);
	t->want = want_open(v->releases->spec.cache, &spec, err);
	target_done(&target);
	if (t->want == NULL)
		return -1;
	v->n_open++;
	return 0;
}

/* Opens the next that is due, with T. */
static void
resolve_next(struct resolve *v, struct tag *t)
{
	const struct release_list *list = v->call->list;
	struct err err;

	while (v->next < list->n_images) {
		t->image = v->next++;
		if (list->images[t->image].digest.alg != 0)
			continue;
		if (ask(v, t, &err) == 0)
			return;
		fault(v, t->image, &err);
	}
}

void
resolve_start(struct releases *rs, struct release_call *c)
{
	struct resolve *v = calloc(1, sizeof(*v));

	if (v != NULL)
		v->digests = calloc(c->list->n_images, sizeof(*v->digests));
	if (v == NULL || v->digests == NULL) {
		free(v);
		(void)err_set(&c->error, ERR_NO_MEMORY,
		    "no memory for the list; try again");
		call_answer(rs, c);
		return;
	}
	v->releases = rs;
	v->call = c;
	if (c->config == NULL)
		c->config = config_now();
	TAILQ_INSERT_TAIL(&rs->resolves, v, entry);
	for (size_t i = 0; i < AT_A_TIME; i++) {
		v->tags[i].resolve = v;
		resolve_next(v, &v->tags[i]);
	}
	if (v->n_open == 0)
		resolve_end(v);
}

void
resolves_cancel(struct releases *rs)
{
	struct resolve *v;

	while ((v = TAILQ_FIRST(&rs->resolves)) != NULL) {
		struct release_call *c = v->call;

		for (size_t i = 0; i < AT_A_TIME; i++)
			want_close(v->tags[i].want);
		resolve_free(v);
		(void)err_set(&c->error, ERR_CANCELLED,
		    "the mirror is stopping; ask again");
		call_answer(rs, c);
	}
}
