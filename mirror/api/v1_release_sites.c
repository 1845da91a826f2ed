/*
 * v1_release_sites.c - GET /v1/releases/NAME/sites: how far the sites are with
 * a release.
 *
 *	?ring=NAME, state=seen|not_yet|failing, site=NAME (this one, and when
 *	it pulled which image), limit, after
 *
 * A site has pulled an image when it was sent the manifest that the release's
 * list names; whoever had it before does not ask for it, so an image that is
 * not pulled may be there all the same.
 */
#include <stdlib.h>

#include "releases_int.h"
#include "site/manifest_set.h"
#include "walk.h"

enum release_site_state { NOT_YET, SEEN, FAILING, RELEASE_SITE_STATES };

static const char *const states[RELEASE_SITE_STATES] = {
	[NOT_YET] = "not_yet",
	[SEEN] = "seen",
	[FAILING] = "failing",
};

struct of_release {
	struct release_view *view; /* counted */
	struct manifest_set *set;  /* owned */
	struct str site;           /* p == NULL: all; in the exchange's arena */
};

static void
of_release_free(struct of_release *r)
{
	if (r == NULL)
		return;
	release_view_unref(r->view);
	manifest_set_free(r->set);
	free(r);
}

/* NULL when out of memory. */
static struct of_release *
of_release_new(struct release_view *view)
{
	const struct release_list *list = view->list;
	struct of_release *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->set = manifest_set_new(list->n_images);
	if (r == NULL || r->set == NULL) {
		free(r);
		return NULL;
	}
	for (size_t i = 0; i < list->n_images; i++)
		if (list->images[i].digest.alg != 0)
			manifest_set_add(r->set, &list->images[i].digest);
	manifest_set_close(r->set);
	r->view = release_view_ref(view);
	return r;
}

/* ---- one site ----------------------------------------------------------- */

static unsigned
state_of(const struct walk *w, const struct site *s)
{
	const struct of_release *r = w->arg;
	int64_t last_at;

	if (site_state(s, w->now) == SITE_FAILING)
		return FAILING;
	return manifest_set_pulled(r->set, s, &last_at) > 0 ? SEEN : NOT_YET;
}

static bool
is_asked(const struct walk *w, const struct site *s)
{
	const struct of_release *r = w->arg;

	return r->site.p == NULL || str_eqz(r->site, s->name);
}

static json_t *
json_pulled(const struct release_list *list, const struct site *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->n_images; i++) {
		const struct release_image *image = &list->images[i];

		(void)json_array_append_new(all,
		    json_pack("{s:o, s:o}", "image",
			admin_json_text(image->reference), "pulled_at",
			admin_json_time(site_pulled_at(s, &image->digest))));
	}
	return all;
}

static void
show(const struct walk *w, const struct site *s, json_t *site)
{
	const struct of_release *r = w->arg;
	int64_t last_at;
	size_t n = manifest_set_pulled(r->set, s, &last_at);

	(void)json_object_set_new(
	    site, "images_pulled", json_integer((json_int_t)n));
	(void)json_object_set_new(site, "images",
	    json_integer((json_int_t)manifest_set_count(r->set)));
	(void)json_object_set_new(
	    site, "last_image_at", admin_json_time(last_at));
	if (r->site.p != NULL)
		(void)json_object_set_new(
		    site, "pulled", json_pulled(r->view->list, s));
}

/* ---- what is asked ------------------------------------------------------ */

static int
set_site(void *to, struct str key, struct str value, struct err *err)
{
	struct walk *w = to;
	struct of_release *r = w->arg;

	if (!str_eqz(key, "site"))
		return admin_query_unknown(key, w->kind->keys, err);
	r->site = value.n > 0 ? value : STR("");
	return 0;
}

static void
done(struct walk *w)
{
	of_release_free(w->arg);
}

static const struct walk_kind sites_of_release = {
	.keys = "ring, state, site, limit and after",
	.states = states,
	.n_states = RELEASE_SITE_STATES,
	.state_of = state_of,
	.show = show,
	.is_asked = is_asked,
	.set = set_site,
	.done = done,
};

static void
on_view(struct release_ask *ask)
{
	struct of_release *r = of_release_new(ask->call.view);
	struct walk *w;
	struct err err;

	if (r == NULL) {
		(void)err_set(&err, ERR_NO_MEMORY, "no memory for an answer");
		admin_fail(ask->exchange, &err, NULL);
		return;
	}
	w = walk_new(ask->admin, ask->exchange, &sites_of_release, r);
	if (w == NULL)
		of_release_free(r);
	else if (walk_query(w) == 0)
		walk_start(w,
		    json_pack("{s:s, s:I}", "release", ask->call.name, "images",
			(json_int_t)manifest_set_count(r->set)));
}

void
v1_release_sites(struct admin *a, struct exchange *e)
{
	struct release_ask *ask = ask_new(a, e, RELEASE_VIEW, on_view);

	if (ask != NULL)
		ask_send(ask);
}
