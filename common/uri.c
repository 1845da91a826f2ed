/*
 * uri.c - percent-encoding and query strings.
 *
 * Everything here comes from peers.  A broken escape is an error, never
 * passed on as it is: two readers of one URI must not disagree about it.
 */
#include "common/uri.h"

#include <string.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that the escape at the front of S stands for; -1: none, or NUL. */
static int
unescape(struct str s)
{
	int high = s.n < 3 ? -1 : hex_value(s.p[1]);
	int low = s.n < 3 ? -1 : hex_value(s.p[2]);
	int byte = high * 16 + low;

	return high < 0 || low < 0 || byte == 0 ? -1 : byte;
}

bool
uri_decode(struct arena *a, struct str s, struct str *out)
{
	size_t n = 0;
	char *p;
	int byte;

	if (str_index(s, '%') == s.n) {
		*out = s;
		return true;
	}
	p = arena_alloc(a, s.n);
	if (p == NULL)
		return false;
	for (; s.n > 0; n++) {
		if (s.p[0] != '%') {
			p[n] = s.p[0];
			s = str_from(s, 1);
			continue;
		}
		byte = unescape(s);
		if (byte < 0)
			return false;
		p[n] = (char)byte;
		s = str_from(s, 3);
	}
	*out = (struct str){ p, n };
	return true;
}

bool
uri_query(struct arena *a, struct str query, struct str key, struct str *out)
{
	struct str pair, name;
	size_t n;

	*out = (struct str){ NULL, 0 };
	while (str_cut(&query, '&', &pair)) {
		n = str_index(pair, '=');
		if (!uri_decode(a, (struct str){ pair.p, n }, &name) ||
		    !str_eq(name, key))
			continue;
		return uri_decode(
		    a, str_from(pair, n < pair.n ? n + 1 : n), out);
	}
	return true;
}

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

void
uri_encode(struct buf *b, struct str text, const char *keep)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (is_unreserved(c) || (c != '\0' && strchr(keep, c) != NULL))
			buf_add(b, &c, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}
