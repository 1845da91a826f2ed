/*
 * ask.c - the life of an ask: states, waiters, the answer.  What each kind
 * does in its states is in ask_content.c and ask_list.c.
 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "flight.h"
#include "oci/manifest.h"

#define STALE_PATIENCE_MS 3000   /* who can be served stale waits this long */
#define ANSWER_PATIENCE_MS 20000 /* all others: containerd waits for 30 s */
#define DOCUMENT_MAX_BYTES (16u << 20)

static enum ask_step step_begin(struct ask *);
static enum ask_step step_resolve(struct ask *);
static enum ask_step step_fetch(struct ask *);
static enum ask_step step_child(struct ask *);
static enum ask_step step_commit(struct ask *);
static enum ask_step step_done(struct ask *);

/* clang-format off */
#define TO(s) (1u << ASK_##s)
static const struct {
	const char *name;
	enum ask_step (*step)(struct ask *);
	unsigned next;
} states[] = {
	[ASK_BEGIN]   = { "begin",   step_begin,   TO(RESOLVE) | TO(FETCH) | TO(DONE) },
	[ASK_RESOLVE] = { "resolve", step_resolve, TO(FETCH) | TO(CHILD) | TO(COMMIT) | TO(DONE) },
	[ASK_FETCH]   = { "fetch",   step_fetch,   TO(FETCH) | TO(CHILD) | TO(COMMIT) | TO(DONE) },
	[ASK_CHILD]   = { "child",   step_child,   TO(COMMIT) | TO(DONE) },
	[ASK_COMMIT]  = { "commit",  step_commit,  TO(DONE) },
	[ASK_DONE]    = { "done",    step_done,    0 },
};
#undef TO

static const struct {
	const char *name;
	enum ask_step (*begin)(struct ask *);
	enum ask_step (*resolved)(struct ask *);
	enum ask_step (*fetched)(struct ask *);
	bool (*has_stale)(struct ask *);
	struct answer *(*stale)(struct ask *);
	enum err_code unknown; /* what a 404 means */
} kinds[ASK_KIND_COUNT] = {
	[ASK_TAG]       = { "tag",       content_begin, content_resolved, content_fetched, content_has_stale, content_stale, ERR_MANIFEST_UNKNOWN },
	[ASK_MANIFEST]  = { "manifest",  content_begin, content_resolved, content_fetched, content_has_stale, content_stale, ERR_MANIFEST_UNKNOWN },
	[ASK_BLOB]      = { "blob",      content_begin, content_resolved, NULL,            content_has_stale, content_stale, ERR_BLOB_UNKNOWN },
	[ASK_TAGS]      = { "tags",      list_begin,    NULL,             list_fetched,    list_has_stale,    list_stale,    ERR_NAME_UNKNOWN },
	[ASK_REFERRERS] = { "referrers", list_begin,    NULL,             list_fetched,    list_has_stale,    list_stale,    ERR_NAME_UNKNOWN },
};
/* clang-format on */

/* ---- answers ---------------------------------------------------------------
 */

struct answer *
answer_new(void)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a != NULL)
		refs_init(&a->refs);
	return a;
}

struct answer *
answer_ref(struct answer *a)
{
	refs_take(&a->refs);
	return a;
}

/* What is said when there is no memory to say anything else; never freed. */
static struct answer no_memory = {
	.refs = { 1 },
	.error = { ERR_NO_MEMORY, "no memory for the answer; try again" },
};

struct answer *
answer_no_memory(void)
{
	return answer_ref(&no_memory);
}

void
answer_unref(struct answer *a)
{
	if (a == NULL || !refs_drop(&a->refs))
		return;
	check(a != &no_memory);
	free(a->media_type);
	free(a->bytes);
	free(a);
}

/* ---- driving the states ------------------------------------------------ */

static void
ask_move(struct ask *a, enum ask_state to)
{
	check(states[a->state].next & (1u << to));
	log_debug("ask moves", LOG_Z("kind", kinds[a->kind].name),
	    LOG_Z("scope", a->target.scope),
	    LOG_Z("from", states[a->state].name), LOG_Z("to", states[to].name));
	a->state = to;
}

