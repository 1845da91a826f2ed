/*
 * parse.c - request heads, line by line.
 *
 * A line is found first (its LF), then every byte of it is held against its
 * class, so a bare CR, a NUL or a space where none may be is never overlooked.
 * Nothing is remembered between two calls: a head that was not all there is
 * parsed again when more has come.
 */
#include "http/parse.h"

#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/str.h"

#define HEADERS_MAX 100

enum twice { REFUSE, JOIN, FIRST };

static const struct {
	struct str name;
	enum twice twice;
} headers[] = {
#define HTTP_HEADER(id, name, twice) { { name, sizeof(name) - 1 }, twice },
#include "tbl/http_headers.h"
};

static const struct {
	struct str name;
	enum http_method method;
} methods[] = {
	{ { "GET", 3 }, HTTP_GET },
	{ { "HEAD", 4 }, HTTP_HEAD },
	{ { "POST", 4 }, HTTP_POST },
	{ { "PUT", 3 }, HTTP_PUT },
	{ { "PATCH", 5 }, HTTP_PATCH },
	{ { "DELETE", 6 }, HTTP_DELETE },
	{ { "OPTIONS", 7 }, HTTP_OPTIONS },
};

/*
 * Classes of bytes: a header's name or a method (RFC 9110, section 5.6.2), a
 * host (RFC 3986, section 3.2.2), and a target, in which we let pass whatever
 * is no control, no space, no '#' and ASCII.
 */
