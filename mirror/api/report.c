/*
 * report.c - a look at the upstreams, which live on the origin loop.
 *
 *	admin loop: ask ---letter---> origin loop: copy
 *	admin loop: answer <---letter---'
 *
 * The exchange may end on the way (its client hung up, the server closed):
 * then it is forgotten, and the letter only frees when it comes home.  The
 * copy's memory is taken before it is asked for.
 */
#include <stdlib.h>

#include "admin_int.h"
#include "common/check.h"
#include "loop/loop.h"

struct report {
	struct letter letter;
	struct admin *admin;       /* borrowed; outlives us */
	struct exchange *exchange; /* NULL: it has ended; admin loop only */
	struct config *config;     /* counted */
	report_fn *answer;
	void *arg; /* in the exchange's arena */
	size_t n, max;
	struct endpoint_report rows[];
};

static void
report_free(struct report *r)
{
	config_unref(r->config);
	free(r);
}

static void
on_ended(struct exchange *e, enum exchange_end end)
{
	struct report *r = e->owner;

	(void)end;
	r->exchange = NULL;
}

static void
on_home(struct letter *letter)
{
	struct report *r = container_of(letter, struct report, letter);
	struct exchange *e = r->exchange;

	if (e != NULL) {
		e->owner = NULL;
		e->on_end = NULL;
		r->answer(r->admin, e, r);
	}
	report_free(r);
}

static void
on_origin(struct letter *letter)
{
	struct report *r = container_of(letter, struct report, letter);

	r->n = upstreams_report(
	    r->admin->spec.upstreams, r->config, r->rows, r->max);
	letter->deliver = on_home;
	loop_post(r->admin->spec.admin, letter);
}

static size_t
count_endpoints(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_upstreams; i++)
		n += config->upstreams[i].n_endpoints;
	return n;
}

void
report_ask(struct admin *a, struct exchange *e, report_fn *answer, void *arg)
{
	struct config *config = config_now();
	size_t max = count_endpoints(config);
	struct report *r = calloc(1, sizeof(*r) + max * sizeof(r->rows[0]));
	struct err err;

	if (r == NULL) {
		config_unref(config);
		err_set(&err, ERR_NO_MEMORY,
		    "no memory for a report on %zu endpoints", max);
		admin_fail(e, &err, NULL);
		return;
	}
	r->letter.deliver = on_origin;
	r->admin = a;
	r->exchange = e;
	r->config = config;
	r->answer = answer;
	r->arg = arg;
	r->max = max;
	e->owner = r;
	e->on_end = on_ended;
	loop_post(a->spec.origin, &r->letter);
}

void *
report_arg(const struct report *r)
{
	return r->arg;
}

const struct config *
report_config(const struct report *r)
{
	return r->config;
}

const struct endpoint_report *
report_endpoint(const struct report *r, const struct config_upstream *u,
    const struct config_endpoint *endpoint)
{
	const struct config_upstream *before = r->config->upstreams;
	size_t place = (size_t)(endpoint - u->endpoints);

	for (; before < u; before++)
		place += before->n_endpoints;
	return place < r->n ? &r->rows[place] : NULL;
}

bool
report_is_up(const struct endpoint_report *row)
{
	return row == NULL || !row->was_tried || row->is_up;
}

bool
report_has_up(const struct report *r, const struct config_upstream *u)
{
	for (size_t i = 0; i < u->n_endpoints; i++)
		if (report_is_up(report_endpoint(r, u, &u->endpoints[i])))
			return true;
	return false;
}
