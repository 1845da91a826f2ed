/*
 * name.c - which site a request is of.
 */
#include "site/name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

#define IPV6_SITE_BYTES 8 /* of an address: its /64 */

static const unsigned char v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* What a name may be made of: letters (and what is like them), digits. */
enum { L = 3, D = 2, IS_GOOD = 2, IS_LETTER = 1 };

/* clang-format off */
static const unsigned char kinds[256] = {
	['A'] = L, ['B'] = L, ['C'] = L, ['D'] = L, ['E'] = L, ['F'] = L, ['G'] = L, ['H'] = L, ['I'] = L,
	['J'] = L, ['K'] = L, ['L'] = L, ['M'] = L, ['N'] = L, ['O'] = L, ['P'] = L, ['Q'] = L, ['R'] = L,
	['S'] = L, ['T'] = L, ['U'] = L, ['V'] = L, ['W'] = L, ['X'] = L, ['Y'] = L, ['Z'] = L, ['a'] = L,
	['b'] = L, ['c'] = L, ['d'] = L, ['e'] = L, ['f'] = L, ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L,
	['k'] = L, ['l'] = L, ['m'] = L, ['n'] = L, ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L, ['s'] = L,
	['t'] = L, ['u'] = L, ['v'] = L, ['w'] = L, ['x'] = L, ['y'] = L, ['z'] = L, ['_'] = L, ['-'] = L,
	['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D,
	['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D, ['.'] = D,
};
/* clang-format on */

bool
site_name_is_valid(struct str name)
{
	unsigned all = IS_GOOD, any = 0;

	if (name.n > SITE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		all &= kinds[(unsigned char)name.p[i]];
		any |= kinds[(unsigned char)name.p[i]];
	}
	return (all & IS_GOOD) != 0 && (any & IS_LETTER) != 0;
}

static void
set_address(struct site_id *id, const struct sockaddr *sa)
{
	memset(id->address, 0, sizeof(id->address));
	if (sa == NULL)
		return;
	if (sa->sa_family == AF_INET6) {
		memcpy(id->address,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    SITE_ADDRESS_BYTES);
	} else if (sa->sa_family == AF_INET) {
		memcpy(id->address, v4_prefix, sizeof(v4_prefix));
		memcpy(id->address + sizeof(v4_prefix),
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    SITE_ADDRESS_BYTES - sizeof(v4_prefix));
	}
}

static bool
is_v4(const unsigned char address[SITE_ADDRESS_BYTES])
{
	return memcmp(address, v4_prefix, sizeof(v4_prefix)) == 0;
}

void
site_id_set(struct site_id *id, struct str certificate, struct str header,
    const struct sockaddr *sa)
{
	struct str name = certificate.n > 0 ? certificate : header;

	set_address(id, sa);
	if (!site_name_is_valid(name)) {
		id->origin = SITE_BY_ADDRESS;
		id->n = 0;
		if (!is_v4(id->address))
			memset(id->address + IPV6_SITE_BYTES, 0,
			    SITE_ADDRESS_BYTES - IPV6_SITE_BYTES);
		return;
	}
	id->origin = certificate.n > 0 ? SITE_BY_CERTIFICATE : SITE_BY_HEADER;
	id->n = (uint8_t)name.n;
	memcpy(id->name, name.p, name.n);
}

struct str
site_id_name(const struct site_id *id)
{
	return (struct str){ id->name, id->n };
}

const char *
site_address_text(
    const unsigned char address[SITE_ADDRESS_BYTES], char out[SITE_TEXT_MAX])
{
	const void *v4 = address + sizeof(v4_prefix);
	const char *text = is_v4(address)
	    ? inet_ntop(AF_INET, v4, out, SITE_TEXT_MAX)
	    : inet_ntop(AF_INET6, address, out, SITE_TEXT_MAX);

	check(text != NULL);
	return out;
}

const char *
site_id_text(const struct site_id *id, char out[SITE_TEXT_MAX])
{
	char address[SITE_TEXT_MAX];

	if (id->n > 0)
		(void)snprintf(
		    out, SITE_TEXT_MAX, "%.*s", STR_ARG(site_id_name(id)));
	else
		(void)snprintf(out, SITE_TEXT_MAX, "%.60s%s",
		    site_address_text(id->address, address),
		    is_v4(id->address) ? "" : "/64");
	return out;
}

const char *
site_origin_name(enum site_origin origin)
{
	switch (origin) {
	case SITE_BY_ADDRESS:
		return "address";
	case SITE_BY_HEADER:
		return "header";
	case SITE_BY_CERTIFICATE:
		return "certificate";
	}
	unreachable("site_origin");
}
