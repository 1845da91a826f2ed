/*
 * str.c - borrowed text.
 *
 * A struct str with p == NULL is "nothing": str_cut() leaves it when all pieces
 * were cut off.  ASCII only, whatever the locale.
 */
#include "common/str.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct str
str_of(const char *z)
{
	return z == NULL ? STR("") : (struct str){ z, strlen(z) };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eqz(struct str s, const char *z)
{
	return str_eq(s, str_of(z));
}

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool
str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq((struct str){ s.p, prefix.n }, prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str
str_from(struct str s, size_t offset)
{
	check(offset <= s.n);
	return offset == 0 ? s : (struct str){ s.p + offset, s.n - offset };
}

size_t
str_index(struct str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? s.n : (size_t)(at - s.p);
}

bool
str_cut(struct str *rest, char sep, struct str *piece)
{
	size_t n = str_index(*rest, sep);

	if (rest->p == NULL)
		return false;
	*piece = (struct str){ rest->p, n };
	if (n == rest->n)
		*rest = (struct str){ NULL, 0 };
	else
		*rest = str_from(*rest, n + 1);
	return true;
}

/* Subtracting 0x20 from a byte below it borrows; so does subtracting 1 from what
 * is left of 0x7f when that is taken off.  Only bytes behind one that was found
 * can be taken wrongly for another. */
static uint64_t
control_bits(uint64_t bytes)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t rest = bytes ^ ones * 0x7f;

	return (((bytes - ones * 0x20) & ~bytes) | ((rest - ones) & ~rest)) &
	    ones * 0x80;
}

bool
str_has_control(struct str s)
{
	uint64_t word, found = 0;
	size_t i;

	for (i = 0; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		found |= control_bits(word);
	}
	memset(&word, ' ', sizeof(word));
	if (i < s.n)
		memcpy(&word, s.p + i, s.n - i);
	return (found | control_bits(word)) != 0;
}

bool
str_u64(struct str s, uint64_t *out)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

char *
str_dup(struct str s)
{
	char *p = malloc(s.n + 1);

	if (p == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

const char *
str_printable(struct str s, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	check(cap > 0);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = c >= 0x20 && c <= 0x7e;

		if (n + (plain ? 1 : 4) >= cap)
			break;
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return out;
}

/*
 * The set that starts at PAT[0] == '[': whether C is in it, and in *len how
 * long it is.  A ']' right after the start is a member.  *len is 0 when the
 * set has no end: then the '[' stands for itself.
 */
static bool
set_has(struct str pat, char c, size_t *len)
{
	size_t i = 1;
	bool negated = i < pat.n && pat.p[i] == '!';
	unsigned char want = (unsigned char)c;
	bool found = false;
	size_t first;

	i += negated;
	first = i;
	for (; i < pat.n && (i == first || pat.p[i] != ']'); i++) {
		unsigned char from = (unsigned char)pat.p[i];
		unsigned char to = from;

		if (i + 2 < pat.n && pat.p[i + 1] == '-' &&
		    pat.p[i + 2] != ']') {
			to = (unsigned char)pat.p[i + 2];
			i += 2;
		}
		found = found || (from <= want && want <= to);
	}
	*len = i < pat.n ? i + 1 : 0;
	return found != negated;
}

/* Whether PAT begins with something for the one byte C; *len: how much of
 * PAT that is. */
static bool
match_one(struct str pat, char c, size_t *len)
{
	bool has;

	*len = 1;
	if (pat.n == 0)
		return false;
	if (pat.p[0] == '?')
		return true;
	if (pat.p[0] == '[') {
		has = set_has(pat, c, len);
		if (*len > 0)
			return has;
		*len = 1;
	}
	return pat.p[0] == c;
}

/* Only the last star is ever tried again: what earlier ones matched holds. */
bool
str_match(struct str pattern, struct str text)
{
	struct str retry = { NULL, 0 }; /* the pattern behind the last star */
	size_t retry_at = 0;
	size_t at = 0;
	size_t len;

	while (at < text.n) {
		if (pattern.n > 0 && pattern.p[0] == '*') {
			pattern = str_from(pattern, 1);
			retry = pattern;
			retry_at = at;
		} else if (match_one(pattern, text.p[at], &len)) {
			pattern = str_from(pattern, len);
			at++;
		} else if (retry.p != NULL) {
			pattern = retry;
			at = ++retry_at;
		} else {
			return false;
		}
	}
	while (pattern.n > 0 && pattern.p[0] == '*')
		pattern = str_from(pattern, 1);
	return pattern.n == 0;
}
