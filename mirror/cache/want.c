/*
 * want.c - what the origin loop itself asks of the cache.
 *
 * A want waits like a client's question does: as a waiter of an ask, or as a
 * follower of a fill that has no serve loop behind it; but it hears of the end
 * only when what it wants is in the store, or why it is not.  Neither can be called
 * off, so a closed want stays until its answer comes, and tells nobody.
 */
#include "cache/want.h"

#include <stdlib.h>

#include "cache_int.h"
#include "common/check.h"
#include "fill.h"
#include "flight.h"
#include "follower.h"
#include "upstream/links.h"

struct want {
	struct cache *cache; /* borrowed */
	struct want_spec spec;
	struct target target;
	struct waiter waiter;
	struct follower follower;
	struct answer *answer; /* counted */
	struct err error;
	struct letter letter; /* brings the end */
	bool is_closed;
};

static void
want_free(struct want *w)
{
	answer_unref(w->answer);
	target_done(&w->target);
	target_done(&w->follower.target);
	free(w);
}

/* ---- the end ------------------------------------------------------------ */

static void
deliver_end(struct letter *l)
{
	struct want *w = container_of(l, struct want, letter);
	struct want_end end = { .error = w->error };

	if (w->answer != NULL) {
		end.digest = w->answer->digest;
		end.bytes =
		    (struct str){ w->answer->bytes, w->answer->n_bytes };
	}
	if (!w->is_closed)
		w->spec.on_end(w->spec.arg, &end);
	want_free(w);
}

static void
post_end(struct want *w)
{
	w->letter.deliver = deliver_end;
	loop_post(w->cache->origin, &w->letter);
}

/* ---- asks --------------------------------------------------------------- */

static void
take_answer(struct want *w, struct answer *answer)
{
	w->answer = answer;
	w->error = answer->error;
	if (w->error.code == ERR_NONE)
		w->error = w->waiter.unwritten;
	post_end(w);
}

static void
on_answer(struct waiter *waiter, struct answer *answer, bool has_joined)
{
	(void)has_joined;
	take_answer(
	    container_of(waiter, struct want, waiter), answer_ref(answer));
}

static void
ask(struct want *w, enum ask_kind kind)
{
	struct answer *now;

	w->waiter.on_answer = on_answer;
	w->waiter.class = CLASS_PREWARM;
	w->waiter.wants_stored = true;
	now = flight_ask(w->cache, kind, &w->target, &w->waiter);
	if (now != NULL)
		take_answer(w, now);
}

/* ---- fills -------------------------------------------------------------- */

static void
on_fill_end(struct follower *f, enum news_kind kind)
{
	struct want *w = container_of(f, struct want, follower);

	if (kind == NEWS_FAILED)
		w->error = f->last.error;
	post_end(w);
}

static void
follow(struct want *w)
{
	struct follower *f = &w->follower;

	f->cache = w->cache;
	target_copy(&f->target, &w->target);
	f->expected_size = w->spec.size;
	f->on_end = on_fill_end;
	f->confirm.class = CLASS_PREWARM;
	flight_follow(w->cache, f);
}

/* ---- for the releases --------------------------------------------------- */

static const enum ask_kind asks[] = {
	[WANT_TAG] = ASK_TAG,
	[WANT_MANIFEST] = ASK_MANIFEST,
	[WANT_REFERRERS] = ASK_REFERRERS,
	[WANT_SIGN] = ASK_BLOB,
};

struct want *
want_open(struct cache *c, const struct want_spec *spec, struct err *err)
{
	struct want *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a want");
		return NULL;
	}
	w->cache = c;
	w->spec = *spec;
	target_copy(&w->target, spec->target);
	w->spec.target = NULL;
	if (spec->kind == WANT_BLOB)
		follow(w);
	else
		ask(w, asks[spec->kind]);
	return w;
}

/* Is it the fill that its follower is at now? */
static struct fill *
fill_of(const struct want *w)
{
	const struct digest *d = &w->target.digest;

	if (w->spec.kind != WANT_BLOB || !w->follower.is_following)
		return NULL;
	return map_find(w->cache->fills, d, digest_key_size(d));
}

void
want_close(struct want *w)
{
	struct fill *fill = w != NULL ? fill_of(w) : NULL;

	if (w != NULL)
		w->is_closed = w->follower.is_closed = true;
	if (fill != NULL) {
		fill_unfollow(fill, &w->follower);
		want_free(w);
	}
}

uint64_t
want_coming(const struct want *w)
{
	const struct fill *fill = fill_of(w);

	return fill != NULL ? fill_front(fill) : 0;
}

bool
want_is_here(struct cache *c, struct index_reader *r, const struct target *t)
{
	struct blob_row row;

	(void)c;
	return index_find_blob(r, &t->digest, &row) &&
	    cache_may_have(r, t, &t->digest, &row);
}

bool
want_may_begin(struct cache *c, const struct config_upstream *u, bool *is_down,
    int64_t *at, struct err *err)
{
	enum prewarm verdict = upstreams_prewarm(c->upstreams, u, at, err);

	*is_down = verdict == PREWARM_DOWN;
	return verdict == PREWARM_YES;
}
