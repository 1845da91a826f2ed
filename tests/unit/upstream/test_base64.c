/*
 * test_base64.c - RFC 4648, section 10, and what is no base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/base64.h"

static void
both_ways(void **state)
{
	const struct {
		struct str bytes, text;
	} cases[] = {
		{ STR(""), STR("") },
		{ STR("f"), STR("Zg==") },
		{ STR("fo"), STR("Zm8=") },
		{ STR("foo"), STR("Zm9v") },
		{ STR("foob"), STR("Zm9vYg==") },
		{ STR("fooba"), STR("Zm9vYmE=") },
		{ STR("foobar"), STR("Zm9vYmFy") },
		{ STR("\xff\xfe\xfd\0\x01"), STR("//79AAE=") },
		{ STR("\xfb\xef\xbe"), STR("++++") },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		base64_encode(&out, cases[i].bytes);
		assert_true(str_eq(buf_str(&out), cases[i].text));
		buf_reset(&out);
		assert_int_equal(base64_decode(&out, cases[i].text), 0);
		assert_true(str_eq(buf_str(&out), cases[i].bytes));
	}
	buf_done(&out);
}

static void
no_base64(void **state)
{
	const struct str cases[] = { STR("Z"), STR("Zg"), STR("Zg="),
		STR("Zg=g"), STR("Z==="), STR("===="), STR("Zh=="), STR("Zm9="),
		STR("Zm9v\n"), STR("Zm 9"), STR("Zm-_"), STR("Zg==Zg=="),
		STR("Zm\0v"), STR("Zm8=Zm9v"), STR("\xc3\xa9zz") };
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		buf_addz(&out, "before");
		assert_int_equal(base64_decode(&out, cases[i]), -1);
		assert_true(str_eqz(buf_str(&out), "before"));
	}
	buf_done(&out);
}

static void
a_ceiling(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_int_equal(base64_decode(&out, STR("Zm9vYmFy")), 0);
	assert_true(out.overflow);
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(no_base64),
		cmocka_unit_test(a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
