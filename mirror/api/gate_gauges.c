/*
 * gate_gauges.c - gate_open{release}, for a scrape.
 *
 * Gates are decided when they are asked for, and a scrape asks for all of them,
 * one after the other: what /metrics says is what GET .../gate would say then.
 * A round has the overview of when it began; releases that are gone meanwhile
 * are left out, and cells of such ones are dropped at its end.
 *
 *	overview -> (view -> links -> decide)* -> drop -> the scrape goes on
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/map.h"
#include "common/metrics.h"
#include "releases_int.h"

/* Owned by the ask that is under way. */
struct round {
	void (*then)(struct exchange *);
	struct release_overview *overview; /* counted */
	size_t at;                         /* whose turn it is */
	struct gate_rules rules;
	struct gate gate;
};

static void
round_free(void *arg)
{
	struct round *r = arg;

	if (r == NULL)
		return;
	release_overview_unref(r->overview);
	free(r);
}

static struct round *
take_round(struct release_ask *ask)
{
	struct round *r = ask->arg;

	ask->arg = NULL;
	return r;
}

/* ---- cells -------------------------------------------------------------- */

static void
show(struct admin *a, const char *release, bool is_open)
{
	const char *const name[] = { release };
	struct metric *cell = metric_cell(M_gate_open, name);

	metric_set(cell, is_open);
	if (map_put(a->gate_cells, release, strlen(release), cell) != 0)
		metric_drop(cell); /* nobody would drop it later */
}

static int
compare_name(const void *name, const void *summary)
{
	return strcmp(name, ((const struct release_summary *)summary)->name);
}

struct sweep {
	struct map *cells;
	const struct release_overview *overview;
};

static void
drop_if_gone(const void *key, size_t n, void *cell, void *arg)
{
	const struct sweep *s = arg;
	char name[RELEASE_NAME_MAX + 1] = "";

	check(n <= RELEASE_NAME_MAX);
	memcpy(name, key, n);
	if (s->overview->n > 0 &&
	    bsearch(name, s->overview->all, s->overview->n,
		sizeof(*s->overview->all), compare_name) != NULL)
		return;
	(void)map_take(s->cells, key, n);
	metric_drop(cell);
}

/* ---- a round ------------------------------------------------------------ */

static void go_on(struct admin *, struct exchange *, struct round *);

static void
decide(struct link_look *look)
{
	struct release_ask *ask = look->ask;
	struct round *r = take_round(ask);

	gate_decide_now(
	    look, &r->rules, ask->call.view, r->overview, NULL, &r->gate);
	show(ask->admin, ask->call.name, r->gate.is_open);
	r->at++;
	go_on(ask->admin, ask->exchange, r);
}

static void
on_view(struct release_ask *ask)
{
	look_at_links(ask, decide);
}

static void
on_gone(struct release_ask *ask)
{
	struct round *r = take_round(ask);

	r->at++;
	go_on(ask->admin, ask->exchange, r);
}

static void
finish(struct admin *a, struct exchange *e, struct round *r)
{
	struct sweep sweep = { a->gate_cells, r->overview };
	void (*then)(struct exchange *) = r->then;

	map_each(a->gate_cells, drop_if_gone, &sweep);
	round_free(r);
	then(e);
}

static void
go_on(struct admin *a, struct exchange *e, struct round *r)
{
	struct release_ask *ask;

	if (r->at == r->overview->n) {
		finish(a, e, r);
		return;
	}
	/* A verb of all, since no release is named in the path. */
	ask = ask_new(a, e, RELEASES_LIST, on_view);
	if (ask == NULL) {
		round_free(r);
		return;
	}
	ask->call.verb = RELEASE_VIEW;
	memcpy(ask->call.name, r->overview->all[r->at].name,
	    sizeof(ask->call.name));
	ask->failed = on_gone;
	ask->arg = r;
	ask->done = round_free;
	ask_send(ask);
}

static void
on_overview(struct release_ask *ask)
{
	struct round *r = take_round(ask);

	r->overview = release_overview_ref(ask->call.overview);
	go_on(ask->admin, ask->exchange, r);
}

/* The releases are being closed: there are no gates to tell of. */
static void
on_none(struct release_ask *ask)
{
	struct round *r = ask->arg;

	r->then(ask->exchange);
}

void
gates_show(struct admin *a, struct exchange *e, void (*then)(struct exchange *))
{
	struct release_ask *ask = ask_new(a, e, RELEASES_LIST, on_overview);
	struct round *r = calloc(1, sizeof(*r));

	if (ask == NULL || r == NULL) {
		free(r);
		if (ask == NULL)
			return;
		ask_free(ask);
		then(e);
		return;
	}
	r->then = then;
	gate_rules_now(&r->rules);
	ask->failed = on_none;
	ask->arg = r;
	ask->done = round_free;
	ask_send(ask);
}
