/*
 * pull.c - many stores pull one image, as containerd does:
 *
 *	pull [-s STORES] [-w SECONDS] [-c CONNECTIONS] ADDRESS PORT PLAN
 *
 *	-s  stores (1); -w: all of them have begun after so long (0)
 *	-c  connections of each store: transfers at once (3)
 *
 * The plan's parts are pulled one after another: the tag, the manifest, then
 * the layers.  Prints a line of JSON, with the times at which stores were done,
 * in seconds since the first began.  Exit status 1: a reply was not what the
 * plan says.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine.h"

#define NS 1e9
#define STORE_CONNS_MAX 16

struct pull;

struct store {
	struct pull *pull; /* borrowed; outlives us */
	struct conn conns[STORE_CONNS_MAX];
	size_t next;      /* of the plan */
	size_t n_running; /* requests under way */
	uint64_t done_ns; /* 0: not yet */
};

struct pull {
	struct engine engine;
	struct plan plan;
	struct store *stores; /* owned */
	size_t n_stores;
	size_t n_begun;
	size_t n_done;
	size_t n_conns;
	double window; /* s */
	uint64_t began_ns;
};

/* A part begins when nothing of the one before it is under way. */
static bool
may_begin(const struct store *s)
{
	const struct plan *plan = &s->pull->plan;

	if (s->next == plan->n || s->n_running == s->pull->n_conns)
		return false;
	return s->n_running == 0 || s->next == 0 ||
	    !plan->requests[s->next - 1].is_part_end;
}

static struct conn *
idle_conn(struct store *s)
{
	size_t i = 0;

	while (s->conns[i].state != CONN_IDLE)
		i++;
	return &s->conns[i];
}

static void
begin_more(struct store *s)
{
	while (may_begin(s)) {
		s->n_running++;
		conn_begin(
		    idle_conn(s), &s->pull->plan.requests[s->next++], now_ns());
	}
}

static void
on_reply(struct conn *c)
{
	struct store *s = c->owner;
	struct pull *p = s->pull;
	size_t i;

	s->n_running--;
	begin_more(s);
	if (s->n_running > 0)
		return;
	s->done_ns = now_ns() - p->began_ns;
	p->n_done++;
	for (i = 0; i < p->n_conns; i++)
		conn_done(&s->conns[i]);
}

static uint64_t
due_ns(const struct pull *p)
{
	return p->began_ns +
	    (uint64_t)(p->window * NS * (double)p->n_begun /
		(double)p->n_stores);
}

static void
run(struct pull *p)
{
	p->began_ns = now_ns();
	while (p->n_done < p->n_stores) {
		while (p->n_begun < p->n_stores && due_ns(p) <= now_ns())
			begin_more(&p->stores[p->n_begun++]);
		engine_step(&p->engine,
		    p->n_begun < p->n_stores ? due_ns(p) : WHENEVER);
	}
}

static void
open_stores(struct pull *p)
{
	size_t i, j;

	p->stores = calloc(p->n_stores, sizeof(*p->stores));
	if (p->stores == NULL)
		errx(2, "no memory for %zu stores", p->n_stores);
	for (i = 0; i < p->n_stores; i++) {
		p->stores[i].pull = p;
		for (j = 0; j < STORE_CONNS_MAX; j++)
			conn_init(
			    &p->stores[i].conns[j], &p->engine, &p->stores[i]);
	}
}

static void
print(const struct pull *p)
{
	size_t i;

	printf("{\"done\": [");
	for (i = 0; i < p->n_stores; i++)
		printf("%s%.3f", i > 0 ? ", " : "",
		    (double)p->stores[i].done_ns / NS);
	printf("], ");
	engine_print(&p->engine);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	static struct pull p = { .n_stores = 1, .n_conns = 3 };
	int option;

	while ((option = getopt(argc, argv, "s:w:c:")) != -1) {
		if (option == 's')
			p.n_stores = strtoul(optarg, NULL, 10);
		else if (option == 'w')
			p.window = strtod(optarg, NULL);
		else if (option == 'c')
			p.n_conns = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	argv += optind;
	if (argc - optind != 3 || p.n_conns < 1 || p.n_conns > STORE_CONNS_MAX)
		errx(2,
		    "usage: pull [-s STORES] [-w SECONDS] "
		    "[-c CONNECTIONS] ADDRESS PORT PLAN");
	engine_init(&p.engine, argv[0], argv[1]);
	p.engine.done = on_reply;
	p.plan = plan_read(argv[2], argv[0], false);
	open_stores(&p);
	run(&p);
	print(&p);
	free(p.stores);
	plan_done(&p.plan);
	engine_done(&p.engine);
	return 0;
}
