/*
 * follower.c - readers of a fill, on their serve loop.
 *
 * After anything that may let a reader go on (a wake-up, news, a new reader)
 * each reader of the follower is brought up to date by reader_update(): begin,
 * move to the newer stream, allow more.  A reader may move from one stream to
 * the next when all that it has sent is the same in both.
 */
#include "follower.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/metrics.h"
#include "flight.h"

/* ---- the origin loop's side ------------------------------------------------
 */

static void deliver_wake(struct letter *);
static void deliver_news(struct letter *);

void
follower_wake(struct follower *f)
{
	if (f->port == NULL)
		return;
	if (atomic_exchange_explicit(&f->is_woken, true, memory_order_acq_rel))
		return;
	f->wake.deliver = deliver_wake;
	loop_post(f->port->loop, &f->wake);
}

static void
post_news(struct news *n, struct follower *to, enum news_kind kind)
{
	n->to = to;
	n->kind = kind;
	n->letter.deliver = deliver_news;
	loop_post(to->port->loop, &n->letter);
}

/* NULL without memory: its readers may be at a draft that is wrong, so that
 * without later news of a draft they must not hear that all is well. */
static struct news *
news_new(struct follower *f)
{
	struct news *n = calloc(1, sizeof(*n));

	f->is_behind = n == NULL;
	return n;
}

void
follower_stream(struct follower *f, struct stream *stream, bool has_joined)
{
	struct news *n = f->port != NULL ? news_new(f) : NULL;

	if (n == NULL)
		return;
	n->stream = stream_ref(stream);
	n->has_joined = has_joined;
	post_news(n, f, NEWS_STREAM);
}

void
follower_halt(struct follower *f)
{
	struct news *n = f->port != NULL ? news_new(f) : NULL;

	if (n != NULL)
		post_news(n, f, NEWS_HALT);
}

void
follower_end(struct follower *f, enum news_kind kind, const struct err *err)
{
	if (err != NULL)
		f->last.error = *err;
	if (kind == NEWS_ENDED && f->is_behind) {
		kind = NEWS_FAILED;
		(void)err_set(&f->last.error, ERR_NO_MEMORY,
		    "%s: no memory for the readers of a blob; try again",
		    f->target.scope);
	}
	if (f->port != NULL)
		post_news(&f->last, f, kind);
	else
		f->on_end(f, kind);
}

/* ---- one reader -------------------------------------------------------- */

static void
reader_leave(struct reader *r)
{
	struct follower *f = r->follower;

	TAILQ_REMOVE(&f->readers, r, link);
	r->follower = NULL;
	metric_add(metric_get(M_fill_readers), -1);
	if (r->stream != NULL)
		atomic_fetch_sub_explicit(
		    &r->stream->n_readers, 1, memory_order_relaxed);
	stream_unref(r->stream);
	r->stream = NULL;
}

static void
reader_end(struct reader *r, enum reader_event event, const struct err *err)
{
	if (err != NULL)
		r->error = *err;
	if (event == READER_CUT)
		metric_count1(
		    M_fill_readers_cut_total, err_oci_code(r->error.code), 1);
	reader_leave(r);
	r->on_event(r, event);
}

static void
reader_take_stream(struct reader *r, struct stream *s)
{
	if (r->stream != NULL)
		atomic_fetch_sub_explicit(
		    &r->stream->n_readers, 1, memory_order_relaxed);
	stream_unref(r->stream);
	r->stream = stream_ref(s);
	atomic_fetch_add_explicit(&s->n_readers, 1, memory_order_relaxed);
	r->fd = s->fd;
}

static void
reader_begin(struct reader *r)
{
	struct follower *f = r->follower;

	reader_take_stream(r, f->stream);
	r->has_begun = true;
	r->size = f->stream->size;
	r->has_joined = r->has_joined || f->has_joined;
	r->start = 0;
	r->end = r->size;
	r->on_event(r, READER_BEGIN); /* may detach it */
}

static void
reader_swap(struct reader *r, struct stream *s)
{
	reader_take_stream(r, s);
	if (!r->is_size_told) {
		r->size = r->end = s->size;
		r->start = 0;
	}
	r->on_event(r, READER_SWAP);
}

static void
reader_cut(struct reader *r)
{
	struct err err;

	(void)err_set(&err, ERR_DIGEST_MISMATCH,
	    "the upstream sent wrong bytes, or a wrong length, and this client "
	    "had been sent up to offset %llu of them; it may resume",
	    (unsigned long long)r->position(r));
	reader_end(r, READER_CUT, &err);
}

enum move { MOVE_NOW, MOVE_LATER, MOVE_NEVER };

/* May the reader go on from stream S?  Only when all that it has been sent is
 * the same there, and S was compared with no other than the reader's own. */
static enum move
may_move(const struct reader *r, const struct stream *s)
{
	bool differs = atomic_load_explicit(&s->differs, memory_order_acquire);
	uint64_t agreed =
	    atomic_load_explicit(&s->agreed, memory_order_acquire);
	uint64_t position = r->position(r);

	if (r->is_size_told && r->size != s->size)
		return MOVE_NEVER;
	if (position == r->start)
		return MOVE_NOW;
	if (s->serial != r->stream->serial + 1)
		return MOVE_NEVER;
	if (position <= agreed)
		return MOVE_NOW;
	return differs ? MOVE_NEVER : MOVE_LATER;
}

/* Moves to the newer stream.  False: it waits, or has left. */
static bool
reader_move(struct reader *r)
{
	struct stream *s = r->follower->stream;

	switch (may_move(r, s)) {
	case MOVE_NOW:
		reader_swap(r, s);
		return r->follower != NULL;
	case MOVE_LATER:
		break;
	case MOVE_NEVER:
		reader_cut(r);
		break;
	}
	return false;
}

