/*
 * range.h - Range, If-Range, If-None-Match (RFC 9110, sections 13 and 14).
 * Pure; any thread.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum range_kind {
	RANGE_WHOLE, /* no Range, one to be ignored (unit, syntax, several) */
	RANGE_PART,
	RANGE_UNSATISFIABLE,
};

struct range {
	uint64_t start;
	uint64_t end; /* first byte behind it */
	bool is_open; /* reaches the end because it named none, or -n */
};

enum range_kind range_parse(struct str header, uint64_t size, struct range *);
/* May HEADER's Range be used?  True without an If-Range. */
bool range_if_range(struct str if_range, struct str etag);
/* Does an If-None-Match list ("*" too) name the strong ETAG (quoted)?  Weak
 * comparison, as section 13.1.2 asks. */
bool etag_matches(struct str if_none_match, struct str etag);

#endif