static void ask_free(struct ask *);

static void
ask_run(struct ask *a)
{
	while (states[a->state].step(a) == ASK_AGAIN)
		;
	if (a->state == ASK_DONE)
		ask_free(a);
}

static void
on_gathered(void *arg)
{
	ask_run(arg);
}

static void
on_child(struct waiter *w, struct answer *answer, bool has_joined)
{
	struct ask *a = container_of(w, struct ask, child);

	(void)has_joined;
	a->from_child = answer_ref(answer);
	a->unwritten = w->unwritten;
	ask_run(a);
}

static void
on_put(struct store_put *put)
{
	struct ask *a = container_of(put, struct ask, put);

	a->is_writing = false;
	if (put->status != 0) {
		a->unwritten = put->error;
		log_warn("manifest not stored",
		    LOG_DIGEST("digest", &put->digest), LOG_ERR(&put->error));
	}
	ask_run(a);
}

static void
on_committed(void *arg, const struct err *err)
{
	struct ask *a = arg;

	a->is_writing = false;
	if (err != NULL) {
		a->unwritten = *err;
		log_warn("index rows not written",
		    LOG_Z("scope", a->target.scope), LOG_ERR(err));
	}
	ask_run(a);
}

static struct answer *
too_late(const struct ask *a)
{
	struct answer *answer = answer_new();

	if (answer == NULL)
		return answer_no_memory();
	(void)err_set(&answer->error, ERR_TIMED_OUT,
	    "%s: no answer from the upstream within %d s; try again",
	    a->target.scope, ANSWER_PATIENCE_MS / 1000);
	return answer;
}

/* To all who wait, or to those who do not want it stored. */
static void
tell(struct ask *a, struct answer *answer, bool is_over)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&a->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->wants_stored && !is_over)
			continue;
		TAILQ_REMOVE(&a->waiters, w, link);
		w->unwritten = a->unwritten;
		w->on_answer(w, answer, w->has_joined);
	}
}

/* The ask goes on, for whoever comes back. */
static void
on_patience(void *arg)
{
	struct ask *a = arg;
	struct answer *answer;

	if (a->answer != NULL)
		return;
	answer = kinds[a->kind].stale(a);
	if (answer != NULL) {
		ask_answer(a, answer);
		return;
	}
	answer = too_late(a);
	tell(a, answer, false);
	answer_unref(answer);
}

static enum ask_step ask_stop(struct ask *);

/* Begins, or when the cache is closing ends what only waits for an upstream;
 * one that waits for a child or a commit ends by itself when that does. */
static void
on_run_timer(void *arg)
{
	struct ask *a = arg;

	if (a->cache->is_closing && a->state < ASK_CHILD)
		(void)ask_stop(a);
	ask_run(a);
}

/* ---- states ------------------------------------------------------------ */

static enum ask_step
step_begin(struct ask *a)
{
	a->can_be_stale = kinds[a->kind].has_stale(a);
	timer_set(&a->patience,
	    a->can_be_stale ? STALE_PATIENCE_MS : ANSWER_PATIENCE_MS);
	return kinds[a->kind].begin(a);
}

static enum ask_step
step_resolve(struct ask *a)
{
	if (!gather_is_over(&a->gather))
		return ASK_WAIT;
	return kinds[a->kind].resolved(a);
}

static enum ask_step
step_fetch(struct ask *a)
{
	if (!gather_is_over(&a->gather))
		return ASK_WAIT;
	return kinds[a->kind].fetched(a);
}

static enum ask_step
step_child(struct ask *a)
{
	if (a->from_child == NULL)
		return ASK_WAIT;
	return content_child(a);
}

static enum ask_step
step_commit(struct ask *a)
{
	if (a->is_writing)
		return ASK_WAIT;
	if (a->pending != NULL || a->answer == NULL) {
		ask_answer(a, a->pending);
		a->pending = NULL;
	}
	return ask_done(a);
}

static enum ask_step
step_done(struct ask *a)
{
	(void)a;
	return ASK_WAIT;
}

