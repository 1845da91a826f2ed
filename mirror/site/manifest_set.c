/*
 * manifest_set.c - keys in their order, walked beside those of a site.
 */
#include "site/manifest_set.h"

#include <stdlib.h>

#include "common/check.h"
#include "site_int.h"

struct manifest_set {
	size_t n, max;
	uint64_t keys[];
};

struct manifest_set *
manifest_set_new(size_t max)
{
	struct manifest_set *set =
	    calloc(1, sizeof(*set) + max * sizeof(set->keys[0]));

	if (set != NULL)
		set->max = max;
	return set;
}

void
manifest_set_free(struct manifest_set *set)
{
	free(set);
}

void
manifest_set_add(struct manifest_set *set, const struct digest *digest)
{
	check(set->n < set->max);
	set->keys[set->n++] = site_digest_key(digest);
}

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

void
manifest_set_close(struct manifest_set *set)
{
	size_t n = 0;

	qsort(set->keys, set->n, sizeof(set->keys[0]), compare);
	for (size_t i = 0; i < set->n; i++)
		if (n == 0 || set->keys[n - 1] != set->keys[i])
			set->keys[n++] = set->keys[i];
	set->n = n;
}

size_t
manifest_set_count(const struct manifest_set *set)
{
	return set->n;
}

size_t
manifest_set_pulled(
    const struct manifest_set *set, const struct site *s, int64_t *last_at)
{
	size_t i = 0, n = 0;

	*last_at = 0;
	for (uint32_t row = 0; row < s->n_rows && i < set->n; row++) {
		uint64_t key = site_row_key(&s->rows[row]);

		while (i < set->n && set->keys[i] < key)
			i++;
		if (i == set->n || set->keys[i] != key)
			continue;
		n++;
		if (s->rows[row].at > *last_at)
			*last_at = s->rows[row].at;
	}
	return n;
}
