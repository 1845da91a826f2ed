/*
 * catch_up.c - what becomes of a release whose window passed while the mirror
 * was offline.
 *
 * The window is from not_before (else published_at, else when it was accepted)
 * to the deadline; without a deadline none can be missed.  It was missed when
 * the release is incomplete behind the deadline, and either was waiting then,
 * or the mirror has only just come back.  One that was under way goes on.
 *
 *	immediate   nothing changes
 *	window      the same hours of a later day, again until it is complete
 *	hold        until an operator resumes it
 */
#include "release_int.h"

#define DAY_S 86400

static int64_t
window_from(const struct release *r)
{
	int64_t from = r->list->not_before;

	if (from == 0)
		from = r->list->published_at;
	if (from == 0)
		from = r->record.accepted_at;
	return from < r->list->deadline ? from : r->list->deadline - 3600;
}

/* The first later day on which it is not over yet. */
static void
next_window(struct release *r, int64_t now)
{
	int64_t from = window_from(r), until = r->list->deadline;
	int64_t days = (now - until) / DAY_S + 1;

	r->record.window_at = from + days * DAY_S;
	r->record.window_ends = until + days * DAY_S;
}

static void
miss(struct release *r, int64_t now)
{
	r->record.has_missed = true;
	switch (r->list->catch_up) {
	case CATCH_UP_IMMEDIATE:
		r->record.is_caught = true;
		break;
	case CATCH_UP_WINDOW:
		next_window(r, now);
		break;
	case CATCH_UP_HOLD:
		r->record.is_on_hold = true;
		r->record.is_caught = true;
		break;
	}
}

void
catch_up_look(struct release *r, bool was_offline, int64_t now)
{
	int64_t end = r->record.window_ends != 0 ? r->record.window_ends
						 : r->list->deadline;

	bool is_back = r->is_just_back;

	if (r->n_dirty > 0)
		return;
	r->is_just_back = false;
	if (is_back)
		warm_soon(r->releases);
	if (r->is_complete || end == 0 || now <= end || r->record.is_caught ||
	    r->record.held_by[0] != '\0' || r->releases->freeze.is_on)
		return;
	if (was_offline || is_back)
		miss(r, now);
	else
		r->record.is_caught = true; /* it is under way */
	keep_release(r);
}