/* ---- what the kinds use ------------------------------------------------ */

/* The one of all waiters that goes first; nobody's is a check in the
 * background. */
static enum link_class
waiting_class(const struct ask *a)
{
	const struct waiter *w = TAILQ_FIRST(&a->waiters);
	enum link_class class = w != NULL ? w->class : CLASS_REFRESH;

	TAILQ_FOREACH (w, &a->waiters, link)
		if (w->class < class)
			class = w->class;
	return class;
}

static enum link_class
class_of(const struct ask *a, bool is_head)
{
	enum link_class class = waiting_class(a);
	bool is_check = is_head && a->kind == ASK_TAG;

	return is_check && class < CLASS_REFRESH ? CLASS_REFRESH : class;
}

enum ask_step
ask_upstream(struct ask *a, enum fetch_target what, bool is_head,
    int (*accept)(void *ask, struct err *err))
{
	struct gather_spec spec = {
		.cache = a->cache,
		.target = &a->target,
		.what = what,
		.is_head = is_head,
		.reference = str_of(a->reference),
		.class = class_of(a, is_head),
		.patience_ms = a->can_be_stale ? 0 : ASK_PATIENCE_MS,
		.max_bytes = DOCUMENT_MAX_BYTES,
		.accept = accept,
		.on_done = on_gathered,
		.arg = a,
	};

	if (what == FETCH_MANIFEST)
		spec.max_bytes = MANIFEST_MAX_BYTES;
	if (what == FETCH_PAGE) {
		spec.only = a->gather.endpoint;
		spec.reference = str_of(a->page);
	}
	gather_stop(&a->gather);
	ask_move(a, is_head ? ASK_RESOLVE : ASK_FETCH);
	gather_start(&a->gather, &spec);
	return ASK_WAIT;
}

/* What the child asks for; target_done() it. */
static void
child_target(
    const struct ask *a, const struct digest *manifest, struct target *target)
{
	target_copy(target, &a->target);
	target->tag[0] = '\0';
	target->digest = *manifest;
}

static struct ask *
find_child(const struct ask *a)
{
	struct target target;
	struct cache_key key;

	child_target(a, &a->digest, &target);
	cache_key(&key, ASK_MANIFEST, &target);
	target_done(&target);
	return map_find(a->cache->asks, key.bytes, key.n);
}

enum ask_step
ask_wait_child(struct ask *a, const struct digest *manifest)
{
	struct target target;
	struct answer *now;

	child_target(a, manifest, &target);
	a->child.on_answer = on_child;
	a->child.class = waiting_class(a);
	ask_move(a, ASK_CHILD);
	now = flight_ask(a->cache, ASK_MANIFEST, &target, &a->child);
	target_done(&target);
	if (now == NULL)
		return ASK_WAIT;
	a->from_child = now;
	return ASK_AGAIN;
}

void
ask_answer(struct ask *a, struct answer *answer)
{
	if (answer == NULL)
		answer = answer_no_memory();
	if (a->answer != NULL) { /* stale was told; who comes now gets this */
		answer_unref(a->answer);
		a->answer = answer;
		return;
	}
	a->answer = answer;
	timer_stop(&a->patience);
	tell(a, answer, false);
}

enum ask_step
ask_fail(struct ask *a, enum fetch_result result, const struct err *why)
{
	bool is_no = result == FETCH_NOT_FOUND || result == FETCH_DENIED;
	struct index_batch *rows = NULL;
	struct answer *answer = NULL;

	if (!is_no)
		answer = kinds[a->kind].stale(a);
	if (answer == NULL && (answer = answer_new()) != NULL) {
		answer->error = *why;
		answer->error.code = cache_error_code(
		    &a->target, result, kinds[a->kind].unknown, why->code);
	}
	if (is_no && answer != NULL)
		flight_remember(a->cache, &a->key, answer->error.code);
	else if (TAILQ_EMPTY(&a->waiters))
		flight_remember(a->cache, &a->key, ERR_NONE);
	ask_answer(a, answer);
	if (result == FETCH_NOT_FOUND)
		rows = content_unknown(a);
	return rows != NULL ? ask_commit(a, rows) : ask_done(a);
}

