/*
 * release.c - one release: its images, its place in the order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "release_int.h"

/* The highest priority first, then the nearest deadline, then the oldest; a
 * plan, for which somebody waits, before all. */
static bool
is_before(const struct release *a, const struct release *b)
{
	int64_t at = a->list->deadline, bt = b->list->deadline;

	if ((a->plan != NULL) != (b->plan != NULL))
		return a->plan != NULL;
	if (a->list->priority != b->list->priority)
		return a->list->priority > b->list->priority;
	if (at != bt)
		return at != 0 && (bt == 0 || at < bt);
	return a->record.accepted_at < b->record.accepted_at;
}

bool
release_is_before(const struct release *a, const struct release *b)
{
	return a != b && is_before(a, b);
}

static int
make_images(struct release *r)
{
	r->images = calloc(r->list->n_images + 1, sizeof(*r->images));
	if (r->images == NULL)
		return -1;
	for (size_t i = 0; i < r->list->n_images; i++) {
		struct image *image = &r->images[i];

		image->release = r;
		TAILQ_INIT(&image->edges);
		image->source =
		    source_of(r->releases, r->list->images[i].upstream);
		if (image->source == NULL)
			return -1;
	}
	r->n_unknown = r->list->n_images;
	r->n_in_state[RELEASE_PENDING] = r->list->n_images;
	return 0;
}

void
release_name_pins(struct release *r, int64_t generation)
{
	struct releases *rs = r->releases;

	if (rs->generation < generation)
		rs->generation = generation;
	r->record.generation = generation;
	(void)snprintf(r->pins, sizeof(r->pins), "%s:%llx", r->name,
	    (unsigned long long)generation);
}

/* No two have the same, whatever the clock does. */
static int64_t
next_generation(const struct releases *rs)
{
	int64_t now = clock_wall_ms();

	return now > rs->generation ? now : rs->generation + 1;
}

struct str
release_pins(const struct release *r)
{
	return str_of(r->pins);
}

struct release *
release_new(struct releases *rs, const char *name, struct release_list *list,
    char *text, struct err *err)
{
	struct release *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		release_list_unref(list);
		free(text);
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a release");
		return NULL;
	}
	r->releases = rs;
	r->list = list;
	r->text = text;
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	TAILQ_INIT(&r->queue);
	r->record.accepted_at = now_s();
	release_name_pins(r, next_generation(rs));
	if (make_images(r) != 0) {
		release_free(r);
		(void)err_set(err, ERR_NO_MEMORY, "no memory for a release");
		return NULL;
	}
	return r;
}

void
release_free(struct release *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; r->images != NULL && i < r->list->n_images; i++) {
		struct image *image = &r->images[i];

		if (image->is_dirty)
			TAILQ_REMOVE(&r->releases->to_walk, image, to_walk);
		edges_untie(&image->edges);
		free(image->error);
	}
	check(TAILQ_EMPTY(&r->queue));
	gauges_drop(r);
	plan_free(r->plan);
	free(r->images);
	free(r->text);
	release_list_unref(r->list);
	free(r);
}

struct release *
release_find(struct releases *rs, const char *name)
{
	return map_find(rs->by_name, name, strlen(name));
}

static void
insert(struct release *r)
{
	struct releases *rs = r->releases;
	struct release *other;

	TAILQ_FOREACH (other, &rs->all, entry)
		if (is_before(r, other))
			break;
	if (other != NULL)
		TAILQ_INSERT_BEFORE(other, r, entry);
	else
		TAILQ_INSERT_TAIL(&rs->all, r, entry);
	rs->n_all++;
	r->is_listed = true;
}

/* A plan is in the order, but nobody finds it by name. */
int
release_add(struct release *r, struct err *err)
{
	if (r->plan == NULL &&
	    map_put(r->releases->by_name, r->name, strlen(r->name), r) != 0)
		return err_set(err, ERR_OVERLOADED,
		    "there are %d releases already; delete old ones",
		    RELEASES_MAX);
	insert(r);
	return 0;
}

void
release_take(struct release *r)
{
	struct releases *rs = r->releases;

	if (!r->is_listed)
		return;
	r->is_listed = false;
	if (r->plan == NULL)
		(void)map_take(rs->by_name, r->name, strlen(r->name));
	TAILQ_REMOVE(&rs->all, r, entry);
	rs->n_all--;
}
