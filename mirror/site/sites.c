/*
 * sites.c - the sites: found by name, forgotten by age.
 *
 * An array of pointers in the order of the names is both the index and the
 * order of pages; a list goes from the site seen last to the one that has not
 * been seen for longest.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "site_int.h"

#define REFERENCE_MAX (PULL_SCOPE_MAX + DIGEST_TEXT_MAX + 2)

/* ---- one site ----------------------------------------------------------- */

struct site *
site_new(const char *name)
{
	struct site *s = calloc(1, sizeof(*s));

	if (s != NULL)
		(void)snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

void
site_free(struct site *s)
{
	if (s == NULL)
		return;
	free(s->pulled);
	free(s->failed);
	free(s->rows);
	free(s);
}

/* Without memory for it the text is gone, not wrong. */
static void
set_text(char **to, const char *text)
{
	if (*to != NULL && strcmp(*to, text) == 0)
		return;
	free(*to);
	*to = str_dup(str_of(text));
}

static const char *
reference_of(const struct pull_row *row, char out[REFERENCE_MAX])
{
	char digest[DIGEST_TEXT_MAX];

	if (row->digest.alg != 0)
		(void)snprintf(out, REFERENCE_MAX, "%s@%s", row->scope,
		    digest_text(&row->digest, digest));
	else
		(void)snprintf(out, REFERENCE_MAX, "%s%s%s", row->scope,
		    row->tag[0] != '\0' ? ":" : "", row->tag);
	return out;
}

static void
note_outcome(struct site *s, const struct pull_row *row, int64_t now)
{
	char reference[REFERENCE_MAX];

	if (row->n_bad > 0 && (row->outcome == PULL_BAD || !s->is_failed)) {
		set_text(&s->failed, reference_of(row, reference));
		s->failed_at = now;
		s->failed_status = row->status;
	}
	if (row->outcome == PULL_BAD) {
		s->failed_what = row->what;
		s->is_failed = true;
	} else if (row->outcome == PULL_GOOD && row->what == s->failed_what) {
		s->is_failed = false;
	}
}

static void
note_pull(
    struct sites *ss, struct site *s, const struct pull_row *row, int64_t now)
{
	char reference[REFERENCE_MAX];

	if (row->manifest.alg == 0)
		return;
	set_text(&s->pulled, reference_of(row, reference));
	s->pulled_at = now;
	site_rows_put(ss, s, site_digest_key(&row->manifest), (uint32_t)now);
}

enum site_state
site_state(const struct site *s, int64_t now)
{
	if (s->is_failed && now - s->failed_at < SITE_FAILING_S)
		return SITE_FAILING;
	return now - s->last_seen_at < SITE_SILENT_S ? SITE_SEEN : SITE_SILENT;
}

const char *
site_state_name(enum site_state state)
{
	static const char *const names[SITE_STATES] = {
		[SITE_SEEN] = "seen",
		[SITE_SILENT] = "silent",
		[SITE_FAILING] = "failing",
	};

	check(state < SITE_STATES);
	return names[state];
}

/* ---- by name ------------------------------------------------------------ */

/* Where NAME is, or would be. */
static size_t
place_of(const struct sites *ss, const char *name)
{
	size_t from = 0, to = ss->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(ss->by_name[middle]->name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool
is_at(const struct sites *ss, size_t place, const char *name)
{
	return place < ss->n && strcmp(ss->by_name[place]->name, name) == 0;
}

struct site *
sites_find(const struct sites *ss, const char *name)
{
	size_t place = place_of(ss, name);

	return is_at(ss, place, name) ? ss->by_name[place] : NULL;
}

size_t
sites_count(const struct sites *ss)
{
	return ss->n;
}

struct site *
sites_next(const struct sites *ss, const char *after)
{
	size_t place = after != NULL ? place_of(ss, after) : 0;

	if (after != NULL && is_at(ss, place, after))
		place++;
	return place < ss->n ? ss->by_name[place] : NULL;
}

/* ---- by age ------------------------------------------------------------- */

static void
list_take(struct sites *ss, struct site *s)
{
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		ss->oldest = s->newer;
	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		ss->newest = s->older;
	s->older = s->newer = NULL;
}

static void
list_put(struct sites *ss, struct site *s)
{
	s->older = ss->newest;
	if (ss->newest != NULL)
		ss->newest->newer = s;
	else
		ss->oldest = s;
	ss->newest = s;
}

void
sites_forget(struct sites *ss, struct site *s)
{
	size_t place = place_of(ss, s->name);

	check(is_at(ss, place, s->name));
	ss->n--;
	memmove(&ss->by_name[place], &ss->by_name[place + 1],
	    (ss->n - place) * sizeof(ss->by_name[0]));
	list_take(ss, s);
	ss->n_rows -= s->n_rows;
	site_free(s);
}

void
sites_add(struct sites *ss, struct site *s)
{
	size_t place = place_of(ss, s->name);

	check(ss->n < SITES_MAX && !is_at(ss, place, s->name));
	memmove(&ss->by_name[place + 1], &ss->by_name[place],
	    (ss->n - place) * sizeof(ss->by_name[0]));
	ss->by_name[place] = s;
	ss->n++;
	ss->n_rows += s->n_rows;
	list_put(ss, s);
}

/* NULL when out of memory. */
static struct site *
find_or_add(struct sites *ss, const char *name, int64_t now)
{
	struct site *s = sites_find(ss, name);

	if (s != NULL) {
		list_take(ss, s);
		list_put(ss, s);
		return s;
	}
	s = site_new(name);
	if (s == NULL)
		return NULL;
	s->first_seen_at = now;
	if (ss->n == SITES_MAX)
		sites_forget(ss, ss->oldest);
	sites_add(ss, s);
	return s;
}

/* ---- rings -------------------------------------------------------------- */

static size_t
find_ring(const struct site *s, const struct config *config)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	struct str name = str_of(s->origin != SITE_BY_ADDRESS ? s->name : NULL);

	memcpy(&sa.sin6_addr, s->address, sizeof(s->address));
	return config_ring(
	    config, name, (const struct sockaddr *)(const void *)&sa);
}

const char *
sites_ring(struct sites *ss, struct site *s, struct config *config)
{
	if (ss->config != config) {
		config_unref(ss->config);
		ss->config = config_ref(config);
		ss->n_configs++;
	}
	if (s->ring_of != ss->n_configs) {
		s->ring = find_ring(s, config);
		s->ring_of = ss->n_configs;
	}
	return config->rings[s->ring];
}

/* ---- news --------------------------------------------------------------- */

static void
take_row(struct sites *ss, const struct pull_row *row, int64_t now)
{
	char name[SITE_TEXT_MAX];
	struct site *s = find_or_add(ss, site_id_text(&row->site, name), now);

	if (s == NULL)
		return;
	s->last_seen_at = now;
	if (s->origin != row->site.origin ||
	    memcmp(s->address, row->site.address, sizeof(s->address)) != 0)
		s->ring_of = 0;
	s->origin = row->site.origin;
	memcpy(s->address, row->site.address, sizeof(s->address));
	s->n_requests += row->n_requests;
	s->n_errors += row->n_bad;
	s->bytes += row->bytes;
	note_outcome(s, row, now);
	note_pull(ss, s, row, now);
}

static void
tell(struct sites *ss, const struct pull_row *row)
{
	const struct digest *digest =
	    row->digest.alg != 0 ? &row->digest : &row->manifest;

	if (ss->tap != NULL && row->tally.n_gets > 0 && digest->alg != 0)
		ss->tap(ss->tap_arg, digest, &row->tally);
}

void
sites_take(struct sites *ss, const struct pull_row *rows, size_t n)
{
	int64_t now = clock_wall_s();

	for (size_t i = 0; i < n; i++) {
		take_row(ss, &rows[i], now);
		tell(ss, &rows[i]);
	}
	sites_keep_changed(ss);
}

void
sites_set_tap(struct sites *ss, sites_tap_fn *fn, void *arg)
{
	ss->tap = fn;
	ss->tap_arg = arg;
}

struct loop *
sites_loop(const struct sites *ss)
{
	return ss->loop;
}

/* ---- birth and death ---------------------------------------------------- */

struct sites *
sites_new(const struct sites_spec *spec, struct err *err)
{
	struct sites *ss = calloc(1, sizeof(*ss));

	if (ss != NULL)
		ss->path = str_dup(str_of(spec->path));
	if (ss == NULL || ss->path == NULL) {
		free(ss);
		(void)err_set(err, ERR_NO_MEMORY, "no memory for the sites");
		return NULL;
	}
	ss->loop = spec->admin;
	ss->pool = spec->pool;
	ss->keep_ms = spec->keep_ms;
	sites_keep_load(ss);
	return ss;
}

void
sites_free(struct sites *ss)
{
	if (ss == NULL)
		return;
	sites_keep_end(ss);
	for (size_t i = 0; i < ss->n; i++)
		site_free(ss->by_name[i]);
	config_unref(ss->config);
	free(ss->path);
	free(ss);
}
