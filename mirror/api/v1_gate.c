/*
 * v1_gate.c - GET /v1/releases/NAME/gate: may the next ring open, and if not,
 * why?  Always 200.  GET /v1/releases/NAME/ready: the same as a status, 200 or
 * 503, for probes.
 *
 * A query may tighten the rules of the configuration, never loosen them:
 *
 *	?max_lag=30s, min_hit_ratio=0.99, min_requests=10, max_error_ratio=0.01,
 *	require_ratio=true, verify=true (first reads and hashes all of it,
 *	for which the role release is needed)
 *
 * What is asked of whom: the release (its summary and list), all of them (the
 * freeze), the links; then everything is at hand and gate.c decides.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/units.h"
#include "hits.h"
#include "releases_int.h"

struct question {
	struct gate_rules rules;
	bool is_probe; /* .../ready */
	bool verifies;
	struct release_verified verified; /* when it does */
	struct release_view *view;        /* counted */
	struct gate gate;
};

static void
question_free(void *arg)
{
	struct question *q = arg;

	release_view_unref(q->view);
	free(q);
}

/* ---- the answer --------------------------------------------------------- */

static json_t *
json_reasons(const struct gate_reason *all, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o}", "rule",
			gate_code_rule(all[i].code), "code",
			gate_code_name(all[i].code), "text",
			admin_json_text(all[i].text)));
	return list;
}

static json_t *
json_ratio(uint64_t millionths)
{
	return json_real((double)millionths / 1e6);
}

static json_t *
json_rules(const struct gate_rules *r)
{
	return json_pack("{s:f, s:o, s:I, s:I, s:o, s:b, s:b}",
	    "max_lag_seconds", (double)r->max_lag_ms / 1000.0, "min_hit_ratio",
	    json_ratio(r->min_hit_ratio), "window_seconds",
	    (json_int_t)(r->window_ms / 1000), "min_requests",
	    (json_int_t)r->min_requests, "max_error_ratio",
	    json_ratio(r->max_error_ratio), "require_ratio", r->require_ratio,
	    "require_links", r->require_links);
}

static void
reply(struct exchange *e, const struct question *q, const char *release)
{
	const struct gate *g = &q->gate;

	admin_reply_json(e, q->is_probe && !g->is_open ? 503 : 200,
	    json_pack("{s:b, s:s, s:o, s:o, s:o, s:o}", "open", g->is_open,
		"release", release, "reasons",
		json_reasons(g->reasons, g->n_reasons), "skipped",
		json_reasons(g->skipped, g->n_skipped), "rules",
		json_rules(&q->rules), "evaluated_at",
		admin_json_time(clock_wall_s())));
}

/* ---- gathering facts ---------------------------------------------------- */

static size_t
gate_upstreams(const struct link_look *look, struct gate_upstream *out)
{
	for (size_t i = 0; i < look->n_upstreams; i++) {
		const struct look_upstream *u = &look->upstreams[i];

		out[i] = (struct gate_upstream){ .name = u->name,
			.is_up = u->is_up,
			.why = u->why,
			.is_counted = u->upstream != NULL,
			.requests = u->recent.requests,
			.errors = u->recent.errors };
	}
	if (!look->has_more)
		return look->n_upstreams;
	out[look->n_upstreams] = (struct gate_upstream){
		.name = "those after the first 64 of its upstreams",
		.is_up = true,
	};
	return look->n_upstreams + 1;
}

void
gate_decide_now(const struct link_look *look, const struct gate_rules *rules,
    const struct release_view *view, const struct release_overview *overview,
    const struct release_verified *verified, struct gate *out)
{
	const struct release_summary *s = &view->summary;
	struct gate_upstream upstreams[LOOK_UPSTREAMS_MAX + 1];
	struct gate_facts facts = { .release = s,
		.freeze = &overview->freeze,
		.is_read = overview->is_read,
		.verified = verified,
		.upstreams = upstreams,
		.now_s = clock_wall_s() };

	facts.n_upstreams = gate_upstreams(look, upstreams);
	if (look->admin->hits != NULL)
		facts.traffic = hits_of(look->admin->hits, s->name,
		    (int64_t)(rules->window_ms / 1000), facts.now_s);
	facts.done_at =
	    look_done_at(look, s->counts.missing_bytes, facts.now_s);
	gate_decide(rules, &facts, out);
}

