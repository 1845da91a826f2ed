/*
 * fuzz_uri.c - escapes, query strings, patterns and digests from anybody.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/digest.h"
#include "common/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was encoded decodes to itself; NUL never gets through. */
static void
there_and_back(struct arena *a, struct str text)
{
	struct buf b;
	struct str out;

	buf_init(&b, 3 * text.n);
	uri_encode(&b, text, "/");
	check(!b.overflow);
	if (uri_decode(a, buf_str(&b), &out))
		check(str_eq(out, text));
	else
		check(str_index(text, '\0') < text.n);
	buf_done(&b);
}

static void
decode(struct arena *a, struct str text)
{
	struct str out;

	if (uri_decode(a, text, &out))
		check(out.n <= text.n);
	if (uri_query(a, text, STR("ns"), &out))
		check(out.p == NULL || out.n <= text.n);
	check(!a->overflow);
}

static void
digest(struct str text)
{
	char out[DIGEST_TEXT_MAX];
	struct digest d;
	struct err err;

	if (digest_parse(&d, text, &err) == 0)
		check(str_eqz(text, digest_text(&d, out)));
}

/* The first line is the pattern for the rest. */
static void
match(struct str text)
{
	struct str pattern;

	if (str_cut(&text, '\n', &pattern))
		(void)str_match(pattern, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	size_t cap = 8 * size + 64;
	struct arena a;
	void *block;

	if (size > 4096)
		return 0;
	block = malloc(cap);
	check(block != NULL);
	arena_init(&a, block, cap);
	decode(&a, text);
	arena_reset(&a);
	there_and_back(&a, text);
	digest(text);
	match(text);
	free(block);
	return 0;
}
