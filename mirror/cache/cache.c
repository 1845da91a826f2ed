/*
 * cache.c - birth and end of the cache and its ports, and what the asks and
 * fills share: keys, and which repository may have what.
 */
#include "cache_int.h"
#include "store/open_blobs.h"

#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "common/check.h"
#include "fill.h"
#include "oci/manifest.h"

struct cache *
cache_new(const struct cache_spec *spec, struct err *err)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for the cache");
		return NULL;
	}
	c->origin = spec->origin;
	c->store = spec->store;
	c->upstreams = spec->upstreams;
	c->fills = map_new(CACHE_FILLS_MAX);
	c->asks = map_new(CACHE_ASKS_MAX);
	c->absent = map_new(CACHE_ABSENT_MAX);
	c->moved = map_new(CACHE_MOVED_MAX);
	c->reader = index_reader_new(spec->store, err);
	if (c->reader == NULL) {
		cache_free(c);
		return NULL;
	}
	if (c->fills == NULL || c->asks == NULL || c->absent == NULL ||
	    c->moved == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for the cache");
		cache_free(c);
		return NULL;
	}
	return c;
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	check(c->n_busy == 0);
	index_reader_free(c->reader);
	map_free(c->fills);
	map_free(c->asks);
	map_free(c->absent);
	map_free(c->moved);
	free(c);
}

void
cache_busy(struct cache *c)
{
	c->n_busy++;
}

static void
deliver_closed(struct letter *l)
{
	struct cache *c = container_of(l, struct cache, closed);

	c->on_closed(c->on_closed_arg);
}

static void
cache_closed(struct cache *c)
{
	c->closed.deliver = deliver_closed;
	loop_post(c->origin, &c->closed);
}

void
cache_idle(struct cache *c)
{
	check(c->n_busy > 0);
	if (--c->n_busy == 0 && c->is_closing)
		cache_closed(c);
}

static void
cancel_fill(const void *key, size_t n, void *value, void *arg)
{
	(void)key, (void)n, (void)arg;
	fill_cancel(value);
}

static void
cancel_ask(const void *key, size_t n, void *value, void *arg)
{
	(void)key, (void)n, (void)arg;
	ask_cancel(value);
}

void
cache_close(struct cache *c, void (*done)(void *arg), void *arg)
{
	check(!c->is_closing);
	c->is_closing = true;
	c->on_closed = done;
	c->on_closed_arg = arg;
	if (c->n_busy == 0) {
		cache_closed(c);
		return;
	}
	map_each(c->asks, cancel_ask, NULL);
	map_each(c->fills, cancel_fill, NULL);
}

/* ---- ports ------------------------------------------------------------- */

struct cache_port *
cache_port_new(struct cache *c, struct loop *serve, struct err *err)
{
	struct cache_port *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->followers = map_new(CACHE_FILLS_MAX)) == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a cache port");
		free(p);
		return NULL;
	}
	p->cache = c;
	p->loop = serve;
	TAILQ_INIT(&p->calls);
	p->reader = index_reader_new(c->store, err);
	p->open_blobs = open_blobs_new(c->store, serve, err);
	if (p->reader == NULL || p->open_blobs == NULL) {
		cache_port_free(p);
		return NULL;
	}
	return p;
}

void
cache_port_free(struct cache_port *p)
{
	if (p == NULL)
		return;
	check(TAILQ_EMPTY(&p->calls) && map_count(p->followers) == 0);
	index_reader_free(p->reader);
	open_blobs_free(p->open_blobs);
	map_free(p->followers);
	free(p);
}

/* ---- what is shared --------------------------------------------------------
 */

void
cache_key(struct cache_key *k, enum ask_kind kind, const struct target *t)
{
	size_t n_scope = strlen(t->scope), n;
	const void *name = t->tag;

	k->bytes[0] = (char)('0' + kind);
	memcpy(k->bytes + 1, t->scope, n_scope + 1);
	k->n = 1 + n_scope + 1;
	if (t->digest.alg != 0) {
		name = &t->digest;
		n = digest_key_size(&t->digest);
	} else {
		n = strlen(t->tag);
	}
	memcpy(k->bytes + k->n, name, n);
	k->n += n;
}

enum err_code
cache_error_code(const struct target *t, enum fetch_result result,
    enum err_code unknown, enum err_code code)
{
	if (result == FETCH_NOT_FOUND)
		return unknown;
	if (result == FETCH_DENIED)
		return t->upstream->denied_status == 403 ? ERR_DENIED : unknown;
	/* Ours, for its Range: nothing that our client asked for. */
	return code == ERR_RANGE_INVALID ? ERR_UPSTREAM_STATUS : code;
}

bool
cache_may_have(struct index_reader *reader, const struct target *t,
    const struct digest *digest, const struct blob_row *row)
{
	struct member_row member;

	if (target_is_public(t) && row->is_public)
		return true;
	return index_find_member(reader, target_scope(t), digest, &member);
}

void
cache_batch_members(struct index_batch *batch, const struct target *t,
    const struct digest *digest, struct str bytes)
{
	struct str scope = target_scope(t);
	struct manifest *m;
	struct err
	    ignored; /* bytes that name nothing are served all the same */
	size_t i;

	index_batch_member(batch, scope, digest, bytes.n);
	m = manifest_parse(bytes, &ignored);
	if (m == NULL)
		return;
	for (i = 0; i < m->n_links; i++) {
		if (m->links[i].part != PART_SUBJECT)
			index_batch_member(batch, scope, &m->links[i].digest,
			    m->links[i].size_bytes);
	}
	manifest_free(m);
}
