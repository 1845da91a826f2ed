/*
 * field.c - the pieces that header values are made of: tokens, quoted strings
 * and the space between them (RFC 9110, section 5.6).
 *
 * Each function takes its piece off the front of what is left.  One that
 * returns false leaves the rest wherever it got to: the value is malformed.
 */
#include "oci_int.h"

#include <string.h>

static bool
is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Tab, and whatever is no control character: quoted-string lets these pass,
 * as they are and escaped. */
static bool
is_text_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= 0x20 && u != 0x7f);
}

void
field_skip_space(struct str *rest)
{
	while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = str_from(*rest, 1);
}

bool
field_skip(struct str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = str_from(*rest, 1);
	return true;
}

bool
field_cut_token(struct str *rest, struct str *token)
{
	size_t n = 0;

	while (n < rest->n && is_token_char(rest->p[n]))
		n++;
	*token = (struct str){ rest->p, n };
	*rest = str_from(*rest, n);
	return n > 0;
}

/* REST begins behind the opening quote. */
static bool
cut_quoted(struct str *rest, struct str *value)
{
	size_t i;

	for (i = 0; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && ++i == rest->n)
			return false;
		if (!is_text_char(rest->p[i]))
			return false;
	}
	if (i == rest->n)
		return false;
	*value = (struct str){ rest->p, i };
	*rest = str_from(*rest, i + 1);
	return true;
}

bool
field_cut_value(struct str *rest, struct str *value)
{
	if (field_skip(rest, '"'))
		return cut_quoted(rest, value);
	return field_cut_token(rest, value);
}

size_t
field_unescape(struct str value, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' && i + 1 < value.n)
			i++;
		out[n++] = value.p[i];
	}
	return n;
}
