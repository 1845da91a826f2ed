/*
 * v1_sites.c - GET /v1/sites: who was seen when, and how it went.
 *
 *	?ring=NAME, state=seen|silent|failing, digest=SHA256 (of a manifest:
 *	only who has pulled it), limit, after
 */
#include <stdlib.h>

#include "walk.h"

static unsigned
state_of(const struct walk *w, const struct site *s)
{
	return site_state(s, w->now);
}

static int
set_digest(void *to, struct str key, struct str value, struct err *err)
{
	struct walk *w = to;
	struct digest *digest;

	if (!str_eqz(key, "digest"))
		return admin_query_unknown(key, w->kind->keys, err);
	digest = arena_alloc(&w->exchange->arena, sizeof(*digest));
	if (digest == NULL)
		return err_set(err, ERR_TOO_LARGE, "the request is too long");
	w->arg = digest;
	return digest_parse(digest, value, err);
}

static bool
has_pulled(const struct walk *w, const struct site *s)
{
	return w->arg == NULL || site_pulled_at(s, w->arg) != 0;
}

static void
show_pulled(const struct walk *w, const struct site *s, json_t *site)
{
	if (w->arg != NULL)
		(void)json_object_set_new(site, "pulled_at",
		    admin_json_time(site_pulled_at(s, w->arg)));
}

static const char *const states[SITE_STATES] = { "seen", "silent", "failing" };

static const struct walk_kind all_sites = {
	.keys = "ring, state, digest, limit and after",
	.states = states,
	.n_states = SITE_STATES,
	.state_of = state_of,
	.show = show_pulled,
	.is_asked = has_pulled,
	.set = set_digest,
};

void
v1_sites(struct admin *a, struct exchange *e)
{
	struct walk *w = walk_new(a, e, &all_sites, NULL);

	if (w != NULL && walk_query(w) == 0)
		walk_start(w, json_object());
}