enum ask_step
ask_commit(struct ask *a, struct index_batch *batch)
{
	if (batch == NULL) {
		ask_answer(a, NULL);
		return ask_done(a);
	}
	ask_move(a, ASK_COMMIT);
	a->is_writing = true;
	index_commit(a->cache->store, batch, a->cache->origin, on_committed, a);
	return ASK_WAIT;
}

/* BYTES belong to the answer, which the ask holds until it is freed. */
enum ask_step
ask_put(struct ask *a, const struct digest *digest, struct str bytes,
    struct index_batch *batch)
{
	check(batch != NULL);
	ask_move(a, ASK_COMMIT);
	a->is_writing = true;
	a->put.digest = *digest;
	a->put.bytes = bytes;
	a->put.batch = batch;
	a->put.home = a->cache->origin;
	a->put.done = on_put;
	store_put(a->cache->store, &a->put);
	return ASK_WAIT;
}

static enum ask_step
ask_stop(struct ask *a)
{
	struct answer *answer = answer_new();

	if (answer != NULL)
		(void)err_set(&answer->error, ERR_CANCELLED,
		    "the mirror is stopping; ask again");
	ask_answer(a, answer);
	return ask_done(a);
}

enum ask_step
ask_done(struct ask *a)
{
	ask_move(a, ASK_DONE);
	return ASK_WAIT;
}

/* ---- birth and death --------------------------------------------------- */

struct ask *
ask_start(struct cache *c, enum ask_kind kind, const struct target *target,
    struct err *err)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a question");
		return NULL;
	}
	a->cache = c;
	a->kind = kind;
	a->state = ASK_BEGIN;
	target_copy(&a->target, target);
	cache_key(&a->key, kind, target);
	TAILQ_INIT(&a->waiters);
	timer_init(&a->patience, c->origin, on_patience, a);
	timer_init(&a->run_timer, c->origin, on_run_timer, a);
	if (map_put(c->asks, a->key.bytes, a->key.n, a) != 0) {
		(void)err_set(err, ERR_OVERLOADED,
		    "%u questions are being asked upstream already; try again "
		    "later",
		    CACHE_ASKS_MAX);
		target_done(&a->target);
		free(a);
		return NULL;
	}
	cache_busy(c);
	timer_set(&a->run_timer, 0);
	return a;
}

/* Who waits now may go before who waited so far. */
static void
ask_raise(struct ask *a)
{
	bool is_gathering = a->state == ASK_RESOLVE || a->state == ASK_FETCH;
	enum link_class class = class_of(a, a->gather.spec.is_head);
	struct ask *child;

	if (is_gathering && class < a->gather.spec.class)
		gather_set_class(&a->gather, class);
	if (a->state != ASK_CHILD || waiting_class(a) >= a->child.class)
		return;
	a->child.class = waiting_class(a);
	child = find_child(a);
	if (child != NULL)
		ask_raise(child);
}

struct answer *
ask_wait(struct ask *a, struct waiter *w)
{
	if (a->answer != NULL && !w->wants_stored)
		return a->answer;
	TAILQ_INSERT_TAIL(&a->waiters, w, link);
	ask_raise(a);
	if (a->answer == NULL && a->state != ASK_BEGIN &&
	    !timer_is_set(&a->patience)) /* who waited before was told */
		timer_set(&a->patience, ANSWER_PATIENCE_MS);
	return NULL;
}

static void
ask_free(struct ask *a)
{
	struct cache *c = a->cache;

	check(a->answer != NULL && !a->is_writing);
	(void)map_take(c->asks, a->key.bytes, a->key.n);
	tell(a, a->answer, true);
	gather_stop(&a->gather);
	timer_stop(&a->patience);
	timer_stop(&a->run_timer);
	list_pages_free(a->pages);
	answer_unref(a->from_child);
	answer_unref(a->pending);
	answer_unref(a->answer);
	target_done(&a->target);
	free(a);
	cache_idle(c);
}

void
ask_cancel(struct ask *a)
{
	timer_set(&a->run_timer, 0);
}
