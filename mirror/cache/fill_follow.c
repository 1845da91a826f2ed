/*
 * fill_follow.c - who follows a fill, for how long, and at whose upstream.
 *
 * A fill begins at the upstream of who asked first.  While it has nothing to
 * show, those of the others who follow take turns with it, one rest each, so
 * that nobody waits for an upstream that is down while his own is well.
 */
#include <string.h>

#include "fill_int.h"
#include "store/index.h"

/* ---- who may follow ---------------------------------------------------- */

/* Is what the repository SOURCE gives T's, too? */
static bool
is_open(
    const struct fill *f, const struct target *source, const struct target *t)
{
	struct member_row row;
	bool is_it = strcmp(source->scope, t->scope) == 0 ||
	    (target_is_public(source) && target_is_public(t)) ||
	    index_find_member(
		f->cache->reader, target_scope(t), &t->digest, &row);

	index_release(f->cache->reader);
	return is_it;
}

bool
fill_is_open_to(const struct fill *f, const struct target *t)
{
	return is_open(f, &f->target, t);
}

uint64_t
fill_verified_size(const struct fill *f)
{
	return f->is_verified ? draft_size(f->draft) : 0;
}

uint64_t
fill_front(const struct fill *f)
{
	return f->draft != NULL ? draft_front(f->draft) : 0;
}

bool
fill_has_client(const struct fill *f)
{
	const struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		if (o->port != NULL)
			return true;
	return false;
}

/* ---- for how long ------------------------------------------------------- */

unsigned
fill_patience_ms(const struct fill *f)
{
	return f->expected_size != 0 ? FILL_PATIENCE_MS : ASK_PATIENCE_MS;
}

static bool
is_same_upstream(const struct target *a, const struct target *b)
{
	return strcmp(a->upstream->name, b->upstream->name) == 0;
}

/* Does a client whose patience is O's, too, follow already? */
static bool
is_awaited(const struct fill *f, const struct follower *o)
{
	const struct follower *other;

	TAILQ_FOREACH (other, &f->followers, link)
		if (other->port != NULL &&
		    (o->port == NULL ||
			is_same_upstream(&other->target, &o->target)))
			return true;
	return false;
}

/* Releases have all the time there is; who waits for a reply has not.  Of those
 * the first one's of each upstream counts, so that there is an end. */
static void
set_patience(struct fill *f, const struct follower *o)
{
	uint64_t now = loop_now_ms(f->cache->origin);
	uint64_t ms =
	    o->port != NULL ? fill_patience_ms(f) : FILL_PREWARM_PATIENCE_MS;

	if (is_awaited(f, o) ||
	    (fill_has_client(f) && now + ms < f->patient_until_ms))
		return;
	f->patient_until_ms = now + ms;
	if (f->state == FILL_HEAD && f->stream == NULL)
		timer_set(&f->timer, ms);
}

/* ---- whose upstream ----------------------------------------------------- */

static bool
had_turn(const struct follower *o)
{
	return o->last.error.code != ERR_NONE;
}

static bool
is_open_to_all(const struct fill *f, const struct target *source)
{
	const struct follower *o;

	TAILQ_FOREACH (o, &f->followers, link)
		if (!is_open(f, source, &o->target))
			return false;
	return true;
}

/* The bytes of a draft are one upstream's, or an earlier run's. */
static bool
may_turn(const struct fill *f)
{
	return f->stream == NULL && f->n_drafts == 1 &&
	    (fill_is_empty(f) || draft_was_resumed(f->draft));
}

/* Whose upstream comes next, if not the same again: NULL. */
static struct follower *
next_source(const struct fill *f)
{
	struct follower *o, *found = NULL;

	if (!may_turn(f))
		return NULL;
	TAILQ_FOREACH (o, &f->followers, link) {
		if (is_same_upstream(&o->target, &f->target) ||
		    (found != NULL && had_turn(o)) ||
		    !is_open_to_all(f, &o->target))
			continue;
		if (!had_turn(o))
			return o;
		found = o;
	}
	return found;
}

bool
fill_has_new_source(const struct fill *f)
{
	const struct follower *o = next_source(f);

	return o != NULL && !had_turn(o);
}

bool
fill_has_tried_for(const struct fill *f, const struct follower *o)
{
	return had_turn(o) &&
	    loop_now_ms(f->cache->origin) >= f->patient_until_ms;
}

/* What those hear whose turn is over, if there is no other. */
static void
end_turn(struct fill *f)
{
	struct err err = f->attempt.error;
	struct follower *o;

	err.code = cache_error_code(
	    &f->target, f->attempt.result, ERR_BLOB_UNKNOWN, err.code);
	TAILQ_FOREACH (o, &f->followers, link)
		if (strcmp(o->target.scope, f->target.scope) == 0)
			o->last.error = err;
}

void
fill_turn(struct fill *f)
{
	struct follower *o = next_source(f);
	unsigned n_rounds = f->attempt.n_rounds;

	if (o == NULL)
		return;
	end_turn(f);
	TAILQ_REMOVE(&f->followers, o, link);
	TAILQ_INSERT_TAIL(&f->followers, o, link);
	target_done(&f->target);
	target_copy(&f->target, &o->target);
	attempt_init(&f->attempt, f->cache->upstreams, f->target.upstream);
	f->attempt.n_rounds = n_rounds;
	f->endpoint = NULL;
	f->endpoints_used = 0;
	f->validator = (struct validator){ .etag = "" };
	f->named_size = f->expected_size = o->expected_size;
	if (f->expected_size == 0 && !fill_is_empty(f))
		f->expected_size = draft_size(f->draft);
}

/* ---- coming and going --------------------------------------------------- */

static void
join(struct fill *f, struct follower *o)
{
	TAILQ_INSERT_TAIL(&f->followers, o, link);
	o->is_following = true;
}

void
fill_leave(struct fill *f, struct follower *o)
{
	TAILQ_REMOVE(&f->followers, o, link);
	o->is_following = false;
}

void
fill_unfollow(struct fill *f, struct follower *o)
{
	fill_leave(f, o);
	if (!TAILQ_EMPTY(&f->followers))
		return;
	f->is_abandoned = !f->has_had_client;
	if (f->is_abandoned)
		timer_set(&f->soon, 0);
}

void
fill_follow(struct fill *f, struct follower *o, bool has_joined)
{
	o->has_joined_fill = has_joined;
	o->last.error.code = ERR_NONE;
	if (f->named_size == 0 && f->expected_size == 0 &&
	    fill_n_running(f) == 0 &&
	    strcmp(o->target.scope, f->target.scope) == 0)
		f->named_size = f->expected_size = o->expected_size;
	f->is_abandoned = false;
	set_patience(f, o);
	if (f->stream != NULL)
		follower_stream(o, f->stream, has_joined);
	for (size_t i = 0; i < FILL_LANES_MAX && o->port != NULL; i++)
		if (f->lanes[i].fetch != NULL)
			fetch_set_class(f->lanes[i].fetch, CLASS_PULL);
	f->has_had_client |= o->port != NULL;
	if (f->is_verified && o->port != NULL)
		follower_end(o, NEWS_ENDED, NULL);
	else
		join(f, o);
	if (f->state == FILL_REST && f->stream == NULL && o->port != NULL)
		timer_set(
		    &f->timer, 0); /* his upstream may be well, or again */
}
