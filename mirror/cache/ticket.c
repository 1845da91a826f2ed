/*
 * ticket.c - a serve loop's questions to the origin loop.
 *
 * A call is one question on its way: made on the serve loop, read on the origin
 * loop, brought back by its letter.  The ticket may be closed meanwhile; the
 * call then comes back to nobody.
 */
#include "cache/ticket.h"

#include <stdlib.h>

#include "ask.h"
#include "cache_int.h"
#include "common/check.h"
#include "flight.h"

struct call {
	struct letter letter;
	struct cache_port *port;
	enum ask_kind kind;
	struct target target;

	/* Serve loop's. */
	TAILQ_ENTRY(call) link; /* in the port's calls */
	struct ticket *ticket;  /* NULL: nobody waits */

	/* Origin loop's, until the letter is on its way back. */
	struct waiter waiter;
	struct answer *answer; /* counted */
	bool has_joined;
};

static void
call_free(struct call *c)
{
	TAILQ_REMOVE(&c->port->calls, c, link);
	target_done(&c->target);
	answer_unref(c->answer);
	free(c);
}

/* ---- back on the serve loop -------------------------------------------- */

static void
deliver_answer(struct letter *l)
{
	struct call *c = container_of(l, struct call, letter);
	struct ticket *t = c->ticket;

	if (t != NULL) {
		t->call = NULL;
		t->answer = c->answer;
		t->has_joined = c->has_joined;
		c->answer = NULL;
	}
	call_free(c);
	if (t != NULL)
		t->on_answer(t);
}

/* ---- on the origin loop ------------------------------------------------ */

static void
call_back(struct call *c, struct answer *answer)
{
	c->answer = answer;
	c->letter.deliver = deliver_answer;
	loop_post(c->port->loop, &c->letter);
}

static void
on_answer(struct waiter *w, struct answer *answer, bool has_joined)
{
	struct call *c = container_of(w, struct call, waiter);

	c->has_joined = has_joined;
	call_back(c, answer_ref(answer));
}

static void
deliver_call(struct letter *l)
{
	struct call *c = container_of(l, struct call, letter);
	struct answer *now;

	c->waiter.on_answer = on_answer;
	now = flight_ask(c->port->cache, c->kind, &c->target, &c->waiter);
	c->has_joined = c->waiter.has_joined;
	if (now != NULL)
		call_back(c, now);
}

static void
deliver_check(struct letter *l)
{
	struct call *c = container_of(l, struct call, letter);

	flight_check(c->port->cache, c->kind, &c->target);
	call_back(c, NULL);
}

/* ---- on the serve loop ------------------------------------------------- */

static struct call *
call_new(struct cache_port *p, enum ask_kind kind, const struct target *target)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->port = p;
	c->kind = kind;
	target_copy(&c->target, target);
	TAILQ_INSERT_TAIL(&p->calls, c, link);
	return c;
}

int
ticket_ask(struct cache_port *p, struct ticket *t, enum ask_kind kind,
    const struct target *target, struct err *err)
{
	struct call *c = call_new(p, kind, target);

	check(t->call == NULL && t->answer == NULL);
	if (c == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "no memory for a question; try again");
	c->ticket = t;
	t->call = c;
	c->letter.deliver = deliver_call;
	loop_post(p->cache->origin, &c->letter);
	return 0;
}

void
ticket_send(
    struct cache_port *p, enum ask_kind kind, const struct target *target)
{
	struct call *c = call_new(p, kind, target);

	if (c == NULL)
		return;
	c->letter.deliver = deliver_check;
	loop_post(p->cache->origin, &c->letter);
}

void
ticket_close(struct ticket *t)
{
	if (t->call != NULL)
		t->call->ticket = NULL;
	t->call = NULL;
	answer_unref(t->answer);
	t->answer = NULL;
}
