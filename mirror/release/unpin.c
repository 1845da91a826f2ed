/*
 * unpin.c - taking a release's pins off, page by page, each a transaction: for
 * one that was deleted, for a list that gave way to another, and at start for
 * what a crash left over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "release_int.h"

#define PAGE 500
#define STRAYS_MAX 1000

struct unpin {
	struct releases *releases;
	char pins[INDEX_RELEASE_MAX + 1];
};

static void unpin_page(struct unpin *);

static void
on_unpinned(void *arg, const struct err *err)
{
	struct unpin *u = arg;
	struct releases *rs = u->releases;

	if (err != NULL)
		log_error("pins were not taken off; the next start does it",
		    LOG_Z("pins", u->pins), LOG_ERR(err));
	if (err == NULL && !rs->is_closing)
		unpin_page(u);
	else
		free(u);
	releases_idle(rs);
}

static void
unpin_page(struct unpin *u)
{
	struct releases *rs = u->releases;
	struct pin *page = calloc(PAGE, sizeof(*page));
	struct index_batch *batch = index_batch_new();
	size_t n = 0;

	if (page != NULL && batch != NULL)
		n = index_list_pins(
		    rs->reader, str_of(u->pins), NULL, page, PAGE);
	index_release(rs->reader);
	for (size_t i = 0; i < n; i++)
		index_batch_unpin(batch, str_of(u->pins), &page[i].digest);
	free(page);
	if (n == 0) {
		index_batch_free(batch);
		free(u);
		return;
	}
	releases_busy(rs);
	index_commit(rs->spec.store, batch, rs->spec.origin, on_unpinned, u);
}

void
keep_unpin(struct releases *rs, const char *pins)
{
	struct unpin *u = calloc(1, sizeof(*u));

	if (u == NULL) /* the next start does it */
		return;
	u->releases = rs;
	(void)snprintf(u->pins, sizeof(u->pins), "%s", pins);
	unpin_page(u);
}

static bool
is_wanted(struct releases *rs, const char *pins)
{
	struct release *r;

	TAILQ_FOREACH (r, &rs->all, entry)
		if (strcmp(r->pins, pins) == 0)
			return true;
	return false;
}

void
keep_unpin_strays(struct releases *rs)
{
	char name[INDEX_RELEASE_MAX + 1] = "", *strays[STRAYS_MAX];
	size_t n = 0;

	while (n < STRAYS_MAX &&
	    index_next_release(rs->reader, str_of(name), name)) {
		if (!is_wanted(rs, name) &&
		    (strays[n] = str_dup(str_of(name))) != NULL)
			n++;
	}
	index_release(rs->reader);
	while (n > 0) {
		keep_unpin(rs, strays[--n]);
		free(strays[n]);
	}
}
