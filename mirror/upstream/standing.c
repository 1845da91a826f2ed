/*
 * standing.c - how an endpoint, and with it its link, stands, for people.
 *
 * Whom we do not reach is offline: it is not known to have failed.
 */
#include <string.h>

#include "common/map.h"
#include "upstream_int.h"

/* clang-format off */
static const enum endpoint_standing standings[] = {
	[FETCH_RUNNING]     = STANDING_UNTRIED,
	[FETCH_DONE]        = STANDING_ONLINE,
	[FETCH_STOPPED]     = STANDING_ONLINE,
	[FETCH_NOT_FOUND]   = STANDING_ONLINE,
	[FETCH_DENIED]      = STANDING_ONLINE,
	[FETCH_LIMITED]     = STANDING_LIMITED,
	[FETCH_REFUSED]     = STANDING_ONLINE,
	[FETCH_FAILED]      = STANDING_ERRORS,
	[FETCH_UNREACHABLE] = STANDING_OFFLINE,
	[FETCH_BROKEN]      = STANDING_OFFLINE,
	[FETCH_HELD]        = STANDING_OFFLINE,
};
/* clang-format on */

enum endpoint_standing
endpoint_standing(const struct endpoint_state *s)
{
	return standings[s->result];
}

struct tally {
	const char *link;
	size_t n_offline, n_others;
};

static void
tally(const void *key, size_t n, void *value, void *arg)
{
	const struct endpoint_state *s = value;
	struct tally *t = arg;

	(void)key;
	(void)n;
	if (!s->was_tried || strcmp(s->link, t->link) != 0)
		return;
	if (endpoint_standing(s) == STANDING_OFFLINE)
		t->n_offline++;
	else
		t->n_others++;
}

bool
endpoints_are_offline(struct upstreams *us, const char *link)
{
	struct tally t = { .link = link };

	map_each(us->endpoints, tally, &t);
	return t.n_offline > 0 && t.n_others == 0;
}
