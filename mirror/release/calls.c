/*
 * calls.c - what others ask of the releases, one function per verb.
 *
 * A call that changes something is answered when the change is on disk.  What
 * comes before the releases have been read waits for that, but for the
 * overview, which says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "release_int.h"

/* ---- back ----------------------------------------------------------------- */

static void
deliver_answer(struct letter *l)
{
	struct release_call *c = container_of(l, struct release_call, letter);

	c->done(c);
}

void
call_answer(struct releases *rs, struct release_call *c)
{
	(void)rs;
	free(c->inside.text);
	c->inside.text = NULL;
	release_list_unref(c->list);
	config_unref(c->config);
	c->list = NULL;
	c->config = NULL;
	c->letter.deliver = deliver_answer;
	loop_post(c->home, &c->letter);
}

static void
answer_error(struct releases *rs, struct release_call *c, enum err_code code,
    const char *text)
{
	(void)err_set(&c->error, code, "%s", text);
	call_answer(rs, c);
}

void
call_cancel(struct releases *rs, struct release_call *c)
{
	answer_error(rs, c, ERR_CANCELLED, "the mirror is stopping; ask again");
}

static void
no_memory(struct releases *rs, struct release_call *c)
{
	answer_error(rs, c, ERR_NO_MEMORY, "no memory for it; try again");
}

static void
answer_view(struct release *r, struct release_call *c)
{
	struct report_images which = { .limit = 0 };

	if (c->verb == RELEASE_PUT)
		which.limit = SIZE_MAX;
	if (c->verb == RELEASE_IMAGES) {
		which.of_state = c->of_state;
		which.after = c->after;
		which.limit = c->limit;
	}
	c->view = report_view(r, &which);
	if (c->view == NULL)
		no_memory(r->releases, c);
	else
		call_answer(r->releases, c);
}

/* When it is on disk. */
static void
answer_saved(struct releases *rs, struct release_call *c)
{
	if (keep_call(rs, c) != 0)
		no_memory(rs, c);
}

static void
answer_overview(struct releases *rs, struct release_call *c)
{
	c->overview = report_all(rs);
	if (c->overview == NULL)
		no_memory(rs, c);
	else
		call_answer(rs, c);
}

/* What was said is in force, and must not be taken for kept. */
static void
freeze_saved(struct releases *rs, struct release_call *c, const struct err *err)
{
	if (err == NULL) {
		answer_overview(rs, c);
		return;
	}
	(void)err_set(&c->error, err->code,
	    "%s, but only until the next start, since that could not be "
	    "kept: %.250s; say it again",
	    c->verb == RELEASES_FREEZE ? "frozen" : "not frozen", err->text);
	call_answer(rs, c);
}

void
call_saved(struct releases *rs, struct release_call *c, const struct err *err)
{
	struct release *r = release_find(rs, c->name);

	if (c->verb == RELEASES_FREEZE || c->verb == RELEASES_THAW) {
		freeze_saved(rs, c, err);
		return;
	}
	if (err != NULL)
		c->error = *err;
	if (err != NULL || c->verb == RELEASE_DELETE) {
		call_answer(rs, c);
		return;
	}
	if (r != NULL)
		answer_view(r, c);
	else
		answer_error(
		    rs, c, ERR_NOT_FOUND, "the release was deleted meanwhile");
}

/* ---- put --------------------------------------------------------------------- */

static void
put_new(struct releases *rs, struct release_call *c, char *text)
{
	struct release *r;

	r = release_new(
	    rs, c->name, release_list_ref(c->list), text, &c->error);
	if (r == NULL || release_add(r, &c->error) != 0) {
		release_free(r);
		call_answer(rs, c);
		return;
	}
	c->is_new = c->has_changed = true;
	log_info("release accepted", LOG_Z("name", c->name),
	    LOG_U64("images", r->list->n_images), LOG_Z("by", c->by));
	walk_release(r);
	release_touch(r);
	answer_saved(r->releases, c);
}

/* A new one in the place of the old: what both have is pinned by the new one
 * before the old one's pins go. */
