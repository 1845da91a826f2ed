/*
 * warm.c - what begins next, and what becomes of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "release_int.h"

#define LANDED_S 15     /* a row is written by then, or it was not kept */
#define LIST_LANDED_S 2 /* it may be another repository's that is wanted */
#define BROKEN_TRIES 4

const struct release_image *
image_of(const struct image *image)
{
	const struct release *r = image->release;

	return &r->list->images[image - r->images];
}

const struct config_upstream *
image_upstream(const struct image *image, struct config *config)
{
	return config_find_upstream(config, str_of(image_of(image)->upstream));
}

/* ---- sources ---------------------------------------------------------------- */

struct source *
source_of(struct releases *rs, const char *upstream)
{
	struct source *s = map_find(rs->sources, upstream, strlen(upstream));

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	(void)snprintf(s->name, sizeof(s->name), "%s", upstream);
	if (map_put(rs->sources, upstream, strlen(upstream), s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

static void
source_set(struct releases *rs, struct source *s, enum source_state state,
    const struct err *why)
{
	bool is_new = s->state != state;
	struct release *r;

	s->state = state;
	if (state != SOURCE_GO) {
		(void)snprintf(s->why.code, sizeof(s->why.code), "%s",
		    state == SOURCE_LATER ? "window" : "upstream_down");
		(void)snprintf(
		    s->why.text, sizeof(s->why.text), "%s", why->text);
	}
	if (!is_new)
		return;
	TAILQ_FOREACH (r, &rs->all, entry) {
		r->idle_until_ms = 0;
		if (!r->is_complete)
			release_touch(r);
	}
	warm_soon(rs);
}

void
source_look(struct releases *rs, struct source *s)
{
	struct config *config = config_now();
	const struct config_upstream *u =
	    config_find_upstream(config, str_of(s->name));
	bool is_down = false;
	struct err err;

	s->look_at = now_s() + 1;
	if (u == NULL ||
	    want_may_begin(rs->spec.cache, u, &is_down, &s->next_at, &err))
		source_set(rs, s, SOURCE_GO, NULL);
	else
		source_set(rs, s, is_down ? SOURCE_DOWN : SOURCE_LATER, &err);
	config_unref(config);
}

static bool
source_may(struct releases *rs, struct source *s, int64_t now)
{
	if (s->look_at == 0) /* else the clock has it looked at */
		source_look(rs, s);
	if (s->state != SOURCE_GO || now < s->hold_until)
		return false;
	return s->n_failures == 0 || s->n_running == 0;
}

/* ---- signs of life ------------------------------------------------------------- */

static void
on_sign(void *arg, const struct want_end *end)
{
	struct source *s = arg;

	(void)end; /* the endpoint's state has it */
	s->probe = NULL;
}

static struct image *
image_from(struct release *r, const char *upstream)
{
	for (size_t i = 0; i < r->list->n_images; i++)
		if (strcmp(r->list->images[i].upstream, upstream) == 0)
			return &r->images[i];
	return NULL;
}

static void
probe(struct image *image, struct config *config)
{
	const struct config_upstream *u = image_upstream(image, config);
	struct want_spec spec = {
		.kind = WANT_SIGN, .on_end = on_sign, .arg = image->source
	};
	struct target target;
	struct err err;

	if (u == NULL)
		return;
	target_init(&target, config, u, str_of(image_of(image)->repository));
	target.digest = image_of(image)->digest;
	spec.target = &target;
	image->source->probe =
	    want_open(image->release->releases->spec.cache, &spec, &err);
	target_done(&target);
}

void
releases_probe(struct releases *rs, const char *release, const char *upstream)
{
	struct release *r = release_find(rs, release);
	struct image *image = r != NULL ? image_from(r, upstream) : NULL;
	struct config *config;

	if (rs->is_closing || image == NULL || image->source == NULL ||
	    image->source->probe != NULL)
		return;
	config = config_now();
	probe(image, config);
	config_unref(config);
}

static void
cancel_probe(const void *key, size_t n, void *source, void *arg)
{
	struct source *s = source;

	(void)key, (void)n, (void)arg;
	want_close(s->probe);
	s->probe = NULL;
}

void
probes_cancel(struct releases *rs)
{
	map_each(rs->sources, cancel_probe, NULL);
}

/* ---- how it ended -------------------------------------------------------------- */

enum verdict { VERDICT_NO, VERDICT_DOWN, VERDICT_AGAIN };

/* A no is the upstream's word on this digest; down is about the upstream;
 * again is neither. */
static enum verdict
judge(const struct piece *p, enum err_code code)
{
	switch ((int)code) {
	case ERR_UPSTREAM_DOWN:
	case ERR_UPSTREAM_STATUS:
	case ERR_UPSTREAM_LIMITED:
	case ERR_TIMED_OUT:
		return VERDICT_DOWN;
	case ERR_UPSTREAM_BROKEN:
		return p->n_tries < BROKEN_TRIES ? VERDICT_AGAIN : VERDICT_NO;
	case ERR_CANCELLED:
	case ERR_NO_MEMORY:
	case ERR_OVERLOADED:
		return VERDICT_AGAIN;
	default:
		return VERDICT_NO;
	}
}

int64_t
warm_back_off(unsigned n_tries, int64_t min_s, int64_t max_s)
{
	int64_t s = max_s;

	if (n_tries < 16 && min_s << n_tries < max_s)
		s = min_s << n_tries;
	return now_s() + s + random() % (s / 4 + 1);
}

static void
piece_failed(struct piece *p, const struct err *why)
{
	struct source *s = p->source;

	switch (judge(p, why->code)) {
	case VERDICT_NO:
		if (why->code != ERR_DISK && why->code != ERR_DISK_FULL &&
		    piece_scope(p, p->scope + 1) != NULL) {
			p->scope++;
			piece_move(p, PIECE_QUEUED);
			return;
		}
		p->scope = 0;
		piece_wait(p, PIECE_FAILED, why,
		    warm_back_off(
			p->n_tries, WARM_FAILED_MIN_S, WARM_FAILED_MAX_S));
		return;
	case VERDICT_DOWN:
		s->hold_until = warm_back_off(
		    s->n_failures++, WARM_RETRY_MIN_S, WARM_RETRY_MAX_S);
		break;
	case VERDICT_AGAIN:
		break;
	}
	piece_wait(p, PIECE_RESTING, why,
	    warm_back_off(p->n_tries, WARM_RETRY_MIN_S, WARM_RETRY_MAX_S));
}

static bool
is_stored(struct piece *p)
{
	struct releases *rs = p->releases;
	struct blob_row row;
	bool is_it = index_find_blob(rs->reader, &p->digest, &row);

	index_release(rs->reader);
	return is_it;
}

static void
on_end(void *arg, const struct want_end *end)
{
	struct piece *p = arg;
	struct err err = end->error;

	p->want = NULL;
	if (err.code != ERR_NONE) {
		piece_failed(p, &err);
		return;
	}
	p->source->n_failures = 0;
	p->source->hold_until = 0;
	if (!piece_is_small(p) && is_stored(p))
		piece_done(p);
	else
		piece_landed(
		    p, now_s() + (p->is_list ? LIST_LANDED_S : LANDED_S));
}

/* It came, but nobody told that it is here. */
static void
landed_late(struct piece *p)
{
	struct err err;

	if (!piece_is_small(p) && is_stored(p)) {
		piece_done(p);
		return;
	}
	(void)err_set(&err, ERR_DISK,
	    "it came in, but was not kept; see the log for what the disk "
	    "said; it is asked for again");
	piece_wait(p, PIECE_RESTING, &err,
	    warm_back_off(p->n_tries, WARM_RETRY_MIN_S, WARM_RETRY_MAX_S));
}

/* ---- beginning ------------------------------------------------------------------ */

static enum want_kind
kind_of(const struct piece *p)
{
	if (p->is_list)
		return WANT_REFERRERS;
	return piece_is_small(p) ? WANT_MANIFEST : WANT_BLOB;
}

static void
open_want(struct piece *p, struct image *image, struct config *config)
{
	struct releases *rs = p->releases;
	const struct config_upstream *u = image_upstream(image, config);
	struct want_spec spec = {
		.kind = kind_of(p), .size = p->size, .on_end = on_end, .arg = p
	};
	struct target target;
	struct err err;

	if (u == NULL) {
		(void)err_set(&err, ERR_NAME_UNKNOWN,
		    "the configuration has no upstream %s any more",
		    image_of(image)->upstream);
		piece_wait(p, PIECE_FAILED, &err, now_s() + WARM_FAILED_MIN_S);
		return;
	}
	target_init(&target, config, u, str_of(image_of(image)->repository));
	target.digest = p->digest;
	spec.target = &target;
	p->source = image->source;
	p->source->n_running++;
	piece_move(p, PIECE_RUNNING);
	TAILQ_INSERT_TAIL(&rs->running, p, running);
	*(piece_is_small(p) ? &rs->n_small : &rs->n_running) += 1;
	p->want = want_open(rs->spec.cache, &spec, &err);
	if (p->want == NULL)
		piece_failed(p, &err);
	target_done(&target);
}

/* When it may begin, now if *at is no later than NOW. */
static struct image *
startable(struct piece *p, int64_t now, int64_t *at)
{
	struct image *image = NULL;

	*at = now + 1;
	if (p->next_try_at > now) {
		*at = p->next_try_at;
		return NULL;
	}
	image = piece_scope(p, p->scope);
	if (image == NULL)
		image = piece_scope(p, p->scope = 0);
	if (image == NULL || !source_may(p->releases, image->source, now))
		return NULL;
	return image;
}

static bool
has_slot(const struct releases *rs, const struct piece *p)
{
	return piece_is_small(p) ? rs->n_small < WARM_MANIFESTS_MAX
				 : rs->n_running < WARM_RUNNING_MAX;
}

struct any_open {
	struct releases *releases;
	int64_t now;
	bool is_it;
};

static void
is_open(const void *key, size_t n, void *value, void *arg)
{
	struct any_open *any = arg;

	(void)key;
	(void)n;
	any->is_it |= source_may(any->releases, value, any->now);
}

/* Else there is no use in looking at further pieces. */
static bool
any_source_may(struct releases *rs, int64_t now)
{
	struct any_open any = { rs, now, false };

	map_each(rs->sources, is_open, &any);
	return any.is_it;
}

/* Begins what of the release may begin; notes when to look again. */
static void
run_release(struct release *r, struct config *config)
{
	struct releases *rs = r->releases;
	int64_t now = now_s(), soonest = now + 60, at;
	struct piece *p, *next;
	bool was_full = false;

	for (p = TAILQ_FIRST(&r->queue); p != NULL; p = next) {
		struct image *image;

		next = TAILQ_NEXT(p, in_queue);
		if (p->state == PIECE_LANDED && p->next_try_at <= now) {
			landed_late(p);
			soonest = now + 1;
			continue;
		}
		if (!has_slot(rs, p)) {
			was_full = true;
			if (rs->n_small >= WARM_MANIFESTS_MAX ||
			    !piece_is_small(p))
				break; /* small ones stand first */
			continue;
		}
		image = startable(p, now, &at);
		if (image != NULL) {
			open_want(p, image, config);
			continue;
		}
		if (at < soonest)
			soonest = at;
		if (!any_source_may(rs, now))
			break;
	}
	if (!was_full)
		r->idle_until_ms = loop_now_ms(rs->spec.origin) +
		    (uint64_t)(soonest - now) * 1000;
}

void
warm_run(void *arg)
{
	struct releases *rs = arg;
	struct config *config = config_now();
	uint64_t now_ms = loop_now_ms(rs->spec.origin);
	struct release *r, *next;

	for (r = TAILQ_FIRST(&rs->all); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (TAILQ_EMPTY(&r->queue) || now_ms < r->idle_until_ms ||
		    !release_may_begin(r))
			continue;
		release_begin(r);
		run_release(r, config);
	}
	config_unref(config);
}

/* What is under way for none but those that were held: it stops where it is. */
void
warm_stop_held(struct releases *rs)
{
	struct piece *p, *next;

	for (p = TAILQ_FIRST(&rs->running); p != NULL; p = next) {
		next = TAILQ_NEXT(p, running);
		if (piece_scope(p, 0) == NULL)
			piece_move(p, PIECE_QUEUED);
	}
}

void
warm_soon(struct releases *rs)
{
	if (!rs->is_closing && !timer_is_set(&rs->run))
		timer_set(&rs->run, 0);
}
