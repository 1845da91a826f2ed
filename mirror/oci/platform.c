/*
 * platform.c - does an image run there?
 */
#include "oci/platform.h"

#define PLATFORM_MAX_BYTES 128

struct platform {
	struct str os, architecture, variant;
};

static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '_' || c == '-' ||
			c == '.'))
			return false;
	}
	return s.n > 0;
}

bool
platform_is_valid(struct str text)
{
	struct str rest = text, piece;
	unsigned n = 0;

	if (text.n > PLATFORM_MAX_BYTES)
		return false;
	for (; str_cut(&rest, '/', &piece); n++)
		if (!is_word(piece))
			return false;
	return n == 2 || n == 3;
}

/* clang-format off */
static const struct {
	const char *name;
	const char *architecture, *variant;
} other_names[] = {
	{ "x86_64",  "amd64", "" },
	{ "x86-64",  "amd64", "" },
	{ "i386",    "386",   "" },
	{ "aarch64", "arm64", "" },
	{ "armhf",   "arm",   "v7" },
	{ "armel",   "arm",   "v6" },
};

static const struct {
	const char *architecture, *variant;
} unsaid[] = { /* the variant that saying none means */
	{ "arm64", "v8" },
	{ "arm",   "v7" },
	{ "amd64", "v1" },
};
/* clang-format on */

static void
settle(struct platform *p)
{
	size_t i;

	for (i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++) {
		if (!str_eqz(p->architecture, other_names[i].name))
			continue;
		p->architecture = str_of(other_names[i].architecture);
		if (p->variant.n == 0)
			p->variant = str_of(other_names[i].variant);
	}
	if (p->variant.n == 1 && p->variant.p[0] == '8')
		p->variant = STR("v8");
}

static struct str
variant_of(const struct platform *p)
{
	size_t i;

	for (i = 0; p->variant.n == 0 && i < sizeof(unsaid) / sizeof(unsaid[0]);
	     i++)
		if (str_eqz(p->architecture, unsaid[i].architecture))
			return str_of(unsaid[i].variant);
	return p->variant;
}

bool
platform_matches(struct str wanted, const char *os, const char *architecture,
    const char *variant)
{
	struct platform want = { 0 };
	struct platform has = { str_of(os), str_of(architecture),
		str_of(variant) };

	(void)str_cut(&wanted, '/', &want.os);
	(void)str_cut(&wanted, '/', &want.architecture);
	(void)str_cut(&wanted, '/', &want.variant);
	settle(&want);
	settle(&has);
	if (!str_eq(want.os, has.os) ||
	    !str_eq(want.architecture, has.architecture))
		return false;
	return want.variant.n == 0 ||
	    str_eq(variant_of(&want), variant_of(&has));
}
