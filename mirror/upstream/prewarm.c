/*
 * prewarm.c - may a release be brought in from an upstream now, and is that
 * upstream reached?  Looks only: no breaker is probed by it.
 */
#include "common/clock.h"
#include "pace_int.h"
#include "upstream_int.h"

#define LOOK_AGAIN_S 5

static enum prewarm
by_link(struct link_state *l, int64_t now_s, int64_t *at, struct err *err)
{
	if (!link_is_usable(&l->link, CLASS_PREWARM)) {
		pace_refusal(l, CLASS_PREWARM, err);
		return PREWARM_DOWN;
	}
	if (link_prewarm(&l->link) > 0)
		return PREWARM_YES;
	if (l->link.window_until > now_s)
		*at = l->link.window_until;
	(void)err_set(err, ERR_UPSTREAM_LIMITED,
	    "the link %s gives releases nothing at this time", l->name);
	return PREWARM_LATER;
}

bool
upstreams_link_allows(struct upstreams *us, const struct config_endpoint *e,
    enum link_class class)
{
	struct link_state *l = link_state_of(us, e);

	if (l == NULL)
		return true;
	return link_is_usable(&l->link, class) &&
	    (class != CLASS_PREWARM || link_prewarm(&l->link) > 0);
}

/* When a breaker's time has passed it is probed, by whatever comes first. */
static enum prewarm
by_state(const struct upstreams *us, const struct config_upstream *u,
    const struct endpoint_state *s, struct err *err)
{
	if (s->breaker.state == BREAKER_OPEN &&
	    s->breaker.open_until_ms > loop_now_ms(us->loop)) {
		(void)err_set(err, ERR_UPSTREAM_DOWN, "%s is down: %s",
		    s->label, s->last_error.text);
		return PREWARM_DOWN;
	}
	if (!endpoint_is_below_floor(us, u, s))
		return PREWARM_YES;
	(void)err_set(err, ERR_UPSTREAM_LIMITED,
	    "%s: %lld requests are left of its rate limit; they are kept for "
	    "pulls",
	    s->label, (long long)s->ratelimit_remaining);
	return PREWARM_LATER;
}

static enum prewarm
by_endpoint(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e, int64_t *at, struct err *err)
{
	const struct endpoint_state *s = endpoint_state(us, u, e);
	struct link_state *l = link_state_of(us, e);
	int64_t now_s = clock_wall_s();
	enum prewarm verdict = PREWARM_YES;

	*at = now_s + LOOK_AGAIN_S;
	if (l != NULL)
		verdict = by_link(l, now_s, at, err);
	if (verdict == PREWARM_YES && s != NULL)
		verdict = by_state(us, u, s, err);
	return verdict;
}

enum prewarm
upstreams_prewarm(struct upstreams *us, const struct config_upstream *u,
    int64_t *at, struct err *err)
{
	enum prewarm first = PREWARM_DOWN, verdict;
	int64_t soonest = 0;

	(void)err_set(err, ERR_UPSTREAM_DOWN, "%s has no endpoint", u->name);
	for (size_t i = 0; i < u->n_endpoints; i++) {
		struct err why;

		verdict = by_endpoint(us, u, &u->endpoints[i], at, &why);
		if (verdict == PREWARM_YES)
			return PREWARM_YES;
		if (i == 0) {
			first = verdict;
			*err = why;
		}
		if (soonest == 0 || *at < soonest)
			soonest = *at;
	}
	*at = soonest;
	return first;
}

/* ---- reached ----------------------------------------------------------- */

static bool
is_in_order(const struct upstreams *us, const struct endpoint_state *s)
{
	const struct breaker *b = &s->breaker;

	if (!s->was_tried)
		return true;
	switch ((int)endpoint_standing(s)) {
	case STANDING_OFFLINE:
		return false;
	case STANDING_ERRORS:
		return b->state == BREAKER_CLOSED;
	default:
		return b->state != BREAKER_OPEN ||
		    b->open_until_ms <= loop_now_ms(us->loop);
	}
}

static bool
is_reached(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e, struct err *err)
{
	const struct endpoint_state *s = endpoint_state(us, u, e);
	const struct link_state *l = link_state_of(us, e);

	if (l != NULL && !link_is_usable(&l->link, CLASS_PREWARM)) {
		pace_refusal(l, CLASS_PREWARM, err);
		return false;
	}
	if (s == NULL || is_in_order(us, s))
		return true;
	(void)err_set(err, ERR_UPSTREAM_DOWN, "%s is down: %s", s->label,
	    s->last_error.text);
	return false;
}

bool
upstreams_are_reached(
    struct upstreams *us, const struct config_upstream *u, struct err *err)
{
	struct err why;

	(void)err_set(err, ERR_UPSTREAM_DOWN, "%s has no endpoint", u->name);
	for (size_t i = 0; i < u->n_endpoints; i++) {
		if (is_reached(us, u, &u->endpoints[i], &why))
			return true;
		if (i == 0)
			*err = why;
	}
	return false;
}
