/*
 * uri.h - percent-encoding and query strings (RFC 3986).  Pure; any thread.
 */
#ifndef COMMON_URI_H
#define COMMON_URI_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/str.h"

/* Decodes into the arena.  False on a broken escape, on %00, or when the
 * arena is full.  A text without '%' is returned as it is, not copied. */
bool uri_decode(struct arena *, struct str, struct str *out);
/* The first value of KEY in "a=1&b=2", decoded ('+' is a plus sign).  False
 * when a value is there but broken; *out has p == NULL when there is none. */
bool uri_query(
    struct arena *, struct str query, struct str key, struct str *out);
/* Appends TEXT, escaping all but unreserved characters and those in KEEP. */
void uri_encode(struct buf *, struct str text, const char *keep);

#endif
