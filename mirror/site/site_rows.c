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
drop_oldest(struct site *s)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < s->n_rows; i++)
		if (s->rows[i].at < s->rows[oldest].at)
			oldest = i;
	s->n_rows--;
	memmove(&s->rows[oldest], &s->rows[oldest + 1],
	    (s->n_rows - oldest) * sizeof(s->rows[0]));
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

/* One row's room, at the cost of another when it must be. */
static bool
make_room(struct site *s, size_t *n_all)
{
	bool is_full = s->n_rows == SITE_ROWS_MAX || *n_all >= ROWS_MAX;

	if (!is_full && (s->n_rows < s->max_rows || grow(s)))
		return true;
	if (s->n_rows == 0)
		return false;
	drop_oldest(s);
	--*n_all;
	return true;
}

void
site_rows_put(struct site *s, uint64_t key, uint32_t at, size_t *n_all)
{
	uint32_t place = place_of(s, key);

	if (is_at(s, place, key)) {
		s->rows[place].at = at;
		return;
	}
	if (!make_room(s, n_all))
		return;
	place = place_of(s, key);
	memmove(&s->rows[place + 1], &s->rows[place],
	    (s->n_rows - place) * sizeof(s->rows[0]));
	s->rows[place] =
	    (struct site_row){ { (uint32_t)key, (uint32_t)(key >> 32) }, at };
	s->n_rows++;
	++*n_all;
}

int64_t
site_pulled_at(const struct site *s, const struct digest *manifest)
{
	uint64_t key = site_digest_key(manifest);
	uint32_t place = place_of(s, key);

	return is_at(s, place, key) ? s->rows[place].at : 0;
}