static void
put_other(struct release *old, struct release_call *c, char *text)
{
	struct releases *rs = old->releases;
	struct release *r;

	r = release_new(
	    rs, c->name, release_list_ref(c->list), text, &c->error);
	if (r == NULL) {
		call_answer(rs, c);
		return;
	}
	(void)snprintf(r->before, sizeof(r->before), "%s", old->pins);
	memcpy(
	    r->record.held_by, old->record.held_by, sizeof(r->record.held_by));
	memcpy(r->record.held_why, old->record.held_why,
	    sizeof(r->record.held_why));
	if (old->before[0] != '\0')
		keep_unpin(rs, old->before);
	release_take(old);
	check(release_add(r, &c->error) == 0);
	release_free(old);
	c->has_changed = true;
	log_info("release changed", LOG_Z("name", c->name),
	    LOG_U64("images", r->list->n_images), LOG_Z("by", c->by));
	walk_release(r);
	release_touch(r);
	answer_saved(r->releases, c);
}

void
call_put_resolved(struct releases *rs, struct release_call *c)
{
	struct release *r = release_find(rs, c->name);
	char *text = c->inside.text;

	c->inside.text = NULL;
	if (text == NULL)
		text = release_list_text(c->list);
	if (text == NULL) {
		no_memory(rs, c);
	} else if (r == NULL) {
		put_new(rs, c, text);
	} else if (strcmp(r->text, text) == 0) {
		free(text);
		answer_view(r, c);
	} else {
		put_other(r, c, text);
	}
}

static void
call_put(struct releases *rs, struct release_call *c)
{
	if (resolve_is_due(c->list))
		resolve_start(rs, c);
	else
		call_put_resolved(rs, c);
}

static void
call_plan(struct releases *rs, struct release_call *c)
{
	if (resolve_is_due(c->list))
		resolve_start(rs, c);
	else
		plan_start(rs, c);
}

/* ---- delete -------------------------------------------------------------------- */

void
release_delete(struct release *r, const char *why)
{
	struct releases *rs = r->releases;

	log_info("release deleted", LOG_Z("name", r->name), LOG_Z("why", why));
	ears_gone(rs, r->name);
	release_take(r);
	keep_forget(rs, r->name);
	keep_unpin(rs, r->pins);
	if (r->before[0] != '\0')
		keep_unpin(rs, r->before);
	release_free(r);
}

static void
call_delete(struct release *r, struct release_call *c)
{
	struct releases *rs = r->releases;

	release_delete(r, c->by);
	answer_saved(rs, c);
}

/* ---- an operator's word ----------------------------------------------------------- */

static void
call_retry(struct release *r, struct release_call *c)
{
	release_hurry(r);
	release_touch(r);
	answer_view(r, c);
}

static void
call_hold(struct release *r, struct release_call *c)
{
	(void)snprintf(r->record.held_by, sizeof(r->record.held_by), "%s",
	    c->by[0] != '\0' ? c->by : "an operator");
	(void)snprintf(
	    r->record.held_why, sizeof(r->record.held_why), "%s", c->reason);
	warm_stop_held(r->releases);
	release_touch(r);
	answer_saved(r->releases, c);
}

static void
call_resume(struct release *r, struct release_call *c)
{
	r->record.held_by[0] = r->record.held_why[0] = '\0';
	r->record.is_on_hold = false;
	r->record.window_at = r->record.window_ends = 0;
	if (r->record.has_missed)
		r->record.is_caught = true;
	r->idle_until_ms = 0;
	for (size_t i = 0; i < r->list->n_images; i++)
		image_claim(&r->images[i]);
	warm_soon(r->releases);
	release_touch(r);
	answer_saved(r->releases, c);
}

static void
call_verify(struct release *r, struct release_call *c)
{
	verify_start(r->releases, r, c);
}

static void
call_image(struct release *r, struct release_call *c)
{
	if (c->after >= r->list->n_images) {
		answer_error(r->releases, c, ERR_NOT_FOUND,
		    "the release has no image of that number");
		return;
	}
	c->view = report_image(r, c->after);
	if (c->view == NULL)
		no_memory(r->releases, c);
	else
		call_answer(r->releases, c);
}

/* ---- all of them -------------------------------------------------------------------- */

static void
freeze_changed(struct releases *rs)
{
	struct release *r;

	TAILQ_FOREACH (r, &rs->all, entry) {
		r->idle_until_ms = 0;
		release_touch(r);
	}
	warm_stop_held(rs);
	warm_soon(rs);
}

