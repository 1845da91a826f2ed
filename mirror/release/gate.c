/*
 * gate.c - one function per rule, all of them asked in their order.
 */
#include "release/gate.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/amount.h"
#include "common/clock.h"

#define MICRO 1000000u

struct decision {
	const struct gate_rules *rules;
	const struct gate_facts *facts;
	struct gate *gate;
};

/* ---- codes -------------------------------------------------------------- */

const char *
gate_code_name(enum gate_code code)
{
	static const char *const names[] = {
#define GATE_CODE(id, code, rule) [GATE_##id] = code,
#include "tbl/gate_codes.h"
	};

	return names[code];
}

const char *
gate_code_rule(enum gate_code code)
{
	static const char *const rules[] = {
#define GATE_CODE(id, code, rule) [GATE_##id] = rule,
#include "tbl/gate_codes.h"
	};

	return rules[code];
}

/* ---- reasons ------------------------------------------------------------ */

__attribute__((format(printf, 4, 0))) static void
vadd(struct gate_reason *all, size_t *n, enum gate_code code, const char *fmt,
    va_list ap)
{
	if (*n == GATE_REASONS_MAX)
		return;
	all[*n].code = code;
	(void)vsnprintf(all[*n].text, sizeof(all[*n].text), fmt, ap);
	(*n)++;
}

__attribute__((format(printf, 3, 4))) static void
close_gate(struct decision *d, enum gate_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vadd(d->gate->reasons, &d->gate->n_reasons, code, fmt, ap);
	va_end(ap);
	d->gate->is_open = false;
}

__attribute__((format(printf, 3, 4))) static void
skip(struct decision *d, enum gate_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vadd(d->gate->skipped, &d->gate->n_skipped, code, fmt, ap);
	va_end(ap);
}

/* ---- complete ----------------------------------------------------------- */

static void
close_missing(struct decision *d)
{
	const struct release_summary *r = d->facts->release;
	size_t n_left = r->n_images - r->n_in_state[RELEASE_READY];
	char bytes[AMOUNT_TEXT_MAX], time[AMOUNT_TEXT_MAX] = "";
	const char *about = "";
	uint64_t left = r->counts.missing_bytes > r->coming_bytes
	    ? r->counts.missing_bytes - r->coming_bytes
	    : 0;

	if (d->facts->done_at > d->facts->now_s) {
		about = ", about ";
		(void)amount_duration(
		    d->facts->done_at - d->facts->now_s, time);
	}
	close_gate(d, GATE_BYTES_MISSING,
	    "%zu of %zu images incomplete, %s%s to go%s%s%s%s", n_left,
	    r->n_images, r->is_known ? "" : "at least ",
	    amount_bytes(left, bytes), about, time,
	    r->why.text[0] != '\0' ? "; " : "", r->why.text);
}

static void
rule_complete(struct decision *d)
{
	const struct release_summary *r = d->facts->release;

	if (!d->facts->is_read) {
		close_gate(d, GATE_STATE_UNKNOWN,
		    "this mirror has just started and still reads what it "
		    "kept");
		return;
	}
	if (r->n_in_state[RELEASE_FAILED] > 0)
		close_gate(d, GATE_IMAGES_FAILED,
		    "%zu of %zu images failed%s%s",
		    r->n_in_state[RELEASE_FAILED], r->n_images,
		    r->why.text[0] != '\0' ? ": " : "", r->why.text);
	if (r->counts.n_missing > 0 ||
	    r->n_in_state[RELEASE_READY] < r->n_images)
		close_missing(d);
	else if (!r->is_known)
		close_gate(d, GATE_NOT_WALKED,
		    "not all manifests of its %zu images have been read yet",
		    r->n_images);
	else if (r->state != RELEASE_READY && r->state != RELEASE_HELD)
		close_gate(d, GATE_NOT_PINNED,
		    "all of its %zu images are here, but not yet marked to "
		    "stay",
		    r->n_images);
}

static void
rule_verified(struct decision *d)
{
	const struct release_verified *v = d->facts->verified;

	if (v != NULL && v->n_unread > 0)
		close_gate(d, GATE_BYTES_UNREAD,
		    "%llu of its digests could not be read, so nothing is "
		    "known of them (%.200s); look at the disk and ask again",
		    (unsigned long long)v->n_unread, v->why);
}

/* ---- said by people ----------------------------------------------------- */

static void
rule_held(struct decision *d)
{
	const struct release_summary *r = d->facts->release;

	if (r->held_by[0] != '\0')
		close_gate(d, GATE_HELD, "held by %s%s%s", r->held_by,
		    r->why.text[0] != '\0' ? ": " : "", r->why.text);
	else if (r->state == RELEASE_HELD && !d->facts->freeze->is_on)
		close_gate(d, GATE_HELD, "held: %s", r->why.text);
}

static void
rule_frozen(struct decision *d)
{
	const struct freeze *f = d->facts->freeze;
	char until[CLOCK_TEXT_MAX] = "lifted";

	if (!f->is_on)
		return;
	if (f->until != 0)
		(void)clock_rfc3339(f->until * 1000, until);
	close_gate(d, GATE_FROZEN, "frozen by %s until %s: %s",
	    f->by[0] != '\0' ? f->by : "an operator", until,
	    f->reason[0] != '\0' ? f->reason : "no reason was given");
}

/* ---- lag ---------------------------------------------------------------- */

