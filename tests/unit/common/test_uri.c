/*
 * test_uri.c - escapes and query strings, broken ones above all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/uri.h"

static char block[256];

static bool
decode(struct str s, struct str *out)
{
	struct arena a;

	arena_init(&a, block, sizeof(block));
	return uri_decode(&a, s, out);
}

static void
decoding(void **state)
{
	struct str plain = STR("library/nginx+x");
	struct str out;

	(void)state;
	assert_true(decode(plain, &out));
	assert_ptr_equal(out.p, plain.p); /* not copied */
	assert_true(decode(STR("%41%2f%2F%c3%A4+%25"), &out));
	assert_true(str_eqz(out, "A//\xc3\xa4+%"));
	assert_true(decode(STR("%2525"), &out)); /* once, not twice */
	assert_true(str_eqz(out, "%25"));
	assert_true(decode(STR(""), &out));
	assert_int_equal(out.n, 0);
}

static void
broken_escapes(void **state)
{
	static const char *const wrong[] = { "%", "%4", "a%", "a%4", "%%41",
		"%4g", "%g4", "%-1", "% 1", "%+1", "%0x", "%00", "a%00b",
		"%41%" };
	struct str out;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(decode(str_of(wrong[i]), &out));
	/* The escape's end is behind the text's end. */
	assert_false(decode((struct str){ "%41", 2 }, &out));
}

static void
a_full_arena(void **state)
{
	struct arena a;
	struct str out;

	(void)state;
	arena_init(&a, block, 2);
	assert_false(uri_decode(&a, STR("%41%41%41"), &out));
	assert_true(a.overflow);
}

static void
assert_query(const char *query, const char *want)
{
	struct arena a;
	struct str out;

	arena_init(&a, block, sizeof(block));
	assert_true(uri_query(&a, str_of(query), STR("ns"), &out));
	if (want == NULL)
		assert_null(out.p);
	else
		assert_true(out.p != NULL && str_eqz(out, want));
}

static void
queries(void **state)
{
	(void)state;
	assert_query("ns=docker.io", "docker.io");
	assert_query("n=100&ns=docker.io&last=x", "docker.io");
	assert_query("ns=a&ns=b", "a");
	assert_query("n%73=a", "a");
	assert_query("ns=a%3A5000", "a:5000");
	assert_query("ns=a+b", "a+b");
	assert_query("ns=a=b", "a=b");
	assert_query("ns", "");
	assert_query("ns=", "");
	assert_query("&&ns=x", "x");
	assert_query("", NULL);
	assert_query("nsx=1&xns=2&NS=3", NULL);
	assert_query("=ns", NULL);
	assert_query("%zz=1&ns=a", "a"); /* not ours to judge */
}

static void
broken_queries(void **state)
{
	struct arena a;
	struct str out;

	(void)state;
	arena_init(&a, block, sizeof(block));
	assert_false(uri_query(&a, STR("ns=%zz"), STR("ns"), &out));
	assert_false(uri_query(&a, STR("ns=a%00"), STR("ns"), &out));
	assert_true(uri_query(&a, (struct str){ NULL, 0 }, STR("ns"), &out));
	assert_null(out.p);
}

static void
encoding(void **state)
{
	struct arena a;
	struct buf b;
	struct str out;
	char all[255];

	(void)state;
	buf_init(&b, 1000);
	uri_encode(&b, (struct str){ "a/b?\0 \xc3~", 8 }, "/");
	assert_true(str_eqz(buf_str(&b), "a/b%3F%00%20%C3~"));
	buf_reset(&b);
	uri_encode(&b, STR("a/b"), "");
	assert_true(str_eqz(buf_str(&b), "a%2Fb"));
	buf_reset(&b);

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + 1);
	uri_encode(&b, (struct str){ all, sizeof(all) }, "");
	arena_init(&a, malloc(1000), 1000);
	assert_true(uri_decode(&a, buf_str(&b), &out));
	assert_int_equal(out.n, sizeof(all));
	assert_memory_equal(out.p, all, sizeof(all));
	free(a.base);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoding),
		cmocka_unit_test(broken_escapes),
		cmocka_unit_test(a_full_arena),
		cmocka_unit_test(queries),
		cmocka_unit_test(broken_queries),
		cmocka_unit_test(encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