static void
decide(struct link_look *look)
{
	struct release_ask *ask = look->ask;
	struct question *q = ask->arg;

	gate_decide_now(look, &q->rules, q->view, ask->call.overview,
	    q->verifies ? &q->verified : NULL, &q->gate);
	reply(ask->exchange, q, q->view->summary.name);
}

static void
on_overview(struct release_ask *ask)
{
	struct question *q = ask->arg;

	/* look_at_links() takes its upstreams from the ask's view. */
	ask->call.view = release_view_ref(q->view);
	look_at_links(ask, decide);
}

static void
on_view(struct release_ask *ask)
{
	struct question *q = ask->arg;

	q->view = ask->call.view;
	ask->call.view = NULL;
	ask_again(ask, RELEASES_LIST, on_overview);
}

static void
on_verified(struct release_ask *ask)
{
	struct question *q = ask->arg;

	q->verified = ask->call.verified;
	ask_again(ask, RELEASE_VIEW, on_view);
}

/* ---- the question ------------------------------------------------------- */

void
gate_rules_now(struct gate_rules *rules)
{
	struct config *config = config_now();
	const struct config_gate *g = &config->gate;

	*rules = (struct gate_rules){ .max_lag_ms = g->max_lag_ms,
		.min_hit_ratio = g->min_hit_ratio,
		.window_ms = g->window_ms,
		.min_requests = g->min_requests,
		.max_error_ratio = g->max_error_ratio,
		.require_links = g->require_links };
	config_unref(config);
}

static int
looser(struct str key, struct err *err)
{
	char shown[64];

	return err_set(err, ERR_BAD_REQUEST,
	    "%s is looser than the configuration has it; a query can only "
	    "tighten a gate",
	    str_printable(key, shown, sizeof(shown)));
}

/* Not above (or not below) what is in force. */
static int
tighten(uint64_t *rule, uint64_t value, bool is_max, struct str key,
    struct err *err)
{
	if (is_max ? value > *rule : value < *rule)
		return looser(key, err);
	*rule = value;
	return 0;
}

static int
set_flag(bool *flag, struct str value, struct err *err)
{
	uint64_t yes;

	if (!units_bool(value, &yes))
		return err_set(err, ERR_BAD_REQUEST, "is true or false");
	*flag = *flag || yes != 0;
	return 0;
}

static int
set_rule(void *to, struct str key, struct str value, struct err *err)
{
	struct question *q = to;
	struct gate_rules *r = &q->rules;
	uint64_t n;

	if (str_eqz(key, "max_lag") && units_duration(value, &n))
		return tighten(&r->max_lag_ms, n, true, key, err);
	if (str_eqz(key, "max_error_ratio") && units_ratio(value, &n))
		return tighten(&r->max_error_ratio, n, true, key, err);
	if (str_eqz(key, "min_hit_ratio") && units_ratio(value, &n))
		return tighten(&r->min_hit_ratio, n, false, key, err);
	if (str_eqz(key, "min_requests") && str_u64(value, &n))
		return tighten(&r->min_requests, n, true, key, err);
	if (str_eqz(key, "require_ratio"))
		return set_flag(&r->require_ratio, value, err);
	if (str_eqz(key, "verify"))
		return set_flag(&q->verifies, value, err);
	return admin_query_unknown(key,
	    "max_lag=30s, min_hit_ratio=0.99, min_requests=10, "
	    "max_error_ratio=0.01, require_ratio and verify",
	    err);
}

static void
ask_gate(struct admin *a, struct exchange *e, bool is_probe)
{
	struct release_ask *ask = ask_new(a, e, RELEASE_VIEW, on_view);
	struct question *q = calloc(1, sizeof(*q));
	struct err err;

	if (ask == NULL || q == NULL) {
		free(q);
		if (ask == NULL)
			return;
		ask_free(ask);
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for a gate");
		admin_fail(e, &err, NULL);
		return;
	}
	ask->arg = q;
	ask->done = question_free;
	q->is_probe = is_probe;
	gate_rules_now(&q->rules);
	if (admin_query(e, set_rule, q) != 0 ||
	    (q->verifies && !admin_is_allowed(a, e, ROLE_RELEASE))) {
		ask_free(ask);
		return;
	}
	if (q->verifies) {
		ask->call.verb = RELEASE_VERIFY;
		ask->answer = on_verified;
	}
	ask_send(ask);
}

void
v1_gate(struct admin *a, struct exchange *e)
{
	ask_gate(a, e, false);
}

void
v1_ready(struct admin *a, struct exchange *e)
{
	ask_gate(a, e, true);
}