static void
rule_lag(struct decision *d)
{
	const struct release_summary *r = d->facts->release;
	uint64_t max_ms = d->rules->max_lag_ms;
	char lag[AMOUNT_TEXT_MAX], max[AMOUNT_TEXT_MAX];

	if (r->is_in_future && r->counts.n_missing > 0) {
		close_gate(d, GATE_CLOCK_SKEW,
		    "published_at is %s ahead of this mirror's clock, so its "
		    "lag can't be told; look at both clocks",
		    amount_duration(r->published_at - d->facts->now_s, lag));
		return;
	}
	if (r->lag_s <= 0 || (uint64_t)r->lag_s <= max_ms / 1000)
		return;
	close_gate(d, GATE_LAG_HIGH, "%s behind its publication, at most %s",
	    amount_duration(r->lag_s, lag),
	    amount_duration((int64_t)(max_ms / 1000), max));
}

/* ---- ratios ------------------------------------------------------------- */

/* Millionths, rounded down: 97.9999 % is not 98 %. */
static uint64_t
ratio_of(uint64_t part, uint64_t all)
{
	double ratio;

	if (part >= all)
		return MICRO;
	ratio = (double)part / (double)all * MICRO;
	return ratio < MICRO ? (uint64_t)ratio : MICRO - 1;
}

static void
compare_ratio(
    struct decision *d, enum gate_code code, uint64_t ratio, const char *of)
{
	char is[AMOUNT_TEXT_MAX], min[AMOUNT_TEXT_MAX], in[AMOUNT_TEXT_MAX];

	if (ratio >= d->rules->min_hit_ratio)
		return;
	close_gate(d, code,
	    "hit ratio by %s %s over %s (%llu requests), at least %s is asked",
	    of, amount_percent(ratio, is),
	    amount_duration((int64_t)(d->rules->window_ms / 1000), in),
	    (unsigned long long)d->facts->traffic.requests,
	    amount_percent(d->rules->min_hit_ratio, min));
}

static void
few_requests(struct decision *d)
{
	char in[AMOUNT_TEXT_MAX], text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
	    "%llu requests for it in %s, %llu are needed for a hit ratio",
	    (unsigned long long)d->facts->traffic.requests,
	    amount_duration((int64_t)(d->rules->window_ms / 1000), in),
	    (unsigned long long)d->rules->min_requests);
	if (d->rules->require_ratio) {
		close_gate(d, GATE_RATIO_FEW, "%s", text);
		return;
	}
	skip(d, GATE_RATIO_LOW, "%s", text);
	skip(d, GATE_BYTE_RATIO_LOW, "%s", text);
}

static void
rule_ratio(struct decision *d)
{
	const struct gate_traffic *t = &d->facts->traffic;

	if (!t->is_known) {
		close_gate(d, GATE_RATIO_UNKNOWN,
		    "this mirror has not counted the requests for it");
		return;
	}
	if (t->requests == 0 || t->requests < d->rules->min_requests) {
		few_requests(d);
		return;
	}
	compare_ratio(
	    d, GATE_RATIO_LOW, ratio_of(t->hits, t->requests), "requests");
	compare_ratio(
	    d, GATE_BYTE_RATIO_LOW, ratio_of(t->hit_bytes, t->bytes), "bytes");
}

/* ---- upstreams ---------------------------------------------------------- */

static void
compare_errors(struct decision *d, const struct gate_upstream *u)
{
	uint64_t ratio = u->requests > 0 ? ratio_of(u->errors, u->requests) : 0;
	char is[AMOUNT_TEXT_MAX], max[AMOUNT_TEXT_MAX], in[AMOUNT_TEXT_MAX];

	(void)amount_duration((int64_t)(d->rules->window_ms / 1000), in);
	if (u->requests == 0 || u->requests < d->rules->min_requests)
		skip(d, GATE_ERRORS_HIGH,
		    "%llu requests to %s in %s, %llu are needed for an error "
		    "ratio",
		    (unsigned long long)u->requests, u->name, in,
		    (unsigned long long)d->rules->min_requests);
	else if (ratio > d->rules->max_error_ratio)
		close_gate(d, GATE_ERRORS_HIGH,
		    "%llu of %llu requests to %s failed over %s (%s), at most "
		    "%s may",
		    (unsigned long long)u->errors,
		    (unsigned long long)u->requests, u->name, in,
		    amount_percent(ratio, is),
		    amount_percent(d->rules->max_error_ratio, max));
}

static void
rule_errors(struct decision *d)
{
	for (size_t i = 0; i < d->facts->n_upstreams; i++) {
		const struct gate_upstream *u = &d->facts->upstreams[i];

		if (u->is_counted)
			compare_errors(d, u);
		else
			close_gate(d, GATE_ERRORS_UNKNOWN,
			    "this mirror has not counted its requests to %s",
			    u->name);
	}
}

static void
rule_links(struct decision *d)
{
	for (size_t i = 0; i < d->facts->n_upstreams; i++) {
		const struct gate_upstream *u = &d->facts->upstreams[i];

		if (u->is_up)
			continue;
		if (d->rules->require_links)
			close_gate(d, GATE_LINK_DOWN, "%s can't be reached: %s",
			    u->name, u->why);
		else
			skip(d, GATE_LINK_DOWN,
			    "%s can't be reached (%s), which is not asked",
			    u->name, u->why);
	}
}

void
gate_decide(const struct gate_rules *rules, const struct gate_facts *facts,
    struct gate *out)
{
	static void (*const all[])(struct decision *) = { rule_complete,
		rule_verified, rule_held, rule_frozen, rule_lag, rule_ratio,
		rule_errors, rule_links };
	struct decision d = { rules, facts, out };

	out->is_open = true;
	out->n_reasons = out->n_skipped = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		all[i](&d);
}
