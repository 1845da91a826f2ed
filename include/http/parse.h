/*
 * parse.h - from bytes to a request head (RFC 9112).  Pure; any thread.
 *
 * Strict where laxness lets requests be smuggled: both Content-Length and
 * Transfer-Encoding, two Content-Lengths, a space before a colon, folded
 * lines, bare CR, bytes outside the grammar are refused.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stddef.h>

#include "common/arena.h"
#include "http/request.h"

struct http_refusal {
	int status; /* 400, 405, 414, 431, 501, 505 */
	const char *text;
};

/*
 * Parses the head that BYTES begin with.  Returns its length with the empty
 * line, 0 when it is not all there yet, -1 when it can't be one (*refusal
 * says why).  May write into BYTES (joined headers go into ARENA).
 */
long http_parse_head(char *bytes, size_t n, struct arena *,
    struct http_request *, struct http_refusal *);

#endif
