/*
 * turn.c - the memory of a request in hand.
 *
 * Turns are kept in a small pool per server, so that a warm one, with its
 * arena and buffers in the CPU's cache, serves the next request.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shared_fd.h"
#include "http_int.h"

#define POOL_MAX 64

static struct turn *
turn_new(size_t cap)
{
	struct turn *t;

	t = aligned_alloc(alignof(struct turn),
	    (sizeof(*t) + cap + alignof(struct turn) - 1) &
		~(alignof(struct turn) - 1));
	if (t != NULL)
		memset(t, 0, offsetof(struct turn, out));
	return t;
}

static struct turn *
pool_take(struct http_server *s)
{
	struct turn *t = SLIST_FIRST(&s->turns);

	if (t != NULL) {
		SLIST_REMOVE_HEAD(&s->turns, link);
		s->n_turns--;
	}
	return t;
}

struct turn *
turn_take(struct conn *c)
{
	size_t cap =
	    (size_t)c->server->spec.limits.head_bytes + INPUT_SLACK_BYTES;
	struct turn *t;

	/* Those of another size are from before a reload. */
	while ((t = pool_take(c->server)) != NULL && t->cap != cap)
		free(t);
	if (t == NULL)
		t = turn_new(cap);
	if (t == NULL)
		return NULL;
	t->cap = cap;
	t->conn = c;
	t->start = 0;
	t->n = 0;
	turn_reset(t);
	return t;
}

void
turn_give(struct turn *t)
{
	struct http_server *s = t->conn->server;

	check(!t->is_called && t->file == NULL && t->ahead == NULL);
	t->conn = NULL;
	if (s->n_turns >= POOL_MAX) {
		free(t);
		return;
	}
	SLIST_INSERT_HEAD(&s->turns, t, link);
	s->n_turns++;
}

void
turn_reset(struct turn *t)
{
	struct conn *c = t->conn;

	memset(&t->x, 0, sizeof(t->x));
	arena_init(&t->x.arena, t->arena, sizeof(t->arena));
	t->x.server = c->server;
	t->x.loop = c->server->spec.loop;
	t->x.peer = &c->peer.sa;
	t->x.peer_text = (struct str){ c->peer_text, c->peer_text_n };
	t->x.client_name = str_of(c->client_name);
	t->x.is_tls = c->io.ssl != NULL;
	t->x.has_certificate = c->has_certificate;
	t->closes = false;
	t->reply = REPLY_NONE;
	t->is_bare = false;
	t->out_overflow = false;
	t->out_n = 0;
	t->out_max = REPLY_HEAD_BYTES;
	t->head_n = 0;
	t->sent = 0;
	t->bytes = (struct str){ NULL, 0 };
	t->position = 0;
	t->committed = 0;
	t->has_line = t->n > t->start;
	t->is_timed = false;
}

void
turn_end(struct turn *t, enum exchange_end how)
{
	struct exchange *x = &t->x;

	ahead_forget(t);
	if (t->is_called && x->on_end != NULL)
		x->on_end(x, how);
	t->is_called = false;
	shared_fd_unref(t->file);
	t->file = NULL;
	body_done(&t->body);
}

void
turn_compact(struct turn *t)
{
	if (t->start == 0)
		return;
	memmove(t->input, t->input + t->start, t->n - t->start);
	t->n -= t->start;
	t->start = 0;
}
