/*
 * upstream.c - how each endpoint is doing: breaker, errors, rate limit, trust.
 *
 * A state belongs to (upstream, endpoint's label); the label is the endpoint's
 * name, and says the link, too, when the upstream is reached at the same name
 * over several links: one of them being down must not close the others.
 */
#include "upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/map.h"
#include "pace_int.h"
#include "upstream/credentials.h"
#include "upstream/hop.h"
#include "upstream_int.h"

#define ENDPOINTS_MAX 4096
#define LINK_DOWN_MS 1000   /* when to look at it again */
#define LINK_SPENT_MS 60000 /* the same; nobody waits for the next month */
#define DISTRUST_MS (60u * 60 * 1000)
#define WINDOW_MS (6u * 60 * 60 * 1000) /* of a rate limit, unless it is told */
#define FLOOR_MS 60000 /* when to look again below a rate limit's floor */

/* ---- states ------------------------------------------------------------ */

static bool
is_reached_twice(
    const struct config_upstream *u, const struct config_endpoint *e)
{
	for (size_t i = 0; i < u->n_endpoints; i++)
		if (&u->endpoints[i] != e && u->endpoints[i].link != e->link &&
		    strcmp(u->endpoints[i].name, e->name) == 0)
			return true;
	return false;
}

static void
label_of(const struct config_upstream *u, const struct config_endpoint *e,
    char out[LABEL_MAX])
{
	if (e->link != NULL && is_reached_twice(u, e))
		(void)snprintf(
		    out, LABEL_MAX, "%s via %s", e->name, e->link->name);
	else
		(void)snprintf(out, LABEL_MAX, "%s", e->name);
}

static struct endpoint_state *
state_new(const char *upstream, const char *label)
{
	const char *const labels[] = { upstream, label };
	struct endpoint_state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	(void)snprintf(s->upstream, sizeof(s->upstream), "%s", upstream);
	(void)snprintf(s->label, sizeof(s->label), "%s", label);
	s->ratelimit = s->ratelimit_remaining = -1;
	s->up = metric_cell(M_upstream_up, labels);
	s->breaker_state = metric_cell(M_breaker_state, labels);
	return s;
}

static void
set_link(struct endpoint_state *s, const struct config_endpoint *e)
{
	(void)snprintf(s->link, sizeof(s->link), "%s",
	    e->link != NULL ? e->link->name : "");
}

