/*
 * request.h - one HTTP/1.1 request, parsed (RFC 9112, RFC 9110).
 *
 * Values only.  All strings point into the connection's buffer and live until
 * the exchange ends.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

enum http_header {
#define HTTP_HEADER(id, name, twice) HTTP_##id##_HEADER,
#include "tbl/http_headers.h"
	HTTP_HEADER_COUNT
};

struct http_request {
	enum http_method method;
	struct str method_text;
	struct str target; /* as received */
	struct str path;   /* up to '?'; of an absolute form its path */
	struct str query;  /* behind '?'; empty when there is none */
	unsigned minor;    /* of HTTP/1.minor */
	bool is_last;      /* the client wants the connection closed after it */
	bool is_chunked;
	uint64_t content_length;              /* 0 when there is none */
	struct str header[HTTP_HEADER_COUNT]; /* p == NULL: not sent */
	struct str body; /* whole; empty when there is none */
};

#endif
