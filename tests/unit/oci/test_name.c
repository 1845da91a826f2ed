/*
 * test_name.c - the grammar of names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oci/name.h"

struct row {
	struct str text;
	bool is_valid;
};

#define YES(lit)                                                               \
	{                                                                      \
		{ (lit), sizeof(lit) - 1 }, true                               \
	}
#define NO(lit)                                                                \
	{                                                                      \
		{ (lit), sizeof(lit) - 1 }, false                              \
	}
#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
check_rows(bool (*is_valid)(struct str), const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_valid(rows[i].text) != rows[i].is_valid)
			fail_msg("\"%.*s\" should%s be valid",
			    STR_ARG(rows[i].text),
			    rows[i].is_valid ? "" : " not");
}

static void
repositories(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		YES("nginx"), YES("library/nginx"), YES("a"), YES("0"),
		YES("a/b/c/d/e"), YES("a.b"), YES("a_b"), YES("a__b"),
		YES("a-b"), YES("a---b"), YES("a.b_c__d-e/f"), YES("1.2"),
		NO(""), NO("/"), NO("/a"), NO("a/"), NO("a//b"), NO("."),
		NO(".."), NO("a/.."), NO("../a"), NO("a..b"), NO("a___b"),
		NO("a._b"), NO("a-_b"), NO(".a"), NO("a."), NO("_a"),
		NO("a_"), NO("-a"), NO("a-"), NO("a/-b"), NO("Nginx"),
		NO("a b"), NO("a\0b"), NO("\0"), NO("a:b"), NO("a@b"),
		NO("host:5000/a"), NO("a%2fb"), NO("\xc3\xa9"), NO("a\n"),
	};
	/* clang-format on */

	(void)state;
	check_rows(name_is_repository, rows, N_ROWS(rows));
	assert_false(name_is_repository((struct str){ NULL, 0 }));
}

static void
tags(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		YES("latest"), YES("1.0"), YES("_x"), YES("v1.2.3-rc.1_b"),
		YES("A"), YES("a."), YES("a-"), YES("a..b"), YES("0"),
		NO(""), NO("."), NO(".."), NO(".a"), NO("-a"), NO("a b"),
		NO("a/b"), NO("a:b"), NO("a\0"), NO("a+b"), NO("\xff"),
	};
	/* clang-format on */

	(void)state;
	check_rows(name_is_tag, rows, N_ROWS(rows));
	assert_false(name_is_tag((struct str){ NULL, 0 }));
}

static void
registries(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		YES("docker.io"), YES("localhost"), YES("localhost:5000"),
		YES("Registry.Example.Test:443"), YES("10.0.0.1:5000"),
		YES("[::1]"), YES("[::1]:5000"), YES("[2001:DB8::1]:1"),
		YES("a-b.c"), YES("1"), YES("h:65535"),
		NO(""), NO(":5000"), NO("h:"), NO("h:0"), NO("h:65536"),
		NO("h:99999999999999999999"), NO("h:5000:1"), NO("h:-1"),
		NO("h:+1"), NO("h:0000080"), NO("[::1"), NO("[]"), NO("[::1]x"),
		NO("[::1]:"), NO("[h]"), NO("::1"), NO("[1]"), NO("[::1%lo]"),
		NO("-a"), NO("a-"), NO("a..b"), NO(".a"), NO("a."), NO("a_b"),
		NO("a/b"), NO("a b"), NO("a\0b"), NO("[::1\0]"), NO("@"),
		NO("[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]"),
	};
	/* clang-format on */

	(void)state;
	check_rows(name_is_registry, rows, N_ROWS(rows));
	assert_false(name_is_registry((struct str){ NULL, 0 }));
}

static void
lengths(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(name_is_repository((struct str){ text, 255 }));
	assert_false(name_is_repository((struct str){ text, 256 }));
	assert_true(name_is_tag((struct str){ text, 128 }));
	assert_false(name_is_tag((struct str){ text, 129 }));
	assert_true(name_is_registry((struct str){ text, 63 }));
	assert_false(name_is_registry((struct str){ text, 64 }));
	text[63] = text[127] = text[191] = '.';
	assert_true(name_is_registry((struct str){ text, 255 }));
	text[255] = '.';
	assert_false(name_is_registry((struct str){ text, 257 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repositories),
		cmocka_unit_test(tags),
		cmocka_unit_test(registries),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