static struct endpoint_state *
state_find(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e, bool make)
{
	char label[LABEL_MAX], key[2 * LABEL_MAX + 2];
	struct endpoint_state *s;
	size_t n;

	label_of(u, e, label);
	(void)snprintf(key, sizeof(key), "%.255s|%s", u->name, label);
	n = strlen(key);
	s = map_find(us->endpoints, key, n);
	if (s != NULL || !make)
		return s;
	s = state_new(u->name, label);
	if (s != NULL)
		set_link(s, e);
	if (s != NULL && map_put(us->endpoints, key, n, s) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

struct endpoint_state *
endpoint_state(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e)
{
	return state_find(us, u, e, true);
}

static void
forget_link(const void *key, size_t n, void *value, void *arg)
{
	struct endpoint_state *s = value;

	(void)key;
	(void)n;
	(void)arg;
	s->link[0] = '\0';
}

int
upstreams_set_links(
    struct upstreams *us, struct config *config, struct err *err)
{
	const struct config_upstream *u;
	struct endpoint_state *s;

	if (link_states_set(us, config, err) != 0)
		return -1;
	map_each(us->endpoints, forget_link, NULL);
	for (size_t i = 0; i < config->n_upstreams; i++) {
		u = &config->upstreams[i];
		for (size_t j = 0; j < u->n_endpoints; j++) {
			s = state_find(us, u, &u->endpoints[j], false);
			if (s != NULL)
				set_link(s, &u->endpoints[j]);
		}
	}
	return 0;
}

/* ---- what happened ----------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *reason; /* in upstream_errors_total; NULL: not counted */
	enum { GOOD, BAD, NEITHER } verdict; /* for the breaker */
} results[] = {
	[FETCH_RUNNING]     = { NULL,          NEITHER },
	[FETCH_DONE]        = { NULL,          GOOD },
	[FETCH_STOPPED]     = { NULL,          GOOD }, /* it had answered */
	[FETCH_NOT_FOUND]   = { NULL,          GOOD },
	[FETCH_DENIED]      = { "denied",      GOOD },
	[FETCH_LIMITED]     = { "limited",     BAD },
	[FETCH_REFUSED]     = { NULL,          GOOD },
	[FETCH_FAILED]      = { "failed",      BAD },
	[FETCH_UNREACHABLE] = { "unreachable", BAD },
	[FETCH_BROKEN]      = { "broken",      BAD },
	[FETCH_HELD]        = { "held",        NEITHER },
};
/* clang-format on */

static unsigned
jitter(void)
{
	unsigned r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return 500;
	return r % 1000;
}

static void
show(struct endpoint_state *s)
{
	metric_set(s->up, s->is_up ? 1 : 0);
	metric_set(s->breaker_state, s->breaker.state);
}

void
endpoint_answered(struct endpoint_state *s, int status)
{
	char code[16];

	(void)snprintf(code, sizeof(code), "%d", status);
	metric_count3(
	    M_upstream_requests_total, s->upstream, s->label, code, 1);
}

/* "93;w=21600": a count, and the window's seconds (0 when they are not told).
 * False when it is anything else. */
static bool
read_limit(struct str header, int64_t *n, uint64_t *window_s)
{
	struct str count, window = header;
	uint64_t u;

	*window_s = 0;
	if (!str_cut(&window, ';', &count) || !str_u64(str_trim(count), &u) ||
	    u > INT64_MAX)
		return false;
	*n = (int64_t)u;
	window = str_trim(window);
	if (str_starts(window, STR("w=")) &&
	    (!str_u64(str_from(window, 2), window_s) || *window_s > 1u << 30))
		*window_s = 0;
	return true;
}

void
endpoint_ratelimit(struct endpoint_state *s, struct upstreams *us,
    struct str limit, struct str remaining)
{
	const char *const labels[] = { s->upstream, s->label };
	uint64_t window_s;

	(void)read_limit(limit, &s->ratelimit, &window_s);
	if (!read_limit(remaining, &s->ratelimit_remaining, &window_s))
		return;
	s->ratelimit_until_ms = loop_now_ms(us->loop) +
	    (window_s > 0 ? window_s * 1000 : WINDOW_MS);
	if (s->remaining == NULL)
		s->remaining =
		    metric_cell(M_upstream_ratelimit_remaining, labels);
	metric_set(s->remaining, s->ratelimit_remaining);
}

void
endpoint_is_back(struct endpoint_state *s)
{
	if (s->result != FETCH_UNREACHABLE && s->result != FETCH_BROKEN)
		return;
	s->result = FETCH_DONE;
	s->is_up = true;
	show(s);
}

static void
trip(struct endpoint_state *s, uint64_t now_ms, uint64_t retry_after_ms)
{
	if (s->result == FETCH_LIMITED)
		breaker_limited(&s->breaker, now_ms, jitter(), retry_after_ms);
	else
		breaker_failed(&s->breaker, now_ms, jitter(), retry_after_ms);
}

/* Over the window of the gates. */
static int64_t
recent_window_s(void)
{
	struct config *config = config_now();
	int64_t window_s =
	    config != NULL ? (int64_t)(config->gate.window_ms / 1000) : 1;

	config_unref(config);
	return window_s;
}

static void
count_recent(struct endpoint_state *s, bool is_error)
{
	const uint64_t values[ROLLING_VALUES] = { 1, is_error };

	rolling_add(&s->recent, recent_window_s(), clock_wall_s(), values);
}

void
upstreams_recent(struct upstreams *us, const struct config_upstream *u,
    struct upstream_recent *out)
{
	const struct endpoint_state *s;
	uint64_t sums[ROLLING_VALUES];

	*out = (struct upstream_recent){ .requests = 0 };
	for (size_t i = 0; i < u->n_endpoints; i++) {
		s = state_find(us, u, &u->endpoints[i], false);
		if (s == NULL)
			continue;
		rolling_sum(
		    &s->recent, recent_window_s(), clock_wall_s(), sums);
		out->requests += sums[0];
		out->errors += sums[1];
	}
}

void
endpoint_ended(struct endpoint_state *s, struct upstreams *us,
    enum fetch_result result, const struct err *err, uint64_t retry_after_ms)
{
	const char *reason = results[result].reason;

	if (reason != NULL)
		metric_count3(
		    M_upstream_errors_total, s->upstream, s->label, reason, 1);
	if (result != FETCH_HELD)
		count_recent(s, reason != NULL);
	if (result == FETCH_HELD) {
		breaker_abandoned(&s->breaker);
		return;
	}
	s->was_tried = true;
	s->result = result;
	if (results[result].verdict == GOOD) {
		s->is_up = true;
		s->last_ok_at = clock_wall_s();
		breaker_succeeded(&s->breaker);
	} else if (results[result].verdict == BAD) {
		s->is_up = result == FETCH_LIMITED;
		s->last_fail_at = clock_wall_s();
		s->last_error = *err;
		trip(s, loop_now_ms(us->loop), retry_after_ms);
	}
	show(s);
}

void
endpoint_abandoned(struct endpoint_state *s)
{
	breaker_abandoned(&s->breaker);
}

/* ---- for cache/ -------------------------------------------------------- */

/* What is left of its rate limit is for pulls.  It is believed until the window
 * must have passed. */
bool
endpoint_is_below_floor(const struct upstreams *us,
    const struct config_upstream *u, const struct endpoint_state *s)
{
	return s->ratelimit_remaining >= 0 &&
	    (uint64_t)s->ratelimit_remaining < u->ratelimit_floor &&
	    loop_now_ms(us->loop) < s->ratelimit_until_ms;
}

bool
upstream_may_try(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e, enum link_class class, uint64_t *wait_ms)
{
	struct endpoint_state *s = state_find(us, u, e, false);
	const struct link_state *l = link_state_of(us, e);
	bool may = true;

	*wait_ms = l != NULL && l->link.is_down ? LINK_DOWN_MS : LINK_SPENT_MS;
	if (l != NULL && !link_is_usable(&l->link, CLASS_PULL))
		return false;
	*wait_ms = FLOOR_MS;
	if (class != CLASS_PULL && s != NULL &&
	    endpoint_is_below_floor(us, u, s))
		return false;
	*wait_ms = 0;
	if (s != NULL) {
		may =
		    breaker_allows(&s->breaker, loop_now_ms(us->loop), wait_ms);
		show(s);
	}
	return may;
}

bool
upstream_has_room(struct upstreams *us, const struct config_endpoint *e,
    enum link_class class)
{
	const struct link_state *l = link_state_of(us, e);

	return l == NULL ||
	    (TAILQ_EMPTY(&l->waiting[class]) && link_has_room(&l->link, class));
}

void
upstream_distrust(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e)
{
	struct endpoint_state *s = endpoint_state(us, u, e);

	if (s != NULL)
		s->distrusted_until_ms = loop_now_ms(us->loop) + DISTRUST_MS;
}

bool
upstream_is_distrusted(struct upstreams *us, const struct config_upstream *u,
    const struct config_endpoint *e)
{
	const struct endpoint_state *s = state_find(us, u, e, false);

	return s != NULL && loop_now_ms(us->loop) < s->distrusted_until_ms;
}

static void
report_state(struct upstreams *us, const struct endpoint_state *s,
    struct endpoint_report *r)
{
	r->was_tried = s->was_tried;
	r->is_up = s->is_up;
	r->standing = endpoint_standing(s);
	r->breaker = s->breaker.state;
	r->last_ok_at = s->last_ok_at;
	r->last_fail_at = s->last_fail_at;
	r->ratelimit = s->ratelimit;
	r->ratelimit_remaining = s->ratelimit_remaining;
	r->is_distrusted = loop_now_ms(us->loop) < s->distrusted_until_ms;
	(void)snprintf(
	    r->last_error, sizeof(r->last_error), "%s", s->last_error.text);
}

static bool
is_out_of_service(struct upstreams *us, const struct config_endpoint *e)
{
	const struct link_state *l = link_state_of(us, e);

	return l != NULL && l->link.is_down;
}

size_t
upstreams_report(struct upstreams *us, const struct config *config,
    struct endpoint_report *out, size_t max)
{
	const struct endpoint_state *s;
	const struct config_upstream *u;
	size_t n = 0;

	for (size_t i = 0; i < config->n_upstreams; i++) {
		u = &config->upstreams[i];
		for (size_t j = 0; j < u->n_endpoints && n < max; j++, n++) {
			out[n] = (struct endpoint_report){ .ratelimit = -1,
				.ratelimit_remaining = -1 };
			(void)snprintf(
			    out[n].upstream, LABEL_MAX, "%s", u->name);
			label_of(u, &u->endpoints[j], out[n].endpoint);
			s = state_find(us, u, &u->endpoints[j], false);
			if (s != NULL)
				report_state(us, s, &out[n]);
			if (is_out_of_service(us, &u->endpoints[j]))
				out[n].standing = STANDING_OFFLINE;
		}
	}
	return n;
}

/* ---- birth and death --------------------------------------------------- */

static int
upstreams_open(struct upstreams *us, struct err *err)
{
	struct pass_desk_spec passes = { .loop = us->loop,
		.connect_ms = &us->connect_ms,
		.answer_ms = &us->first_byte_ms };

	us->endpoints = map_new(ENDPOINTS_MAX);
	us->links = map_new(LINK_STATES_MAX);
	if (us->endpoints == NULL || us->links == NULL)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for upstreams");
	us->curl = curl_loop_new(us->loop, err);
	if (us->curl == NULL)
		return -1;
	us->credentials = credential_desk_new(us->loop, us->pool, err);
	if (us->credentials == NULL)
		return -1;
	passes.curl = us->curl;
	passes.credentials = us->credentials;
	us->passes = pass_desk_new(&passes, err);
	if (us->passes == NULL)
		return -1;
	us->layouts = layout_shelf_new(us->loop, us->pool, err);
	return us->layouts == NULL ? -1 : 0;
}

struct upstreams *
upstreams_new(struct loop *origin, struct work_pool *pool, struct err *err)
{
	struct upstreams *us = calloc(1, sizeof(*us));

	if (us == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for upstreams");
		return NULL;
	}
	us->loop = origin;
	us->pool = pool;
	us->connect_ms = FETCH_CONNECT_MS;
	us->first_byte_ms = FETCH_FIRST_BYTE_MS;
	if (upstreams_open(us, err) != 0) {
		upstreams_free(us);
		return NULL;
	}
	return us;
}

static void
free_state(const void *key, size_t n, void *value, void *arg)
{
	(void)key;
	(void)n;
	(void)arg;
	free(value);
}

void
upstreams_free(struct upstreams *us)
{
	if (us == NULL)
		return;
	check(us->n_fetches == 0);
	layout_shelf_free(us->layouts);
	pass_desk_free(us->passes);
	credential_desk_free(us->credentials);
	curl_loop_free(us->curl);
	link_states_free(us);
	if (us->endpoints != NULL)
		map_each(us->endpoints, free_state, NULL);
	map_free(us->endpoints);
	free(us);
}

void
upstreams_set_patience(
    struct upstreams *us, uint64_t connect_ms, uint64_t first_byte_ms)
{
	us->connect_ms = connect_ms;
	us->first_byte_ms = first_byte_ms;
}
