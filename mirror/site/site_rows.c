/*
 * site_rows.c - the manifests that one site pulled, each with a time.
 *
 * An array in the order of the keys, grown as it is needed: a site pulls some
 * dozens of images, and is asked about by digest.
 */
#include <stdlib.h>
#include <string.h>

#include "site_int.h"

#define ROWS_FIRST 8u
#define ROWS_FAIR (ROWS_MAX / SITES_MAX) /* a site's share of all */

uint64_t
site_row_key(const struct site_row *row)
{
	return (uint64_t)row->key[1] << 32 | row->key[0];
}

uint64_t
site_digest_key(const struct digest *digest)
{
	uint64_t key;

	memcpy(&key, digest->bytes, sizeof(key));
	return key;
}

/* Where KEY is, or would be. */
static uint32_t
place_of(const struct site *s, uint64_t key)
{
	uint32_t from = 0, to = s->n_rows;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (site_row_key(&s->rows[middle]) < key)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool
is_at(const struct site *s, uint32_t place, uint64_t key)
{
	return place < s->n_rows && site_row_key(&s->rows[place]) == key;
}

static void
drop_oldest(struct sites *ss, struct site *s)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < s->n_rows; i++)
		if (s->rows[i].at < s->rows[oldest].at)
			oldest = i;
	s->n_rows--;
	memmove(&s->rows[oldest], &s->rows[oldest + 1],
	    (s->n_rows - oldest) * sizeof(s->rows[0]));
	ss->n_rows--;
}

/* False: there is no memory for more. */
static bool
grow(struct site *s)
{
	uint32_t max = s->max_rows > 0 ? s->max_rows * 2 : ROWS_FIRST;
	struct site_row *rows = realloc(s->rows, max * sizeof(rows[0]));

	if (rows == NULL)
		return false;
	s->rows = rows;
	s->max_rows = max;
	return true;
}

/* Of all rows there are as many as there may be: whose is to go?  S was seen
 * just now, so it comes last. */
static struct site *
loser(const struct sites *ss, struct site *s)
{
	struct site *other = ss->oldest;

	if (s->n_rows >= ROWS_FAIR)
		return s;
	while (other->n_rows == 0)
		other = other->newer;
	return other;
}

/* One row's room, at the cost of another when it must be. */
static bool
make_room(struct sites *ss, struct site *s)
{
	if (s->n_rows == SITE_ROWS_MAX)
		drop_oldest(ss, s);
	else if (ss->n_rows >= ROWS_MAX)
		drop_oldest(ss, loser(ss, s));
	if (s->n_rows < s->max_rows || grow(s))
		return true;
	if (s->n_rows == 0)
		return false;
	drop_oldest(ss, s);
	return true;
}

void
site_rows_put(struct sites *ss, struct site *s, uint64_t key, uint32_t at)
{
	uint32_t place = place_of(s, key);

	if (is_at(s, place, key)) {
		s->rows[place].at = at;
		return;
	}
	if (!make_room(ss, s))
		return;
	place = place_of(s, key);
	memmove(&s->rows[place + 1], &s->rows[place],
	    (s->n_rows - place) * sizeof(s->rows[0]));
	s->rows[place] =
	    (struct site_row){ { (uint32_t)key, (uint32_t)(key >> 32) }, at };
	s->n_rows++;
	ss->n_rows++;
}

int64_t
site_pulled_at(const struct site *s, const struct digest *manifest)
{
	uint64_t key = site_digest_key(manifest);
	uint32_t place = place_of(s, key);

	return is_at(s, place, key) ? s->rows[place].at : 0;
}
