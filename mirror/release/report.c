/*
 * report.c - what others are shown of releases, images and digests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "release_int.h"

/* ---- summaries ------------------------------------------------------------- */

static bool
is_of(const struct piece *p, const struct release *r)
{
	const struct edge *e;

	TAILQ_FOREACH (e, &p->edges, of_piece)
		if (e->image->release == r)
			return true;
	return false;
}

static uint64_t
coming(const struct piece *p)
{
	uint64_t n = p->want != NULL ? want_coming(p->want) : 0;

	return p->size != 0 && n > p->size ? p->size : n;
}

static uint64_t
coming_of(const struct release *r)
{
	const struct piece *p;
	uint64_t n = 0;

	TAILQ_FOREACH (p, &r->releases->running, running)
		if (is_of(p, r))
			n += coming(p);
	return n;
}

static int64_t
soonest_of(const struct release *r)
{
	const struct piece *p;
	int64_t at = 0;

	TAILQ_FOREACH (p, &r->queue, in_queue)
		if (p->next_try_at != 0 && (at == 0 || p->next_try_at < at))
			at = p->next_try_at;
	return at;
}

static void
read_counts(struct release *r, struct release_counts *out)
{
	struct index_reader *reader = r->releases->reader;
	struct pin_counts c = { 0 };

	(void)index_find_counts(reader, release_pins(r), &c);
	index_release(reader);
	*out = (struct release_counts){ c.n_digests, c.n_missing, c.bytes,
		c.missing_bytes };
}

static void
copy_record(const struct release *r, struct release_summary *s)
{
	const struct record *k = &r->record;

	s->accepted_at = k->accepted_at;
	s->begun_at = k->begun_at;
	s->ready_at = k->ready_at;
	s->lost_at = k->lost_at;
	s->window_at = k->window_at;
	s->has_missed = k->has_missed;
	(void)snprintf(s->held_by, sizeof(s->held_by), "%s", k->held_by);
}

static void
copy_list(const struct release *r, struct release_summary *s)
{
	const struct release_list *l = r->list;

	s->n_images = l->n_images;
	s->priority = l->priority;
	s->catch_up = l->catch_up;
	s->published_at = l->published_at;
	s->not_before = l->not_before;
	s->deadline = l->deadline;
	s->pin_until = l->pin_until;
}

void
report_summary(struct release *r, struct release_summary *s)
{
	struct lag_times times;

	if (r->is_stale)
		release_look(r);
	memset(s, 0, sizeof(*s));
	(void)snprintf(s->name, sizeof(s->name), "%s", r->name);
	copy_list(r, s);
	copy_record(r, s);
	s->state = r->state;
	s->why = r->why;
	memcpy(s->n_in_state, r->n_in_state, sizeof(s->n_in_state));
	s->is_known = r->n_unknown == 0 && r->n_dirty == 0;
	read_counts(r, &s->counts);
	s->coming_bytes = coming_of(r);
	if (s->state == RELEASE_READY && s->counts.n_missing > 0)
		s->state = RELEASE_WARMING; /* the index knows it first */
	if (s->state != RELEASE_READY)
		s->next_try_at = soonest_of(r);
	s->seen_at = now_s();
	times = (struct lag_times){ s->published_at, s->accepted_at,
		s->ready_at, s->lost_at };
	s->lag_s = lag_of(&times, s->state == RELEASE_READY, s->seen_at);
	s->is_in_future = lag_is_in_future(&times, s->seen_at);
}

/* ---- all ---------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct release_summary *)a)->name,
	    ((const struct release_summary *)b)->name);
}

struct release_overview *
report_all(struct releases *rs)
{
	struct release_overview *o = overview_new(rs->n_all);
	struct release *r;
	size_t of;

	if (o == NULL)
		return NULL;
	TAILQ_FOREACH (r, &rs->all, entry)
		if (r->plan == NULL)
			report_summary(r, &o->all[o->n++]);
	qsort(o->all, o->n, sizeof(*o->all), by_name);
	o->freeze = rs->freeze;
	o->is_read = rs->is_read;
	o->lag_s = lag_of_mirror(o->all, o->n, &of);
	if (of < o->n)
		o->lag_release = o->all[of].name;
	return o;
}

/* ---- images --------------------------------------------------------------------- */

