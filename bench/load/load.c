/*
 * load.c - asks a server for what a plan says, as fast as it answers or at a
 * fixed rate:
 *
 *	load [-c CONNECTIONS] [-d SECONDS | -n REPLIES] [-r RATE] [-1] [-t [-u]]
 *	    [-p PID]... ADDRESS PORT PLAN
 *
 *	-c  connections (1)
 *	-d  for so long, from when all are connected; what is under way at the
 *	    end is cut off (1)
 *	-n  until so many replies are whole
 *	-r  so many requests a second, whether the server keeps up or not: a
 *	    request's time is when it was due, so that waiting counts
 *	-1  one request a connection
 *	-t  TLS; -u: resume sessions
 *	-p  a process of the server: what it took of the processors
 *
 * Prints a line of JSON.  Exit status 1: a reply was not what the plan says.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "cpu.h"
#include "engine.h"
#include "tls.h"

#define NS 1e9
#define PIDS_MAX 64
#define CONNECTING_MAX 200    /* at once: fewer than any server's backlog */
#define GRACE_NS 10000000000u /* for what was due, but is late */

struct load {
	struct engine engine;
	struct plan plan;
	struct conn *conns; /* owned */
	struct conn **idle; /* owned; open loop: a stack */
	size_t n_idle;
	size_t n_conns;
	size_t next; /* of the plan */
	uint64_t n_begun;
	uint64_t n_wanted; /* UINT64_MAX: until the time is up */
	uint64_t began_ns;
	double seconds;
	double rate; /* 0: closed loop */
	bool is_tls;
	pid_t pids[PIDS_MAX]; /* of the server */
	size_t n_pids;
	double server_cpu; /* s; at the beginning */
};

static const struct request *
next_request(struct load *l)
{
	const struct request *q = &l->plan.requests[l->next];

	l->next = l->next + 1 < l->plan.n ? l->next + 1 : 0;
	l->n_begun++;
	return q;
}

/* What is counted counts from here. */
static void
begin_counting(struct load *l)
{
	engine_forget(&l->engine);
	l->server_cpu = cpu_of(l->pids, l->n_pids);
	l->began_ns = now_ns();
}

/* ---- as fast as it answers ------------------------------------------------ */

static void
begin_next(struct conn *c)
{
	struct load *l = c->owner;

	if (l->n_begun < l->n_wanted)
		conn_begin(c, next_request(l), now_ns());
}

static void
connect_all(struct load *l)
{
	size_t i;

	for (i = 0; i < l->n_conns; i++) {
		begin_next(&l->conns[i]);
		while (i + 1 >= l->engine.n_connects + CONNECTING_MAX)
			engine_step(&l->engine, WHENEVER);
	}
}

static void
run_for_time(struct load *l)
{
	uint64_t end_ns;

	connect_all(l);
	while (l->engine.n_connects < l->n_conns)
		engine_step(&l->engine, WHENEVER);
	begin_counting(l);
	end_ns = l->began_ns + (uint64_t)(l->seconds * NS);
	while (now_ns() < end_ns)
		engine_step(&l->engine, end_ns);
}

static void
run_for_replies(struct load *l)
{
	begin_counting(l);
	connect_all(l);
	while (l->engine.n_replies < l->n_wanted)
		engine_step(&l->engine, WHENEVER);
}

/* ---- at a fixed rate ------------------------------------------------------ */

static void
become_idle(struct conn *c)
{
	struct load *l = c->owner;

	l->idle[l->n_idle++] = c;
}

static uint64_t
due_ns(const struct load *l)
{
	return l->began_ns + (uint64_t)((double)l->n_begun * NS / l->rate);
}

static void
begin_due(struct load *l)
{
	uint64_t now = now_ns();

	while (l->n_begun < l->n_wanted && l->n_idle > 0 && due_ns(l) <= now) {
		uint64_t due = due_ns(l);

		conn_begin(l->idle[--l->n_idle], next_request(l), due);
	}
}