static void
call_freeze(struct releases *rs, struct release_call *c)
{
	rs->freeze = c->freeze;
	rs->freeze.is_on = true;
	rs->freeze.since = now_s();
	log_warn("frozen: gates are closed, nothing is prewarmed",
	    LOG_Z("by", c->freeze.by), LOG_Z("reason", c->freeze.reason),
	    LOG_I64("until", c->freeze.until));
	freeze_changed(rs);
	answer_saved(rs, c);
}

static void
freeze_end(struct releases *rs, const char *by)
{
	log_warn("no longer frozen", LOG_Z("by", by),
	    LOG_Z("reason", rs->freeze.reason));
	memset(&rs->freeze, 0, sizeof(rs->freeze));
	freeze_changed(rs);
}

void
freeze_expire(struct releases *rs)
{
	freeze_end(rs, "its own end");
	keep_freeze(rs);
}

/* Written though nothing is frozen, too: the last write may have failed. */
static void
call_thaw(struct releases *rs, struct release_call *c)
{
	if (rs->freeze.is_on)
		freeze_end(rs, c->by);
	answer_saved(rs, c);
}

/* ---- verbs --------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	void (*on_all)(struct releases *, struct release_call *);
	void (*on_one)(struct release *, struct release_call *);
} verbs[] = {
	[RELEASES_LIST]   = { answer_overview, NULL },
	[RELEASE_VIEW]    = { NULL,        answer_view },
	[RELEASE_IMAGES]  = { NULL,        answer_view },
	[RELEASE_IMAGE]   = { NULL,        call_image },
	[RELEASE_PUT]     = { call_put,    NULL },
	[RELEASE_PLAN]    = { call_plan,   NULL },
	[RELEASE_DELETE]  = { NULL,        call_delete },
	[RELEASE_RETRY]   = { NULL,        call_retry },
	[RELEASE_HOLD]    = { NULL,        call_hold },
	[RELEASE_RESUME]  = { NULL,        call_resume },
	[RELEASE_VERIFY]  = { NULL,        call_verify },
	[RELEASES_FREEZE] = { call_freeze, NULL },
	[RELEASES_THAW]   = { call_thaw,   NULL },
};
/* clang-format on */

static void
call_run(struct releases *rs, struct release_call *c)
{
	struct release *r;

	if (verbs[c->verb].on_all != NULL) {
		verbs[c->verb].on_all(rs, c);
		return;
	}
	r = release_find(rs, c->name);
	if (r != NULL) {
		verbs[c->verb].on_one(r, c);
		return;
	}
	(void)err_set(&c->error, ERR_NOT_FOUND,
	    "there is no release %s; GET /v1/releases lists them", c->name);
	call_answer(rs, c);
}

static void
deliver_call(struct letter *l)
{
	struct release_call *c = container_of(l, struct release_call, letter);
	struct releases *rs = c->inside.releases;

	if (rs->is_closing)
		call_cancel(rs, c);
	else if (!rs->is_read && c->verb != RELEASES_LIST)
		TAILQ_INSERT_TAIL(&rs->early, c, inside.entry);
	else
		call_run(rs, c);
}

static void
run_early(struct releases *rs, bool is_closing)
{
	struct release_call *c;

	while ((c = TAILQ_FIRST(&rs->early)) != NULL) {
		TAILQ_REMOVE(&rs->early, c, inside.entry);
		if (is_closing)
			call_cancel(rs, c);
		else
			call_run(rs, c);
	}
}

void
calls_go_on(struct releases *rs)
{
	run_early(rs, false);
}

void
calls_cancel(struct releases *rs)
{
	run_early(rs, true);
}

/* On the caller's loop. */
void
releases_call(struct releases *rs, struct release_call *c)
{
	release_faults_init(&c->faults);
	c->inside.releases = rs;
	c->inside.text = NULL;
	c->error.code = ERR_NONE;
	if (c->verb == RELEASE_PUT && !resolve_is_due(c->list))
		c->inside.text = release_list_text(c->list);
	c->letter.deliver = deliver_call;
	loop_post(rs->spec.origin, &c->letter);
}
