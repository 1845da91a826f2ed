/*
 * ear.c - who listens to a release: its events, at most five a second.
 *
 * An ear belongs to its home loop, which is told by letters.  The origin loop
 * holds it from the letter that opens it to the one that closes it; it is freed
 * at home when that one has come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "release_int.h"

struct release_ear {
	struct releases *releases;
	struct loop *home;
	char name[RELEASE_NAME_MAX + 1];
	release_ear_fn *fn; /* home's */
	void *arg;
	bool is_closed; /* home's */
	struct letter opening;
	/* Of its own, since the other may still be on its way. */
	struct letter closing;          /* there, and home again */
	TAILQ_ENTRY(release_ear) entry; /* the origin's */
	bool is_listed;
	uint64_t heard; /* the releases' clock at the last event */
};

struct ear_event {
	struct letter letter;
	struct release_ear *ear;
	struct release_view *view; /* counted; NULL: gone */
};

/* ---- at home --------------------------------------------------------------- */

static void
deliver_event(struct letter *l)
{
	struct ear_event *e = container_of(l, struct ear_event, letter);

	if (!e->ear->is_closed)
		e->ear->fn(e->ear->arg, e->view);
	release_view_unref(e->view);
	free(e);
}

static void
deliver_home(struct letter *l)
{
	free(container_of(l, struct release_ear, closing));
}

/* ---- on the origin loop ------------------------------------------------------ */

static void
post_event(struct release_ear *ear, struct release_view *view)
{
	struct ear_event *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		release_view_unref(view);
		return;
	}
	e->ear = ear;
	e->view = view;
	e->letter.deliver = deliver_event;
	loop_post(ear->home, &e->letter);
}

static void
unlist(struct release_ear *ear)
{
	if (ear->is_listed)
		TAILQ_REMOVE(&ear->releases->ears, ear, entry);
	ear->is_listed = false;
}

static void
tell(struct release_ear *ear, struct release *r)
{
	struct report_images which = { .limit = SIZE_MAX, .since = ear->heard };
	struct release_view *view = report_view(r, &which);

	if (view == NULL)
		return;
	ear->heard = ear->releases->clock;
	post_event(ear, view);
}

static void
deliver_open(struct letter *l)
{
	struct release_ear *ear = container_of(l, struct release_ear, opening);
	struct releases *rs = ear->releases;
	struct release *r = release_find(rs, ear->name);

	if (rs->is_closing || (r == NULL && rs->is_read)) {
		post_event(ear, NULL);
		return;
	}
	TAILQ_INSERT_TAIL(&rs->ears, ear, entry);
	ear->is_listed = true;
	if (r != NULL)
		tell(ear, r);
}

static void
deliver_close(struct letter *l)
{
	struct release_ear *ear = container_of(l, struct release_ear, closing);

	unlist(ear);
	ear->closing.deliver = deliver_home;
	loop_post(ear->home, &ear->closing);
}

static bool
is_moving(const struct releases *rs, const struct release *r)
{
	return rs->n_running + rs->n_small > 0 && !r->is_complete;
}

void
ears_tell(void *arg)
{
	struct releases *rs = arg;
	struct release *r, *next;
	struct release_ear *ear;
	bool is_on = false;

	for (r = TAILQ_FIRST(&rs->all); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry); /* a plan may end */
		if (r->is_stale)
			release_look(r);
	}
	TAILQ_FOREACH (ear, &rs->ears, entry) {
		r = release_find(rs, ear->name);
		if (r == NULL)
			continue;
		if (r->changed > ear->heard || is_moving(rs, r))
			tell(ear, r);
		is_on |= is_moving(rs, r);
	}
	if (is_on && !timer_is_set(&rs->tell))
		timer_set(&rs->tell, 500); /* bytes that come */
}

void
ears_gone(struct releases *rs, const char *name)
{
	struct release_ear *ear, *next;

	for (ear = TAILQ_FIRST(&rs->ears); ear != NULL; ear = next) {
		next = TAILQ_NEXT(ear, entry);
		if (strcmp(ear->name, name) != 0)
			continue;
		unlist(ear);
		post_event(ear, NULL);
	}
}

/* ---- for others ---------------------------------------------------------------- */

struct release_ear *
release_ear_open(struct releases *rs, struct loop *home, const char *name,
    release_ear_fn *fn, void *arg)
{
	struct release_ear *ear = calloc(1, sizeof(*ear));

	if (ear == NULL)
		return NULL;
	ear->releases = rs;
	ear->home = home;
	ear->fn = fn;
	ear->arg = arg;
	(void)snprintf(ear->name, sizeof(ear->name), "%s", name);
	ear->opening.deliver = deliver_open;
	loop_post(rs->spec.origin, &ear->opening);
	return ear;
}

void
release_ear_close(struct release_ear *ear)
{
	if (ear == NULL)
		return;
	ear->is_closed = true;
	ear->closing.deliver = deliver_close;
	loop_post(ear->releases->spec.origin, &ear->closing);
}
