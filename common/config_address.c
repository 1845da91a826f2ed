/*
 * config_address.c - text that names places: addresses to listen on, blocks
 * of addresses, URLs, registries.  Nothing is looked up; pure.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config_int.h"

/* ---- hosts and registries ---------------------------------------------- */

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool
is_word(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

struct str
registry_normalise(struct str name, char out[REGISTRY_MAX])
{
	struct str s = { out, 0 };

	if (name.n >= REGISTRY_MAX)
		return s;
	for (; s.n < name.n; s.n++)
		out[s.n] = lower(name.p[s.n]);
	if (str_ends(s, STR(":443")))
		s.n -= 4;
	else if (str_ends(s, STR(":80")))
		s.n -= 3;
	out[s.n] = '\0';
	return s;
}

static bool
port_parse(struct str s, uint64_t *port)
{
	return s.n <= 5 && str_u64(s, port) && *port <= 65535;
}

/* Labels of letters, digits, '-' and '_', parted by dots. */
static bool
host_valid(struct str host)
{
	struct str label;
	size_t i;

	if (host.n > 253)
		return false;
	while (str_cut(&host, '.', &label)) {
		if (label.n == 0 || label.n > 63 || !is_word(label.p[0]) ||
		    !is_word(label.p[label.n - 1]))
			return false;
		for (i = 0; i < label.n; i++)
			if (!is_word(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
	}
	return true;
}

static bool
copy_z(struct str s, char *out, size_t cap)
{
	if (s.n >= cap || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

/* Splits "host:port", "host" and "[v6]:port"; *port has p NULL without one.
 * The brackets are taken off. */
static bool
split_port(struct str s, struct str *host, struct str *port)
{
	size_t end;

	*port = (struct str){ NULL, 0 };
	if (s.n == 0 || s.p[0] != '[') {
		end = str_index(s, ':');
		*host = (struct str){ s.p, end };
	} else {
		s = str_from(s, 1);
		end = str_index(s, ']');
		if (end == s.n)
			return false;
		*host = (struct str){ s.p, end++ };
	}
	if (end == s.n)
		return true;
	*port = str_from(s, end + 1);
	return s.p[end] == ':';
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool
authority_valid(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct str host, port;
	uint64_t number;

	if (!split_port(s, &host, &port))
		return false;
	if (port.p != NULL && (!port_parse(port, &number) || number == 0))
		return false;
	if (s.p[0] != '[')
		return host_valid(host);
	return copy_z(host, text, sizeof(text)) &&
	    inet_pton(AF_INET6, text, &v6) == 1;
}

bool
registry_valid(struct str name)
{
	return name.n > 0 && authority_valid(name) &&
	    (str_index(name, '.') < name.n || str_index(name, ':') < name.n ||
		str_eqz(name, "localhost"));
}

/* ---- URLs -------------------------------------------------------------- */

static bool
cut_scheme(struct str *s, struct str schemes)
{
	struct str scheme, rest;

	while (str_cut(&schemes, ',', &scheme)) {
		scheme = str_trim(scheme);
		if (s->n <= scheme.n ||
		    !str_ieq((struct str){ s->p, scheme.n }, scheme))
			continue;
		rest = str_from(*s, scheme.n);
		if (!str_starts(rest, STR("://")))
			continue;
		*s = str_from(rest, 3);
		return true;
	}
	return false;
}

static bool
is_visible(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

bool
url_parse(struct str text, const char *schemes, struct url *out)
{
	struct str s = text;
	size_t at;

	*out = (struct url){ .origin = text };
	if (!is_visible(text) || str_index(text, '?') < text.n ||
	    str_index(text, '#') < text.n || !cut_scheme(&s, str_of(schemes)))
		return false;
	out->host = (struct str){ s.p, str_index(s, '/') };
	at = str_index(out->host, '@');
	if (at < out->host.n) {
		out->user = (struct str){ s.p, at };
		out->host = str_from(out->host, at + 1);
	}
	while (out->origin.n > 0 && text.p[out->origin.n - 1] == '/')
		out->origin.n--;
	return out->host.n > 0 && authority_valid(out->host);
}

/* ---- addresses --------------------------------------------------------- */

static bool
ip_parse(struct str text, struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)sa;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)sa;
	char z[INET6_ADDRSTRLEN];

	memset(sa, 0, sizeof(*sa));
	if (!copy_z(text, z, sizeof(z)))
		return false;
	if (inet_pton(AF_INET, z, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		*len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, z, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	*len = sizeof(*v6);
	return true;
}

bool
address_parse(struct str text, struct sockaddr_storage *sa, socklen_t *len)
{
	struct str host, port;
	uint64_t number;

	if (!split_port(text, &host, &port) || port.p == NULL ||
	    !port_parse(port, &number))
		return false;
	if (host.n == 0 && text.p[0] == ':')
		host = STR("::");
	if (!ip_parse(host, sa, len))
		return false;
	if (sa->ss_family == AF_INET)
		((struct sockaddr_in *)(void *)sa)->sin_port =
		    htons((uint16_t)number);
	else
		((struct sockaddr_in6 *)(void *)sa)->sin6_port =
		    htons((uint16_t)number);
	return text.p[0] != '[' || sa->ss_family == AF_INET6;
}

/* SA as 16 bytes; true when it is IPv4, plain or mapped. */
static bool
to_v6(const struct sockaddr *sa, unsigned char out[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + sizeof(mapped), &v4.sin_addr, 4);
		return true;
	}
	memcpy(&v6, sa, sizeof(v6));
	memcpy(out, &v6.sin6_addr, 16);
	return memcmp(out, mapped, sizeof(mapped)) == 0;
}

bool
address_is_loopback(const struct sockaddr_storage *sa)
{
	static const unsigned char v6_loopback[16] = { [15] = 1 };
	unsigned char bytes[16];

	if (to_v6((const struct sockaddr *)sa, bytes))
		return bytes[12] == 127;
	return memcmp(bytes, v6_loopback, sizeof(bytes)) == 0;
}

bool
address_equal(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- blocks ------------------------------------------------------------ */

/* Whether the first BITS bits of A and B are the same. */
static bool
bits_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned left = bits % 8;
	unsigned mask = 0xff00u >> left & 0xff;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return left == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

/* Refuses bits behind the prefix: 10.1.0.5/16 is a slip. */
bool
block_parse(struct str text, struct block *out)
{
	size_t slash = str_index(text, '/');
	struct sockaddr_storage sa;
	uint64_t bits, most;
	socklen_t len;
	unsigned i;

	if (!ip_parse((struct str){ text.p, slash }, &sa, &len))
		return false;
	out->is_v4 = to_v6((const struct sockaddr *)&sa, out->bytes);
	bits = most = sa.ss_family == AF_INET ? 32 : 128;
	if (slash < text.n && !str_u64(str_from(text, slash + 1), &bits))
		return false;
	if (bits > most)
		return false;
	out->bits = (unsigned)(128 - most + bits);
	for (i = out->bits; i < 128; i++)
		if ((out->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

bool
block_holds(const struct block *block, const struct sockaddr *sa)
{
	unsigned char bytes[16];

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return false;
	return to_v6(sa, bytes) == block->is_v4 &&
	    bits_equal(bytes, block->bytes, block->bits);
}
