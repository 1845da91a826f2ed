/*
 * plan.c - what a release would bring in: it is walked like one, with its
 * manifests fetched where they are not here, but nothing is pinned and no blob
 * asked for.
 *
 * Each digest counts once, for the upstream of the image that names it first.
 * It ends when all manifests were read, or nothing comes any more (an upstream
 * is down), or at PLAN_MAX_S.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "release_int.h"

#define PLAN_MAX_S 50
#define SEEN_MAX (1u << 20)

struct plan {
	struct release_call *call;
	struct map *seen;
	struct share_list {
		struct release_share
		    *all; /* owned; upstreams by their source */
		size_t n, cap;
	} shares;
	int64_t begun_at;
};

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	map_free(p->seen);
	free(p->shares.all);
	free(p);
}

static struct release_share *
share_of(struct plan *p, const char *upstream)
{
	struct share_list *s = &p->shares;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->all[i].upstream, upstream) == 0)
			return &s->all[i];
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 8 : s->cap * 2;
		void *more = reallocarray(s->all, cap, sizeof(*s->all));

		if (more == NULL)
			return NULL;
		s->all = more;
		s->cap = cap;
	}
	s->all[s->n] = (struct release_share){ .upstream = upstream };
	return &s->all[s->n++];
}

/* A manifest that was missing and has come by now counts as missing: this is
 * what the release would have cost before it was asked. */
void
plan_seen(
    struct image *image, const struct digest *d, uint64_t size, bool is_here)
{
	struct plan *p = image->release->plan;
	size_t n = digest_key_size(d);
	struct release_share *s;

	if (map_find(p->seen, d, n) != NULL)
		return;
	s = share_of(p, image->source->name);
	if (s == NULL || map_put(p->seen, d, n, p) != 0)
		return;
	s->counts.n_digests++;
	s->counts.bytes += size;
	if (is_here)
		return;
	s->counts.n_missing++;
	s->counts.missing_bytes += size;
}

static void
sum_up(const struct plan *p, struct release_view *v)
{
	struct release_counts *c = &v->summary.counts;
	const struct share_list *s = &p->shares;

	memset(c, 0, sizeof(*c));
	v->shares = pool_take(&v->pool, (s->n + 1) * sizeof(*v->shares));
	for (size_t i = 0; i < s->n; i++) {
		const struct release_counts *of = &s->all[i].counts;

		c->n_digests += of->n_digests;
		c->n_missing += of->n_missing;
		c->bytes += of->bytes;
		c->missing_bytes += of->missing_bytes;
		if (v->shares == NULL)
			continue;
		v->shares[i] = s->all[i];
		v->shares[i].upstream =
		    pool_copy(&v->pool, str_of(s->all[i].upstream));
		v->n_shares = i + 1;
	}
}

static void
plan_end(struct release *r)
{
	struct releases *rs = r->releases;
	struct report_images all = { .limit = SIZE_MAX };
	struct release_call *c = r->plan->call;

	r->is_stale = false;
	c->view = report_view(r, &all);
	if (c->view != NULL)
		sum_up(r->plan, c->view);
	else
		(void)err_set(
		    &c->error, ERR_NO_MEMORY, "no memory for the plan");
	release_take(r);
	release_free(r);
	call_answer(rs, c);
}

/* Will something come yet, without waiting for a window or an upstream? */
static bool
is_moving(const struct release *r)
{
	for (size_t i = 0; i < r->list->n_images; i++) {
		const struct image *image = &r->images[i];

		if (image->state == RELEASE_WARMING ||
		    (image->state == RELEASE_PENDING &&
			image->source->state == SOURCE_GO))
			return true;
	}
	return false;
}

void
plan_look(struct release *r)
{
	bool is_on = r->n_dirty > 0 || (r->n_unknown > 0 && is_moving(r));

	if (!is_on || now_s() >= r->plan->begun_at + PLAN_MAX_S)
		plan_end(r);
}

void
plan_start(struct releases *rs, struct release_call *c)
{
	struct release *r;
	struct plan *p;

	r = release_new(rs, "plan", release_list_ref(c->list), NULL, &c->error);
	p = r != NULL ? calloc(1, sizeof(*p)) : NULL;
	if (p != NULL)
		p->seen = map_new(SEEN_MAX);
	if (p == NULL || p->seen == NULL) {
		plan_free(p);
		release_free(r);
		(void)err_set(&c->error, ERR_NO_MEMORY, "no memory for a plan");
		call_answer(rs, c);
		return;
	}
	p->call = c;
	p->begun_at = now_s();
	r->plan = p;
	check(release_add(r, &c->error) == 0);
	walk_release(r);
	release_touch(r);
}

void
plans_cancel(struct releases *rs)
{
	struct release *r, *next;

	for (r = TAILQ_FIRST(&rs->all); r != NULL; r = next) {
		struct release_call *c;

		next = TAILQ_NEXT(r, entry);
		if (r->plan == NULL)
			continue;
		c = r->plan->call;
		release_take(r);
		release_free(r);
		(void)err_set(&c->error, ERR_CANCELLED,
		    "the mirror is stopping; ask again");
		call_answer(rs, c);
	}
}
