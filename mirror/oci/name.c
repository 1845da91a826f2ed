/*
 * name.c - names of repositories, tags and registries.
 *
 *	repository  part *("/" part)
 *	part        run *(("." / "_" / "__" / 1*"-") run)
 *	run         1*(a-z / 0-9)
 *	tag         (word) 0*127(word / "." / "-")
 *	registry    (label *("." label) / "[" IPv6 "]") [":" port]
 */
#include "oci/name.h"

#include <arpa/inet.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_alnum(char c)
{
	return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

/* How many bytes at the front of S are a run, or C. */
static size_t
run_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && (is_lower(s.p[n]) || is_digit(s.p[n])))
		n++;
	return n;
}

static size_t
char_length(struct str s, char c)
{
	size_t n = 0;

	while (n < s.n && s.p[n] == c)
		n++;
	return n;
}

/* What stands between two runs; 0 when it is nothing that may. */
static size_t
separator_length(struct str s)
{
	size_t n;

	if (s.p[0] == '.')
		return 1;
	n = char_length(s, '_');
	return n > 0 ? (n <= 2 ? n : 0) : char_length(s, '-');
}

static bool
is_part(struct str s)
{
	size_t n;

	for (;;) {
		n = run_length(s);
		if (n == 0)
			return false;
		s = str_from(s, n);
		if (s.n == 0)
			return true;
		n = separator_length(s);
		if (n == 0)
			return false;
		s = str_from(s, n);
	}
}

bool
name_is_repository(struct str s)
{
	struct str part;

	if (s.n == 0 || s.n > NAME_MAX_BYTES)
		return false;
	while (str_cut(&s, '/', &part))
		if (!is_part(part))
			return false;
	return true;
}

bool
name_is_tag(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > TAG_MAX_BYTES || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' &&
		    s.p[i] != '-')
			return false;
	return true;
}

static bool
is_label(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

static bool
is_host(struct str s)
{
	struct str label;

	if (s.n == 0)
		return false;
	while (str_cut(&s, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

static bool
is_ipv6(struct str s)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN] = "";

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	return strlen(text) == s.n && inet_pton(AF_INET6, text, &address) == 1;
}

static bool
is_port(struct str s)
{
	uint64_t port;

	return s.n <= 5 && str_u64(s, &port) && port > 0 && port <= 65535;
}

bool
name_is_registry(struct str s)
{
	struct str host = s, rest;
	bool is_bracketed = s.n > 0 && s.p[0] == '[';
	size_t end = str_index(s, is_bracketed ? ']' : ':');

	if (s.n > NAME_MAX_BYTES || (is_bracketed && end == s.n))
		return false;
	host.n = end;
	rest = str_from(s, is_bracketed ? end + 1 : end);
	if (rest.n > 0 && (rest.p[0] != ':' || !is_port(str_from(rest, 1))))
		return false;
	return is_bracketed ? is_ipv6(str_from(host, 1)) : is_host(host);
}
