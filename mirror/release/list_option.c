/*
 * list_option.c - what a list says beside its images: one row a key.
 */
#include <string.h>

#include "common/units.h"
#include "list_int.h"
#include "oci/platform.h"

#define PRIORITY_MAX 9

typedef bool option_fn(void *to, struct str);

static bool
set_bool(void *to, struct str text)
{
	uint64_t value;

	if (!units_bool(text, &value))
		return false;
	*(bool *)to = value != 0;
	return true;
}

static bool
set_moment(void *to, struct str text)
{
	return units_moment(text, to);
}

static bool
set_priority(void *to, struct str text)
{
	uint64_t value;

	if (!str_u64(text, &value) || value > PRIORITY_MAX)
		return false;
	*(unsigned *)to = (unsigned)value;
	return true;
}

static bool
set_catch_up(void *to, struct str text)
{
	for (enum catch_up c = CATCH_UP_IMMEDIATE; c <= CATCH_UP_HOLD; c++)
		if (str_eqz(text, catch_up_name(c))) {
			*(enum catch_up *)to = c;
			return true;
		}
	return false;
}

/* clang-format off */
#define MOMENT "a time like 2026-11-22T02:00:00Z"
#define WHERE(field) offsetof(struct release_list, field)
static const struct option {
	const char *key;
	option_fn *set;
	size_t offset;
	const char *is;
} options[] = {
	{ "platforms_optional", set_bool,     WHERE(platforms_optional), "true or false" },
	{ "referrers",          set_bool,     WHERE(referrers),          "true or false" },
	{ "resolve_tags",       set_bool,     WHERE(resolve_tags),       "true or false" },
	{ "published_at",       set_moment,   WHERE(published_at),       MOMENT },
	{ "not_before",         set_moment,   WHERE(not_before),         MOMENT },
	{ "deadline",           set_moment,   WHERE(deadline),           MOMENT },
	{ "pin_until",          set_moment,   WHERE(pin_until),          MOMENT },
	{ "priority",           set_priority, WHERE(priority),           "0 to 9, where 9 goes first" },
	{ "catch_up",           set_catch_up, WHERE(catch_up),           "immediate, window or hold" },
};
#undef WHERE
/* clang-format on */

int
list_no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "the list does not fit into memory");
}

/* ---- platforms ---------------------------------------------------------- */

int
list_platform(
    struct release_list *l, struct str text, const char **to, struct err *err)
{
	char shown[80];

	if (!platform_is_valid(text))
		return err_set(err, ERR_BAD_REQUEST,
		    "\"%s\" is no platform; write os/architecture, like "
		    "linux/amd64 or linux/arm/v7",
		    str_printable(text, shown, sizeof(shown)));
	*to = pool_copy(&l->pool, text);
	return *to != NULL ? 0 : list_no_memory(err);
}

static int
set_platforms(struct release_list *l, struct str text, struct err *err)
{
	const char **all =
	    pool_take(&l->pool, RELEASE_PLATFORMS_MAX * sizeof(*all));
	struct str piece;
	size_t n = 0;

	if (all == NULL)
		return list_no_memory(err);
	while (str_cut(&text, ',', &piece)) {
		if (n == RELEASE_PLATFORMS_MAX)
			return err_set(err, ERR_BAD_REQUEST,
			    "platforms are %d at most", RELEASE_PLATFORMS_MAX);
		if (list_platform(l, str_trim(piece), &all[n++], err) != 0)
			return -1;
	}
	l->platforms = all;
	l->n_platforms = n;
	return 0;
}

/* ---- any of them -------------------------------------------------------- */

static const struct option *
find_option(struct str key)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (str_eqz(key, options[i].key))
			return &options[i];
	return NULL;
}

int
release_list_set(
    struct release_list *l, struct str key, struct str value, struct err *err)
{
	const struct option *o = find_option(key);
	char shown[80];

	if (str_eqz(key, "platforms"))
		return set_platforms(l, value, err);
	if (o == NULL)
		return err_set(err, ERR_BAD_REQUEST,
		    "a release has no \"%s\"; it has images, platforms, "
		    "platforms_optional, referrers, resolve_tags, "
		    "published_at, not_before, deadline, pin_until, priority "
		    "and catch_up",
		    str_printable(key, shown, sizeof(shown)));
	if (o->set((char *)l + o->offset, value))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "%s is %s, not \"%s\"", o->key,
	    o->is, str_printable(value, shown, sizeof(shown)));
}