#define TOKEN 1u
#define HOST 2u
#define TARGET 4u
/* clang-format off */
#define K TOKEN
#define T TARGET
#define L (TOKEN | TARGET)
#define H (HOST | TARGET)
#define A (TOKEN | HOST | TARGET)
static const unsigned char classes[256] = {
	[0x20] = 0, A, T, K, A, A, A, A, H, H, A, A, T, A, A, T, /*  !"#$%&'()*+,-./ */
	[0x30] = A, A, A, A, A, A, A, A, A, A, H, H, T, H, T, T, /* 0-9 :;<=>? */
	[0x40] = T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* @ A-O */
	[0x50] = A, A, A, A, A, A, A, A, A, A, A, H, T, H, L, A, /* P-Z [\]^_ */
	[0x60] = L, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* ` a-o */
	[0x70] = A, A, A, A, A, A, A, A, A, A, A, T, L, T, A, 0, /* p-z {|}~ */
};
#undef K
#undef T
#undef L
#undef H
#undef A
/* clang-format on */

enum line { LINE_YES, LINE_PARTIAL, LINE_BAD };

static int
refuse(struct http_refusal *why, int status, const char *text)
{
	why->status = status;
	why->text = text;
	return -1;
}

/* How many bytes at the front of S are of CLASS. */
static size_t
span(struct str s, unsigned class)
{
	size_t i = 0;

	while (i < s.n && (classes[(unsigned char)s.p[i]] & class) != 0)
		i++;
	return i;
}

/* Cuts the next line off *rest, without its CRLF. */
static enum line
next_line(struct str *rest, struct str *line)
{
	const char *lf = memchr(rest->p, '\n', rest->n);

	if (lf == NULL)
		return LINE_PARTIAL;
	line->p = rest->p;
	line->n = (size_t)(lf - rest->p);
	*rest = str_from(*rest, line->n + 1);
	if (line->n == 0 || line->p[line->n - 1] != '\r')
		return LINE_BAD;
	line->n--;
	return LINE_YES;
}

/* ---- the request line --------------------------------------------------- */

static int
parse_method(struct str text, struct http_request *r, struct http_refusal *why)
{
	size_t i;

	if (text.n == 0 || span(text, TOKEN) != text.n)
		return refuse(why, 400, "the method is not a token");
	r->method_text = text;
	r->method = HTTP_OTHER;
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (str_eq(text, methods[i].name))
			r->method = methods[i].method;
	}
	if (str_eqz(text, "CONNECT"))
		return refuse(why, 405, "this is not a proxy");
	return 0;
}

static int
parse_version(struct str text, struct http_request *r, struct http_refusal *why)
{
	if (text.n != 8 || memcmp(text.p, "HTTP/", 5) != 0 ||
	    text.p[6] != '.' || text.p[5] < '0' || text.p[5] > '9' ||
	    text.p[7] < '0' || text.p[7] > '9')
		return refuse(why, 400, "the request line has no HTTP version");
	if (text.p[5] != '1')
		return refuse(why, 505, "HTTP/1.1 is spoken here");
	r->minor = (unsigned)(text.p[7] - '0');
	return 0;
}

/* Leaves the path and query of an absolute form, keeps its host. */
static int
take_authority(
    struct str *form, struct http_request *r, struct http_refusal *why)
{
	struct str authority = *form;

	authority = str_from(authority, form->p[4] == ':' ? 7 : 8);
	*form = authority;
	authority.n = span(authority, HOST);
	*form = str_from(*form, authority.n);
	if (authority.n == 0 ||
	    (form->n > 0 && form->p[0] != '/' && form->p[0] != '?'))
		return refuse(why, 400, "the target's host can't be one");
	r->header[HTTP_HOST_HEADER] = authority;
	return 0;
}

static int
parse_target(struct str text, struct http_request *r, struct http_refusal *why)
{
	struct str rest = text;

	if (span(text, TARGET) != text.n)
		return refuse(
		    why, 400, "the target has a byte that must be escaped");
	r->target = text;
	if (r->method == HTTP_OPTIONS && str_eqz(text, "*")) {
		r->path = text;
		return 0;
	}
	if ((str_starts(text, STR("http://")) ||
		str_starts(text, STR("https://"))) &&
	    take_authority(&rest, r, why) != 0)
		return -1;
	if (rest.p == text.p && (text.n == 0 || text.p[0] != '/'))
		return refuse(why, 400, "the target must begin with a slash");
	r->path.p = rest.p;
	r->path.n = str_index(rest, '?');
	if (r->path.n < rest.n)
		r->query = str_from(rest, r->path.n + 1);
	if (r->path.n == 0)
		r->path = STR("/");
	return 0;
}

static int
parse_request_line(
    struct str line, struct http_request *r, struct http_refusal *why)
{
	struct str method = { line.p, str_index(line, ' ') };
	struct str target, version;

	target = str_from(line, method.n < line.n ? method.n + 1 : line.n);
	version = target;
	target.n = str_index(target, ' ');
	version =
	    str_from(version, target.n < version.n ? target.n + 1 : version.n);
	if (parse_method(method, r, why) != 0 ||
	    parse_version(version, r, why) != 0)
		return -1;
	return parse_target(target, r, why);
}

/* ---- headers ------------------------------------------------------------ */

static bool
is_value(struct str s)
{
	size_t i;

	if (!str_has_control(s))
		return true;
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static int
keep_header(enum http_header id, struct str value, struct arena *arena,
    struct http_request *r, struct http_refusal *why)
{
	struct str *kept = &r->header[id];

	if (kept->p == NULL) {
		*kept = value;
		return 0;
	}
	switch (headers[id].twice) {
	case REFUSE:
		return refuse(
		    why, 400, "a header that may come once came twice");
	case FIRST:
		return 0;
	case JOIN:
		*kept = arena_printf(
		    arena, "%.*s, %.*s", STR_ARG(*kept), STR_ARG(value));
		if (arena->overflow)
			return refuse(why, 431, "the headers are too large");
		return 0;
	}
	return 0;
}

static int
parse_header(struct str line, struct arena *arena, struct http_request *r,
    struct http_refusal *why)
{
	struct str name = { line.p, span(line, TOKEN) };
	struct str value;
	size_t i;

	if (name.n == 0 || name.n == line.n || line.p[name.n] != ':')
		return refuse(why, 400,
		    "a header line is not a name, a colon and a value");
	value = str_trim(str_from(line, name.n + 1));
	if (!is_value(value))
		return refuse(
		    why, 400, "a header's value has a control character");
	for (i = 0; i < HTTP_HEADER_COUNT; i++) {
		if (headers[i].name.n != name.n ||
		    strncasecmp(headers[i].name.p, name.p, name.n) != 0)
			continue;
		return keep_header((enum http_header)i, value, arena, r, why);
	}
	return 0;
}

static bool
has_token(struct str list, struct str token)
{
	struct str piece;

	while (str_cut(&list, ',', &piece)) {
		if (str_ieq(str_trim(piece), token))
			return true;
	}
	return false;
}

/* How long the body is: RFC 9112, section 6.3. */
static int
settle_length(struct http_request *r, struct http_refusal *why)
{
	struct str length = r->header[HTTP_CONTENT_LENGTH_HEADER];
	struct str coding = r->header[HTTP_TRANSFER_ENCODING_HEADER];

	if (coding.p != NULL && length.p != NULL)
		return refuse(why, 400,
		    "Content-Length and Transfer-Encoding contradict");
	if (length.p != NULL && !str_u64(length, &r->content_length))
		return refuse(why, 400, "Content-Length is not a number");
	if (coding.p == NULL)
		return 0;
	if (r->minor == 0)
		return refuse(why, 400, "HTTP/1.0 knows no Transfer-Encoding");
	if (!str_ieq(coding, STR("chunked")))
		return refuse(why, 501, "chunked is the only coding known");
	r->is_chunked = true;
	return 0;
}

static int
settle(
    struct http_request *r, struct str absolute_host, struct http_refusal *why)
{
	struct str connection = r->header[HTTP_CONNECTION_HEADER];
	struct str host = r->header[HTTP_HOST_HEADER];

	if (host.p == NULL && r->minor > 0)
		return refuse(why, 400, "HTTP/1.1 needs a Host header");
	if (span(host, HOST) != host.n)
		return refuse(why, 400, "Host is not a host name");
	if (absolute_host.p != NULL)
		r->header[HTTP_HOST_HEADER] = absolute_host;
	r->is_last = r->minor == 0;
	if (connection.p != NULL && r->minor == 0)
		r->is_last = !has_token(connection, STR("keep-alive"));
	if (connection.p != NULL && has_token(connection, STR("close")))
		r->is_last = true;
	return settle_length(r, why);
}

long
http_parse_head(char *bytes, size_t n, struct arena *arena,
    struct http_request *r, struct http_refusal *why)
{
	struct str rest = { bytes, n };
	struct str line, absolute_host;
	unsigned n_headers = 0;
	enum line got;

	memset(r, 0, sizeof(*r));
	if (n >= 2 && memcmp(bytes, "\r\n", 2) == 0)
		rest = str_from(rest, 2); /* RFC 9112, section 2.2 */
	got = next_line(&rest, &line);
	if (got == LINE_YES && parse_request_line(line, r, why) != 0)
		return -1;
	absolute_host = r->header[HTTP_HOST_HEADER];
	r->header[HTTP_HOST_HEADER] = (struct str){ NULL, 0 };
	while (got == LINE_YES) {
		got = next_line(&rest, &line);
		if (got != LINE_YES)
			break;
		if (line.n == 0)
			return settle(r, absolute_host, why) == 0
			    ? (long)(rest.p - bytes)
			    : -1;
		if (++n_headers > HEADERS_MAX)
			return refuse(why, 431, "there are too many headers");
		if (parse_header(line, arena, r, why) != 0)
			return -1;
	}
	if (got == LINE_BAD)
		return refuse(why, 400, "a line does not end with CR LF");
	return 0;
}