static void
run_open(struct load *l)
{
	uint64_t give_up_ns;
	bool is_waiting;
	size_t i;

	l->engine.done = become_idle;
	l->n_wanted = (uint64_t)(l->seconds * l->rate);
	for (i = 0; i < l->n_conns; i++)
		become_idle(&l->conns[i]);
	begin_counting(l);
	give_up_ns = l->began_ns + (uint64_t)(l->seconds * NS) + GRACE_NS;
	while (l->engine.n_replies < l->n_wanted) {
		begin_due(l);
		is_waiting = l->n_begun < l->n_wanted && l->n_idle > 0;
		engine_step(&l->engine, is_waiting ? due_ns(l) : give_up_ns);
		if (now_ns() > give_up_ns)
			errx(1,
			    "the server is too slow for %.0f requests a "
			    "second",
			    l->rate);
	}
}

/* ---- the program ---------------------------------------------------------- */

static void
usage(void)
{
	errx(2,
	    "usage: load [-c CONNECTIONS] [-d SECONDS | -n REPLIES] "
	    "[-r RATE] [-1] [-t [-u]] [-p PID]... ADDRESS PORT PLAN");
}

static void
add_pid(struct load *l, const char *text)
{
	if (l->n_pids == PIDS_MAX)
		errx(2, "at most %d processes", PIDS_MAX);
	l->pids[l->n_pids++] = (pid_t)strtol(text, NULL, 10);
}

static void
set_option(struct load *l, int option, const char *value)
{
	switch (option) {
	case 'c':
		l->n_conns = strtoul(value, NULL, 10);
		break;
	case 'd':
		l->seconds = strtod(value, NULL);
		break;
	case 'n':
		l->n_wanted = strtoull(value, NULL, 10);
		break;
	case 'r':
		l->rate = strtod(value, NULL);
		break;
	case '1':
		l->engine.is_one_shot = true;
		break;
	case 't':
		l->is_tls = true;
		break;
	case 'u':
		l->engine.is_resuming = true;
		break;
	case 'p':
		add_pid(l, value);
		break;
	default:
		usage();
	}
}

static void
open_conns(struct load *l)
{
	size_t i;

	l->conns = calloc(l->n_conns, sizeof(*l->conns));
	l->idle = calloc(l->n_conns, sizeof(struct conn *));
	if (l->conns == NULL || l->idle == NULL)
		errx(2, "no memory for %zu connections", l->n_conns);
	for (i = 0; i < l->n_conns; i++)
		conn_init(&l->conns[i], &l->engine, l);
}

static void
close_conns(struct load *l)
{
	size_t i;

	for (i = 0; i < l->n_conns; i++)
		conn_done(&l->conns[i]);
	free(l->conns);
	free(l->idle);
}

static void
run(struct load *l)
{
	l->engine.done = begin_next;
	if (l->rate > 0)
		run_open(l);
	else if (l->n_wanted == UINT64_MAX)
		run_for_time(l);
	else
		run_for_replies(l);
}

static void
print(const struct load *l)
{
	double seconds = (double)(now_ns() - l->began_ns) / NS;
	pid_t self = getpid();

	printf("{\"seconds\": %.6f, \"cpu\": %.3f, \"server_cpu\": %.3f, ",
	    seconds, cpu_of(&self, 1),
	    cpu_of(l->pids, l->n_pids) - l->server_cpu);
	engine_print(&l->engine);
	printf("}\n");
}

int
main(int argc, char **argv)
{
	static struct load l = {
		.n_conns = 1, .seconds = 1, .n_wanted = UINT64_MAX
	};
	int option;

	while ((option = getopt(argc, argv, "c:d:n:r:1tup:")) != -1)
		set_option(&l, option, optarg);
	argv += optind;
	if (argc - optind != 3)
		usage();
	(void)prctl(PR_SET_TIMERSLACK, 1);
	engine_init(&l.engine, argv[0], argv[1]);
	l.engine.tls = l.is_tls ? tls_new() : NULL;
	l.plan = plan_read(argv[2], argv[0], l.engine.is_one_shot);
	open_conns(&l);
	run(&l);
	print(&l);
	close_conns(&l);
	plan_done(&l.plan);
	tls_free(l.engine.tls);
	engine_done(&l.engine);
	return 0;
}