static void
reader_allow(struct reader *r, uint64_t allowed)
{
	if (allowed == r->allowed)
		return;
	r->allowed = allowed;
	r->on_event(r, READER_ALLOW);
}

static void
reader_update(struct reader *r)
{
	struct follower *f = r->follower;
	uint64_t position, limit;

	if (f->stream == NULL)
		return;
	if (!r->has_begun)
		reader_begin(r);
	if (r->follower == NULL)
		return;
	if (r->stream != f->stream && !reader_move(r))
		return;
	position = r->position(r);
	if (f->is_halted) {
		reader_allow(r, position);
		return;
	}
	limit = stream_limit(r->stream, position, r->end, f->is_verified);
	if (limit < r->end)
		stream_want(r->stream, position, limit);
	reader_allow(r, limit);
}

/* ---- all readers of a follower ----------------------------------------- */

static void
follower_update(struct follower *f)
{
	struct reader *r, *next;

	for (r = TAILQ_FIRST(&f->readers); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		reader_update(r);
	}
}

static void
follower_key(struct cache_key *k, const struct target *t)
{
	cache_key(k, ASK_BLOB, t);
}

static void
follower_free(struct follower *f)
{
	check(TAILQ_EMPTY(&f->readers));
	stream_unref(f->stream);
	target_done(&f->target);
	free(f);
}

/* Whoever is left hears how it ended. */
static void
follower_finish(struct follower *f)
{
	enum news_kind kind = f->last.kind;
	const struct err *err = &f->last.error;
	struct reader *r;

	while ((r = TAILQ_FIRST(&f->readers)) != NULL) {
		if (kind == NEWS_FAILED)
			reader_end(
			    r, r->has_begun ? READER_CUT : READER_FAILED, err);
		else if (!r->has_begun)
			reader_end(r, READER_STORED, NULL);
		else if (kind == NEWS_ENDED && r->stream == f->stream)
			reader_end(r, READER_ENDED, NULL);
		else
			reader_cut(r); /* never compared with what is right */
	}
	follower_free(f);
}

/* The last news came.  New readers make a new follower; a wake-up that is still
 * in the mailbox holds up the end. */
static void
follower_over(struct follower *f)
{
	struct cache_key key;

	follower_key(&key, &f->target);
	(void)map_take(f->port->followers, key.bytes, key.n);
	f->is_over = true;
	if (!atomic_load_explicit(&f->is_woken, memory_order_acquire))
		follower_finish(f);
}

static void
deliver_wake(struct letter *l)
{
	struct follower *f = container_of(l, struct follower, wake);

	/* An exchange: what was stored before a wake-up that found it set is
	 * seen now. */
	(void)atomic_exchange_explicit(
	    &f->is_woken, false, memory_order_acq_rel);
	follower_update(f);
	if (f->is_over)
		follower_finish(f);
}

static void
deliver_news(struct letter *l)
{
	struct news *n = container_of(l, struct news, letter);
	struct follower *f = n->to;

	switch (n->kind) {
	case NEWS_STREAM:
		stream_unref(f->stream);
		f->stream = n->stream;
		f->has_joined = n->has_joined;
		f->is_halted = false;
		follower_update(f);
		free(n);
		break;
	case NEWS_HALT:
		f->is_halted = true;
		follower_update(f);
		free(n);
		break;
	case NEWS_ENDED:
		f->is_verified = true;
		follower_update(f);
		follower_over(f);
		break;
	case NEWS_FAILED:
	case NEWS_STORED:
		follower_over(f);
		break;
	}
}

/* ---- for the api ------------------------------------------------------- */

static struct follower *
follower_new(struct cache_port *p, const struct target *t, struct err *err)
{
	struct follower *f = calloc(1, sizeof(*f));
	struct member_row member;
	struct cache_key key;

	follower_key(&key, t);
	if (f == NULL || map_put(p->followers, key.bytes, key.n, f) != 0) {
		(void)err_set(err, ERR_OVERLOADED,
		    "too many blobs are being brought in; try again later");
		free(f);
		return NULL;
	}
	f->port = p;
	f->cache = p->cache;
	target_copy(&f->target, t);
	TAILQ_INIT(&f->readers);
	if (index_find_member(p->reader, target_scope(t), &t->digest, &member))
		f->expected_size = member.size;
	index_release(p->reader);
	return f;
}

static void
deliver_join(struct letter *l)
{
	struct follower *f = container_of(l, struct follower, join);

	flight_follow(f->cache, f);
}

int
reader_attach(struct cache_port *p, struct reader *r, const struct target *t,
    struct err *err)
{
	struct follower *f;
	struct cache_key key;

	check(r->follower == NULL && r->stream == NULL);
	follower_key(&key, t);
	f = map_find(p->followers, key.bytes, key.n);
	r->has_joined = f != NULL;
	if (f == NULL) {
		f = follower_new(p, t, err);
		if (f == NULL)
			return -1;
		f->join.deliver = deliver_join;
		loop_post(p->cache->origin, &f->join);
	}
	r->follower = f;
	r->has_begun = false;
	r->allowed = 0;
	TAILQ_INSERT_TAIL(&f->readers, r, link);
	metric_add(metric_get(M_fill_readers), 1);
	if (r->has_joined)
		follower_wake(f); /* so that it begins, later */
	return 0;
}

void
reader_detach(struct reader *r)
{
	if (r->follower != NULL)
		reader_leave(r);
}