static uint64_t
coming_of_image(const struct image *image)
{
	const struct edge *e;
	uint64_t n = 0;

	TAILQ_FOREACH (e, &image->edges, of_image)
		n += coming(e->piece);
	return n;
}

static const char *
keep_text(struct release_view *v, const char *text)
{
	const char *copy;

	if (text[0] == '\0')
		return "";
	copy = pool_copy(&v->pool, str_of(text));
	return copy != NULL ? copy : "";
}

static void
add_image(struct release_view *v, const struct image *image)
{
	struct release_image_view *i = &v->images[v->n_images++];
	struct release_why why;

	memset(i, 0, sizeof(*i));
	i->index = (size_t)(image - image->release->images);
	i->reference = v->list->images[i->index].reference;
	image_state(image, &i->state, &why, &i->next_try_at);
	i->code = keep_text(v, why.code);
	i->text = keep_text(v, why.text);
	i->n_digests = image->n_digests;
	i->n_missing = image->n_missing;
	i->bytes = image->bytes;
	i->missing_bytes = image->missing_bytes;
	i->coming_bytes = coming_of_image(image);
	i->is_known = image->is_known;
}

/* Bytes of it are coming in. */
static bool
is_moving(const struct image *image)
{
	const struct edge *e;

	TAILQ_FOREACH (e, &image->edges, of_image)
		if (e->piece->want != NULL)
			return true;
	return false;
}

static bool
is_asked_for(const struct image *image, const struct report_images *which)
{
	if (which->of_state != 0 && (which->of_state >> image->state & 1) == 0)
		return false;
	return which->since == 0 || image->changed > which->since ||
	    is_moving(image);
}

struct release_view *
report_view(struct release *r, const struct report_images *which)
{
	struct release_view *v = view_new(r->list);
	size_t limit = which->limit, i;

	if (v == NULL)
		return NULL;
	report_summary(r, &v->summary);
	if (limit > r->list->n_images)
		limit = r->list->n_images;
	v->images = pool_take(&v->pool, (limit + 1) * sizeof(*v->images));
	if (v->images == NULL) {
		release_view_unref(v);
		return NULL;
	}
	for (i = which->after; i < r->list->n_images && v->n_images < limit;
	     i++)
		if (is_asked_for(&r->images[i], which))
			add_image(v, &r->images[i]);
	return v;
}

/* ---- digests -------------------------------------------------------------------- */

struct digests {
	struct release *release;
	struct release_view *view;
	size_t cap;
};

static void
show_missing(struct digests *d, struct release_digest_view *out)
{
	struct releases *rs = d->release->releases;
	struct piece *p = piece_find(rs, &out->digest, false);
	struct release_why why = { .code = "" };

	out->state =
	    d->release->state == RELEASE_HELD ? RELEASE_HELD : RELEASE_PENDING;
	if (p == NULL || out->state == RELEASE_HELD)
		return;
	out->state = piece_show(p, &why, &out->next_try_at);
	out->code = keep_text(d->view, why.code);
	out->text = keep_text(d->view, why.text);
	out->coming_bytes = coming(p);
}

static void
add_digest(void *arg, const struct digest *digest, enum release_part part,
    uint64_t size, bool is_here)
{
	struct digests *d = arg;
	struct release_view *v = d->view;
	struct release_digest_view *out;

	if (v->n_digests == d->cap) {
		size_t cap = d->cap == 0 ? 64 : d->cap * 2;
		void *more = pool_take(&v->pool, cap * sizeof(*out));

		if (more == NULL)
			return;
		if (v->n_digests > 0)
			memcpy(more, v->digests, v->n_digests * sizeof(*out));
		v->digests = more;
		d->cap = cap;
	}
	out = &v->digests[v->n_digests++];
	memset(out, 0, sizeof(*out));
	out->digest = *digest;
	out->part = part;
	out->size = size;
	out->state = RELEASE_READY;
	out->code = out->text = "";
	if (!is_here)
		show_missing(d, out);
}

struct release_view *
report_image(struct release *r, size_t image)
{
	struct report_images one = { .after = image, .limit = 1 };
	struct digests d = { .release = r };

	d.view = report_view(r, &one);
	if (d.view != NULL)
		walk_show(&r->images[image], add_digest, &d);
	return d.view;
}
