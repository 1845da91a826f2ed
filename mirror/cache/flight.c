/*
 * flight.c - who asks first starts, who asks meanwhile joins.
 */
#include "flight.h"

#include <stdlib.h>

#include "common/check.h"
#include "fill.h"
#include "follower.h"

/* ---- what was said lately ---------------------------------------------- */

/* An entry is the time and the code in one word, so that a table of what is not
 * there costs nothing but its keys. */
static void *
absent_pack(uint64_t until_ms, enum err_code code)
{
	return (void *)(uintptr_t)(until_ms << 8 | (unsigned)code);
}

static void
forget_old(const void *key, size_t n, void *value, void *arg)
{
	struct cache *c = arg;

	if ((uint64_t)(uintptr_t)value >> 8 <= loop_now_ms(c->origin))
		(void)map_take(c->absent, key, n);
}

void
flight_remember(
    struct cache *c, const struct cache_key *key, enum err_code code)
{
	uint64_t for_ms = code == ERR_NONE ? RECHECK_MS : ABSENT_MS;
	void *entry = absent_pack(loop_now_ms(c->origin) + for_ms, code);

	if (map_put(c->absent, key->bytes, key->n, entry) == 0)
		return;
	map_each(c->absent, forget_old, c); /* full: make room, once */
	(void)map_put(c->absent, key->bytes, key->n, entry);
}

/* Was it said lately, and what?  Forgets what is old. */
static bool
is_remembered(struct cache *c, const struct cache_key *key, enum err_code *code)
{
	void *entry = map_find(c->absent, key->bytes, key->n);
	uint64_t word = (uintptr_t)entry;

	if (entry == NULL)
		return false;
	*code = (enum err_code)(word & 0xff);
	if (word >> 8 > loop_now_ms(c->origin))
		return true;
	(void)map_take(c->absent, key->bytes, key->n);
	return false;
}

static void
absent_error(const struct target *t, enum err_code code, struct err *err)
{
	char text[DIGEST_TEXT_MAX];

	(void)err_set(err, code,
	    "%s: the upstream said a moment ago that it does not have %s",
	    t->scope,
	    t->digest.alg != 0 ? digest_text(&t->digest, text) : t->tag);
}

/* ---- asks -------------------------------------------------------------- */

static struct answer *
error_answer(const struct err *err)
{
	struct answer *a = answer_new();

	if (a == NULL)
		return answer_no_memory();
	a->error = *err;
	return a;
}

static int
find_or_start(struct cache *c, enum ask_kind kind, const struct target *t,
    struct ask **ask, struct err *err)
{
	struct cache_key key;

	cache_key(&key, kind, t);
	*ask = map_find(c->asks, key.bytes, key.n);
	if (*ask != NULL)
		return 0;
	if (c->is_closing)
		return err_set(
		    err, ERR_CANCELLED, "the mirror is stopping; ask again");
	*ask = ask_start(c, kind, t, err);
	return *ask != NULL ? 0 : -1;
}

struct answer *
flight_ask(struct cache *c, enum ask_kind kind, const struct target *t,
    struct waiter *w)
{
	enum err_code code;
	struct cache_key key;
	struct answer *now;
	struct ask *ask;
	struct err err;

	cache_key(&key, kind, t);
	w->has_joined = map_find(c->asks, key.bytes, key.n) != NULL;
	if (is_remembered(c, &key, &code) && code != ERR_NONE) {
		absent_error(t, code, &err);
		return error_answer(&err);
	}
	if (find_or_start(c, kind, t, &ask, &err) != 0)
		return error_answer(&err);
	now = ask_wait(ask, w);
	return now != NULL ? answer_ref(now) : NULL;
}

void
flight_check(struct cache *c, enum ask_kind kind, const struct target *t)
{
	enum err_code code;
	struct cache_key key;
	struct ask *ask;
	struct err err; /* a check that can't be made is made next time */

	cache_key(&key, kind, t);
	if (!is_remembered(c, &key, &code))
		(void)find_or_start(c, kind, t, &ask, &err);
}

/* ---- fills ------------------------------------------------------------- */

static void
on_confirmed(struct waiter *w, struct answer *answer, bool has_joined)
{
	struct follower *o = container_of(w, struct follower, confirm);

	(void)has_joined;
	if (answer->error.code != ERR_NONE || o->is_closed)
		follower_end(o, NEWS_FAILED, &answer->error);
	else
		flight_follow(o->cache, o);
}

/* Somebody else's repository brought it in: does this one have it, too? */
static void
confirm(struct cache *c, struct follower *o)
{
	struct answer *now;
	struct err err;

	if (o->was_confirmed) {
		(void)err_set(&err, ERR_DISK,
		    "%s: could not note that the repository has this blob; "
		    "look at the store's disk",
		    o->target.scope);
		follower_end(o, NEWS_FAILED, &err);
		return;
	}
	o->was_confirmed = true;
	o->confirm.on_answer = on_confirmed;
	now = flight_ask(c, ASK_BLOB, &o->target, &o->confirm);
	if (now == NULL)
		return;
	on_confirmed(&o->confirm, now, false);
	answer_unref(now);
}

/* It may have come in since the serve loop looked. */
static bool
is_stored(struct cache *c, const struct follower *o, bool *may_have)
{
	struct blob_row row;
	bool is_it = !o->target.is_lost &&
	    index_find_blob(c->reader, &o->target.digest, &row);

	*may_have = is_it &&
	    cache_may_have(c->reader, &o->target, &o->target.digest, &row);
	index_release(c->reader);
	return is_it;
}

static void
start_fill(struct cache *c, struct follower *o)
{
	enum err_code code = ERR_NONE;
	struct cache_key key;
	struct fill *fill;
	struct err err;

	cache_key(&key, ASK_BLOB, &o->target);
	if (is_remembered(c, &key, &code) && code != ERR_NONE) {
		absent_error(&o->target, code, &err);
		follower_end(o, NEWS_FAILED, &err);
		return;
	}
	fill = fill_start(c, &o->target, o->expected_size, &err);
	if (fill == NULL)
		follower_end(o, NEWS_FAILED, &err);
	else
		fill_follow(fill, o, false);
}

void
flight_follow(struct cache *c, struct follower *o)
{
	const struct digest *digest = &o->target.digest;
	struct fill *fill;
	bool may_have;
	struct err err;

	fill = map_find(c->fills, digest, digest_key_size(digest));
	if (c->is_closing) {
		(void)err_set(
		    &err, ERR_CANCELLED, "the mirror is stopping; ask again");
		follower_end(o, NEWS_FAILED, &err);
	} else if (fill != NULL && fill_is_open_to(fill, &o->target)) {
		fill_follow(fill, o, true);
	} else if (fill != NULL) {
		confirm(c, o);
	} else if (!is_stored(c, o, &may_have)) {
		start_fill(c, o);
	} else if (may_have) {
		follower_end(o, NEWS_STORED, NULL);
	} else {
		confirm(c, o);
	}
}
