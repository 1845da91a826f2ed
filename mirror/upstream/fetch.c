/*
 * fetch.c - what both kinds of fetches have in common: what is promised and
 * counted, how it ends, and how its owner hears of it.
 *
 * The end is a letter to our own loop, so on_end is called neither inside of
 * fetch_start() nor inside of libcurl.  A fetch that is closed while its letter
 * (or work of it) is out is freed when that comes back.
 */
#include "upstream/fetch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "upstream_int.h"

#define TEXT_MAX_BYTES (16u << 10)

#define FETCH_WORTH_BYTES (64u << 10) /* who sent that much is alive */

/* ---- words ------------------------------------------------------------- */

const char *
fetch_what(const struct fetch *f, char out[FETCH_WHAT_MAX])
{
	const struct fetch_spec *s = &f->spec;
	const char *glue =
	    s->reference.n > 0 && str_index(s->reference, ':') < s->reference.n
	    ? "@"
	    : ":";

	switch (s->target) {
	case FETCH_MANIFEST:
		(void)snprintf(out, FETCH_WHAT_MAX, "manifest %.*s%s%.*s",
		    STR_ARG(s->repository), glue, STR_ARG(s->reference));
		return out;
	case FETCH_BLOB:
		(void)snprintf(out, FETCH_WHAT_MAX, "blob %.*s@%.*s",
		    STR_ARG(s->repository), STR_ARG(s->reference));
		return out;
	case FETCH_TAGS:
		(void)snprintf(out, FETCH_WHAT_MAX, "tags of %.*s",
		    STR_ARG(s->repository));
		return out;
	case FETCH_REFERRERS:
		(void)snprintf(out, FETCH_WHAT_MAX, "referrers of %.*s@%.*s",
		    STR_ARG(s->repository), STR_ARG(s->reference));
		return out;
	case FETCH_PAGE:
		(void)snprintf(out, FETCH_WHAT_MAX, "next page of %.*s",
		    STR_ARG(s->repository));
		return out;
	}
	unreachable("fetch_target");
}

/* ---- verdicts ---------------------------------------------------------- */

int
fetch_judge(struct fetch *f, enum fetch_result result, enum err_code code,
    const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	f->result = result;
	return err_set(&f->err, code, "%s: %s", f->spec.upstream->name, text);
}

bool
fetch_is_judged(const struct fetch *f)
{
	return f->result != FETCH_RUNNING;
}

void
fetch_judge_done(struct fetch *f)
{
	f->result = FETCH_DONE;
	if (!f->spec.is_head && f->length >= 0 &&
	    f->received < (uint64_t)f->length)
		(void)fetch_judge(f, FETCH_BROKEN, ERR_UPSTREAM_BROKEN,
		    "%s ended after %llu of %lld bytes", f->spec.endpoint->name,
		    (unsigned long long)f->received, (long long)f->length);
}

static void
fetch_deliver(struct letter *l)
{
	struct fetch *f = container_of(l, struct fetch, letter);

	if (!f->is_closed)
		f->spec.on_end(f->spec.arg); /* may close it */
	fetch_unref(f);
}

void
fetch_end(struct fetch *f)
{
	check(f->state != FETCH_HAS_ENDED && fetch_is_judged(f));
	check(!f->is_closed);
	f->state = FETCH_HAS_ENDED;
	if (f->received >= FETCH_WORTH_BYTES) /* a bad line, not a dead end */
		breaker_succeeded(&f->endpoint->breaker);
	endpoint_ended(
	    f->endpoint, f->upstreams, f->result, &f->err, f->retry_after_ms);
	f->refs++;
	f->letter.deliver = fetch_deliver;
	loop_post(f->upstreams->loop, &f->letter);
}

/* ---- head and body ----------------------------------------------------- */

int
fetch_give_head(struct fetch *f, const struct fetch_head *head)
{
	const struct fetch_spec *s = &f->spec;
	int rc;

	check(f->state == FETCH_IN_HEAD);
	if (!s->is_head && s->max_bytes > 0 && head->length > 0 &&
	    (uint64_t)head->length > s->max_bytes)
		return fetch_judge(f, FETCH_BROKEN, ERR_UPSTREAM_BROKEN,
		    "%s wants to send %lld bytes where %llu are allowed",
		    s->endpoint->name, (long long)head->length,
		    (unsigned long long)s->max_bytes);
	f->state = FETCH_IN_BODY;
	f->length = head->length;
	endpoint_is_back(f->endpoint);
	f->is_calling = true;
	rc = s->on_head(s->arg, head, &f->err);
	f->is_calling = false;
	if (rc != 0)
		f->result = FETCH_STOPPED;
	return rc;
}

static int
fetch_check_size(struct fetch *f)
{
	const struct fetch_spec *s = &f->spec;

	if (f->length >= 0 && f->received > (uint64_t)f->length)
		return fetch_judge(f, FETCH_BROKEN, ERR_UPSTREAM_BROKEN,
		    "%s sent more than the %lld bytes it had promised",
		    s->endpoint->name, (long long)f->length);
	if (s->max_bytes > 0 && f->received > s->max_bytes)
		return fetch_judge(f, FETCH_BROKEN, ERR_UPSTREAM_BROKEN,
		    "%s sent more than the %llu bytes that are allowed",
		    s->endpoint->name, (unsigned long long)s->max_bytes);
	return 0;
}

