/*
 * range.c - one range of bytes, and entity tags.
 */
#include "http/range.h"

#include <string.h>

/* Digits only; what is too large becomes UINT64_MAX. */
static bool
parse_position(struct str s, uint64_t *out)
{
	uint64_t n = 0;
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)((unsigned char)s.p[i] - '0');

		if (digit > 9)
			return false;
		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
	}
	*out = n;
	return true;
}

static enum range_kind
parse_suffix(struct str digits, uint64_t size, struct range *range)
{
	uint64_t n;

	if (!parse_position(digits, &n))
		return RANGE_WHOLE;
	if (n == 0)
		return RANGE_UNSATISFIABLE;
	if (size == 0)
		return RANGE_WHOLE; /* no Content-Range could say it */
	range->start = n < size ? size - n : 0;
	range->end = size;
	range->is_open = true;
	return RANGE_PART;
}

enum range_kind
range_parse(struct str header, uint64_t size, struct range *range)
{
	struct str unit, first, last = header;
	uint64_t end = UINT64_MAX;

	memset(range, 0, sizeof(*range));
	range->end = size;
	if (header.p == NULL || !str_cut(&last, '=', &unit) ||
	    !str_ieq(unit, STR("bytes")) || last.p == NULL)
		return RANGE_WHOLE;
	last = str_trim(last);
	if (last.n > 0 && last.p[0] == '-')
		return parse_suffix(str_from(last, 1), size, range);
	first.p = last.p;
	first.n = str_index(last, '-');
	if (first.n == last.n || !parse_position(first, &range->start))
		return RANGE_WHOLE;
	last = str_from(last, first.n + 1);
	range->is_open = last.n == 0;
	if (last.n > 0 && (!parse_position(last, &end) || end < range->start))
		return RANGE_WHOLE;
	if (range->start >= size)
		return RANGE_UNSATISFIABLE;
	if (end < size)
		range->end = end + 1;
	return RANGE_PART;
}

bool
range_if_range(struct str if_range, struct str etag)
{
	/* A weak tag or a date never matches: ours are strong. */
	return if_range.p == NULL || str_eq(if_range, etag);
}

/* Cuts the next entity tag off *list, without its W/. */
static bool
next_etag(struct str *list, struct str *etag)
{
	struct str s = *list;

	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == ','))
		s = str_from(s, 1);
	if (str_starts(s, STR("W/")))
		s = str_from(s, 2);
	if (s.n < 2 || s.p[0] != '"')
		return false;
	*etag = s;
	etag->n = 2 + str_index(str_from(s, 1), '"');
	if (etag->n > s.n)
		return false;
	*list = str_from(s, etag->n);
	return true;
}

bool
etag_matches(struct str if_none_match, struct str etag)
{
	struct str one;

	if (if_none_match.p == NULL)
		return false;
	if (str_eqz(str_trim(if_none_match), "*"))
		return true;
	while (next_etag(&if_none_match, &one)) {
		if (str_eq(one, etag))
			return true;
	}
	return false;
}
