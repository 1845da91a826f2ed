/*
 * list_text.c - a list as JSON in one form, and a list with its tags resolved.
 *
 * What is in a list was checked when it was read: no text of it holds a quote,
 * a backslash or a byte that JSON would have to escape.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "list_int.h"

#define TEXT_MAX (64u << 20)

/* ---- as text ------------------------------------------------------------ */

static void
add_platforms(struct buf *b, const char *const *all, size_t n)
{
	buf_addz(b, ", \"platforms\": [");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "", all[i]);
	buf_addz(b, "]");
}

static void
add_image(struct buf *b, const struct release_list *l,
    const struct release_image *image)
{
	buf_printf(b, "{\"image\": \"%s\"", image->reference);
	if (image->platforms != l->platforms)
		add_platforms(b, image->platforms, image->n_platforms);
	if (image->platforms_optional != l->platforms_optional)
		buf_printf(b, ", \"platforms_optional\": %s",
		    image->platforms_optional ? "true" : "false");
	buf_addz(b, "}");
}

static void
add_flag(struct buf *b, const char *key, bool is_set)
{
	if (is_set)
		buf_printf(b, ", \"%s\": true", key);
}

static void
add_moment(struct buf *b, const char *key, int64_t wall_s)
{
	char text[CLOCK_TEXT_MAX];

	if (wall_s != 0)
		buf_printf(b, ", \"%s\": \"%s\"", key,
		    clock_rfc3339(wall_s * 1000, text));
}

char *
release_list_text(const struct release_list *l)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	buf_addz(&b, "{\"images\": [");
	for (size_t i = 0; i < l->n_images; i++) {
		buf_addz(&b, i > 0 ? ",\n" : "\n");
		add_image(&b, l, &l->images[i]);
	}
	buf_addz(&b, "]");
	if (l->n_platforms > 0)
		add_platforms(&b, l->platforms, l->n_platforms);
	add_flag(&b, "platforms_optional", l->platforms_optional);
	add_flag(&b, "referrers", l->referrers);
	add_flag(&b, "resolve_tags", l->resolve_tags);
	add_moment(&b, "published_at", l->published_at);
	add_moment(&b, "not_before", l->not_before);
	add_moment(&b, "deadline", l->deadline);
	add_moment(&b, "pin_until", l->pin_until);
	if (l->priority != 5)
		buf_printf(&b, ", \"priority\": %u", l->priority);
	if (l->catch_up != CATCH_UP_IMMEDIATE)
		buf_printf(
		    &b, ", \"catch_up\": \"%s\"", catch_up_name(l->catch_up));
	buf_addz(&b, "}\n");
	if (!b.overflow)
		return buf_take(&b);
	buf_done(&b);
	return NULL;
}

/* ---- resolved ----------------------------------------------------------- */

/* NULL stays NULL. */
static bool
copy_text(struct pool *pool, const char **text)
{
	if (*text == NULL)
		return true;
	*text = pool_copy(pool, str_of(*text));
	return *text != NULL;
}

static bool
copy_platforms(struct pool *pool, const char *const **platforms, size_t n)
{
	const char **all = pool_take(pool, (n + 1) * sizeof(*all));

	if (all == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		all[i] = (*platforms)[i];
		if (!copy_text(pool, &all[i]))
			return false;
	}
	*platforms = all;
	return true;
}

/* "NAME:TAG@DIGEST": both are kept, for people. */
static bool
pin(struct pool *pool, struct release_image *image, const struct digest *digest)
{
	char text[DIGEST_TEXT_MAX];
	struct buf b;
	bool is_done;

	image->digest = *digest;
	buf_init(&b, 2048);
	buf_printf(&b, "%s@%s", image->reference, digest_text(digest, text));
	image->reference = b.overflow ? NULL : pool_copy(pool, buf_str(&b));
	is_done = image->reference != NULL;
	buf_done(&b);
	return is_done;
}

static bool
copy_image(struct release_list *l, const struct release_list *from, size_t i,
    const struct digest *digest)
{
	struct release_image *image = &l->images[i];

	*image = from->images[i];
	if (image->platforms == from->platforms)
		image->platforms = l->platforms;
	else if (!copy_platforms(
		     &l->pool, &image->platforms, image->n_platforms))
		return false;
	if (!copy_text(&l->pool, &image->upstream) ||
	    !copy_text(&l->pool, &image->repository) ||
	    !copy_text(&l->pool, &image->tag) ||
	    !copy_text(&l->pool, &image->field))
		return false;
	if (image->digest.alg == 0 && digest->alg != 0)
		return pin(&l->pool, image, digest);
	return copy_text(&l->pool, &image->reference);
}

static void
copy_options(struct release_list *l, const struct release_list *from)
{
	l->platforms_optional = from->platforms_optional;
	l->referrers = from->referrers;
	l->resolve_tags = from->resolve_tags;
	l->published_at = from->published_at;
	l->not_before = from->not_before;
	l->deadline = from->deadline;
	l->pin_until = from->pin_until;
	l->priority = from->priority;
	l->catch_up = from->catch_up;
}

static bool
copy_list(struct release_list *l, const struct release_list *from,
    const struct digest *digests)
{
	copy_options(l, from);
	l->platforms = from->platforms;
	l->n_platforms = from->n_platforms;
	l->images =
	    pool_take(&l->pool, (from->n_images + 1) * sizeof(*l->images));
	if (l->images == NULL ||
	    !copy_platforms(&l->pool, &l->platforms, l->n_platforms))
		return false;
	l->n_images = from->n_images;
	for (size_t i = 0; i < l->n_images; i++)
		if (!copy_image(l, from, i, &digests[i]))
			return false;
	return true;
}

struct release_list *
release_list_resolved(
    const struct release_list *from, const struct digest *digests)
{
	struct release_list *l = release_list_new();

	if (l == NULL || copy_list(l, from, digests))
		return l;
	release_list_unref(l);
	return NULL;
}