int
fetch_give_bytes(struct fetch *f, const void *bytes, size_t n)
{
	const struct fetch_spec *s = &f->spec;
	int rc;

	check(f->state == FETCH_IN_BODY);
	f->received += n;
	metric_add(f->upstream_bytes, (int64_t)n);
	metric_add(f->link_bytes, (int64_t)n);
	if (fetch_check_size(f) != 0)
		return -1;
	f->is_calling = true;
	rc = s->on_bytes(s->arg, bytes, n, &f->err);
	f->is_calling = false;
	if (rc != 0)
		f->result = FETCH_STOPPED;
	return rc;
}

/* ---- birth and death --------------------------------------------------- */

static void
count_into(struct fetch *f)
{
	const struct config_link *link = f->spec.endpoint->link;
	const char *name = link == NULL ? "none" : link->name;
	const char *class = link_class_name(f->spec.class);
	const char *const upstream_labels[] = { f->spec.upstream->name, name,
		class };
	const char *const link_labels[] = { name, class };

	f->upstream_bytes =
	    metric_cell(M_upstream_bytes_total, upstream_labels);
	f->link_bytes = metric_cell(M_link_bytes_total, link_labels);
}

/* The strings of the spec become ours. */
static int
copy_strings(struct fetch *f, struct err *err)
{
	struct str *const all[] = { &f->spec.repository, &f->spec.reference,
		&f->spec.validator };
	size_t n = sizeof(all) / sizeof(all[0]), at = 0;

	buf_init(&f->text, TEXT_MAX_BYTES);
	for (size_t i = 0; i < n; i++)
		buf_adds(&f->text, *all[i]);
	buf_add(&f->text, "", 1);
	if (f->text.overflow)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a fetch");
	for (size_t i = 0; i < n; at += all[i++]->n)
		all[i]->p = f->text.p + at;
	return 0;
}

static struct fetch *
fetch_new(const struct fetch_spec *spec, struct err *err)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a fetch");
		return NULL;
	}
	f->refs = 1;
	f->spec = *spec;
	f->spec.config = config_ref(spec->config);
	f->upstreams = spec->upstreams;
	f->length = -1;
	f->kind = spec->endpoint->kind == ENDPOINT_LAYOUT ? &fetch_kind_layout
							  : &fetch_kind_http;
	if (copy_strings(f, err) != 0) {
		fetch_unref(f);
		return NULL;
	}
	return f;
}

static int
fetch_open(struct fetch *f, struct err *err)
{
	const struct fetch_spec *s = &f->spec;

	f->endpoint = endpoint_state(f->upstreams, s->upstream, s->endpoint);
	if (f->endpoint == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a fetch");
	count_into(f);
	return f->kind->start(f, err);
}

struct fetch *
fetch_start(const struct fetch_spec *spec, struct err *err)
{
	struct fetch *f = fetch_new(spec, err);

	check(loop_is_here(spec->upstreams->loop));
	if (f == NULL)
		return NULL;
	if (fetch_open(f, err) != 0) {
		fetch_unref(f);
		return NULL;
	}
	f->upstreams->n_fetches++;
	return f;
}

void
fetch_unref(struct fetch *f)
{
	check(f->refs > 0);
	if (--f->refs > 0)
		return;
	buf_done(&f->text);
	config_unref(f->spec.config);
	free(f);
}

void
fetch_close(struct fetch *f)
{
	if (f == NULL)
		return;
	check(loop_is_here(f->upstreams->loop));
	check(!f->is_calling && !f->is_closed);
	if (f->state == FETCH_IN_HEAD)
		endpoint_abandoned(f->endpoint);
	else if (f->state == FETCH_IN_BODY)
		endpoint_ended(
		    f->endpoint, f->upstreams, FETCH_STOPPED, NULL, 0);
	f->is_closed = true;
	f->kind->stop(f);
	f->upstreams->n_fetches--;
	f->upstreams = NULL;
	f->endpoint = NULL;
	fetch_unref(f);
}

void
fetch_set_class(struct fetch *f, enum link_class class)
{
	if (f->spec.class == class || f->state == FETCH_HAS_ENDED)
		return;
	f->spec.class = class;
	count_into(f);
	if (f->kind->set_class != NULL && f->of_kind != NULL)
		f->kind->set_class(f);
}

/* ---- looking ----------------------------------------------------------- */

enum fetch_result
fetch_result(const struct fetch *f)
{
	return f->state == FETCH_HAS_ENDED ? f->result : FETCH_RUNNING;
}

const struct err *
fetch_error(const struct fetch *f)
{
	return &f->err;
}

uint64_t
fetch_retry_after_ms(const struct fetch *f)
{
	return f->retry_after_ms;
}
