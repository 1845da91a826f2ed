/*
 * gather.c - one small thing, whole.
 */
#include "gather.h"

#include <string.h>

#include "common/check.h"

/* clang-format off */
#define TO(s) (1u << GATHER_##s)
static const unsigned may_lead_to[] = {
	[GATHER_IDLE] = TO(TRY),
	[GATHER_TRY]  = TO(RUN) | TO(REST) | TO(OVER),
	[GATHER_RUN]  = TO(TRY) | TO(OVER),
	[GATHER_REST] = TO(TRY) | TO(OVER),
	[GATHER_OVER] = 0,
};
#undef TO
/* clang-format on */

static void step_try(struct gather *);
static void step_run(struct gather *);

static void
gather_move(struct gather *g, enum gather_state to)
{
	check(may_lead_to[g->state] & (1u << to));
	g->state = to;
}

/* ---- from the library: look and store -------------------------------------
 */

static void
copy_cut(char *to, size_t cap, struct str from)
{
	size_t n = from.n < cap ? from.n : 0; /* too long is as good as none */

	memcpy(to, from.p != NULL ? from.p : "", n);
	to[n] = '\0';
}

static int
on_head(void *arg, const struct fetch_head *head, struct err *err)
{
	struct gather *g = arg;

	(void)err;
	g->length = head->length;
	g->digest = head->digest;
	copy_cut(g->content_type, sizeof(g->content_type), head->content_type);
	copy_cut(g->next_link, sizeof(g->next_link), head->link);
	buf_reset(&g->body);
	return 0;
}

static int
on_bytes(void *arg, const void *bytes, size_t n, struct err *err)
{
	struct gather *g = arg;

	buf_add(&g->body, bytes, n);
	if (!g->body.overflow)
		return 0;
	return err_set(err, ERR_UPSTREAM_BROKEN,
	    "%s: %s sent more than the %llu bytes that are allowed",
	    g->spec.target->scope, g->endpoint->name,
	    (unsigned long long)g->spec.max_bytes);
}

static void
on_end(void *arg)
{
	step_run(arg);
}

static void
on_timer(void *arg)
{
	struct gather *g = arg;

	if (g->state == GATHER_OVER) {
		g->spec.on_done(g->spec.arg);
		return;
	}
	gather_move(g, GATHER_TRY);
	step_try(g);
}

/* ---- states -----------------------------------------------------------------
 */

/* From a step that was woken by a callback: on_done may be called at once. */
static void
gather_over(struct gather *g, enum fetch_result result, const struct err *why)
{
	gather_move(g, GATHER_OVER);
	g->result = result;
	if (result != FETCH_DONE)
		g->error = *why;
	timer_set(&g->timer, 0);
}

static bool
has_patience(const struct gather *g, uint64_t wait_ms)
{
	uint64_t gone = loop_now_ms(g->spec.cache->origin) - g->started_ms;

	return gone + wait_ms < g->spec.patience_ms;
}

static void
gather_rest(struct gather *g, uint64_t wait_ms)
{
	if (!has_patience(g, wait_ms)) {
		gather_over(g, g->attempt.result, &g->attempt.error);
		return;
	}
	gather_move(g, GATHER_REST);
	timer_set(&g->timer, wait_ms);
}

static void
gather_run(struct gather *g)
{
	struct fetch_spec spec = {
		.upstreams = g->spec.cache->upstreams,
		.config = g->spec.target->config,
		.upstream = g->spec.target->upstream,
		.endpoint = g->endpoint,
		.target = g->spec.what,
		.is_head = g->spec.is_head,
		.repository = target_repository(g->spec.target),
		.reference = g->spec.reference,
		.class = g->spec.class,
		.max_bytes = g->spec.max_bytes,
		.on_head = on_head,
		.on_bytes = on_bytes,
		.on_end = on_end,
		.arg = g,
	};
	struct err err;

	g->fetch = fetch_start(&spec, &err);
	if (g->fetch == NULL) {
		gather_over(g, FETCH_FAILED, &err);
		return;
	}
	gather_move(g, GATHER_RUN);
}

static void
step_try(struct gather *g)
{
	enum attempt_next next = ATTEMPT_GO;
	uint64_t wait_ms = 0;

	g->attempt.class = g->spec.class;
	if (g->spec.only != NULL && g->endpoint == NULL)
		g->endpoint = g->spec.only;
	else if (g->spec.only != NULL)
		next = ATTEMPT_OVER;
	else
		next = attempt_next(&g->attempt, &g->endpoint, &wait_ms);

	switch (next) {
	case ATTEMPT_GO:
		gather_run(g);
		break;
	case ATTEMPT_WAIT:
		gather_rest(g, wait_ms);
		break;
	case ATTEMPT_OVER:
		gather_over(g, g->attempt.result, &g->attempt.error);
		break;
	}
}

static void
step_run(struct gather *g)
{
	enum fetch_result result = fetch_result(g->fetch);
	struct err err = { 0 };

	if (result == FETCH_DONE &&
	    (g->spec.accept == NULL ||
		g->spec.accept(g->spec.arg, &err) == 0)) {
		gather_over(g, FETCH_DONE, NULL);
	} else {
		if (result == FETCH_DONE)
			attempt_exclude(&g->attempt, g->endpoint, &err);
		else
			attempt_failed(&g->attempt, g->endpoint, result,
			    fetch_error(g->fetch));
		gather_move(g, GATHER_TRY);
	}
	fetch_close(g->fetch);
	g->fetch = NULL;
	if (g->state == GATHER_TRY)
		step_try(g);
}

/* ---- birth and death --------------------------------------------------- */

void
gather_start(struct gather *g, const struct gather_spec *spec)
{
	memset(g, 0, sizeof(*g));
	g->spec = *spec;
	g->started_ms = loop_now_ms(spec->cache->origin);
	attempt_init(
	    &g->attempt, spec->cache->upstreams, spec->target->upstream);
	g->attempt.class = spec->class;
	/* A GET of a manifest is what registries count. */
	g->attempt.is_spending = spec->what == FETCH_MANIFEST && !spec->is_head;
	buf_init(&g->body, spec->max_bytes + 1);
	timer_init(&g->timer, spec->cache->origin, on_timer, g);
	gather_move(g, GATHER_TRY);
	step_try(g);
}

void
gather_set_class(struct gather *g, enum link_class class)
{
	g->spec.class = class;
	g->attempt.class = class;
	if (g->fetch != NULL)
		fetch_set_class(g->fetch, class);
}

bool
gather_is_over(const struct gather *g)
{
	return g->state == GATHER_OVER;
}

void
gather_stop(struct gather *g)
{
	if (g->state == GATHER_IDLE)
		return;
	fetch_close(g->fetch);
	timer_stop(&g->timer);
	buf_done(&g->body);
	memset(g, 0, sizeof(*g));
}
