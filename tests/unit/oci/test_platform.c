/*
 * test_platform.c - which child of an index is meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/platform.h"

/* clang-format off */
static const struct {
	const char *wanted, *os, *architecture, *variant;
	bool matches;
} rows[] = {
	{ "linux/amd64",    "linux",   "amd64",   "",   true },
	{ "linux/amd64",    "linux",   "arm64",   "",   false },
	{ "linux/amd64",    "windows", "amd64",   "",   false },
	{ "linux/amd64",    "",        "",        "",   false },
	{ "linux/x86_64",   "linux",   "amd64",   "",   true },
	{ "linux/amd64",    "linux",   "x86_64",  "",   true },
	{ "linux/amd64/v3", "linux",   "amd64",   "",   false },
	{ "linux/amd64/v1", "linux",   "amd64",   "",   true },
	{ "linux/arm64",    "linux",   "arm64",   "v8", true },
	{ "linux/arm64/v8", "linux",   "arm64",   "",   true },
	{ "linux/aarch64",  "linux",   "arm64",   "v8", true },
	{ "linux/arm/v7",   "linux",   "arm",     "v7", true },
	{ "linux/arm/v7",   "linux",   "arm",     "v6", false },
	{ "linux/arm/v7",   "linux",   "arm",     "",   true },
	{ "linux/arm",      "linux",   "arm",     "v6", true },
	{ "linux/armhf",    "linux",   "arm",     "v7", true },
};
/* clang-format on */

static void
matching(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (platform_matches(str_of(rows[i].wanted), rows[i].os,
			rows[i].architecture,
			rows[i].variant) != rows[i].matches)
			fail_msg("%s against %s/%s/%s", rows[i].wanted,
			    rows[i].os, rows[i].architecture, rows[i].variant);
}

static void
form(void **state)
{
	(void)state;
	assert_true(platform_is_valid(STR("linux/amd64")));
	assert_true(platform_is_valid(STR("linux/arm/v7")));
	assert_false(platform_is_valid(STR("linux")));
	assert_false(platform_is_valid(STR("linux/")));
	assert_false(platform_is_valid(STR("/amd64")));
	assert_false(platform_is_valid(STR("linux/arm/v7/x")));
	assert_false(platform_is_valid(STR("linux/am d64")));
	assert_false(platform_is_valid(STR("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matching),
		cmocka_unit_test(form),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
