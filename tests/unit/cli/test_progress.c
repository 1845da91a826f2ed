/*
 * test_progress.c - bars.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "progress.h"

static void
bars(void **state)
{
	char out[BAR_MAX];

	(void)state;
	assert_string_equal(progress_bar(0, 0, 4, out), "[----]");
	assert_string_equal(progress_bar(0, 10, 4, out), "[----]");
	assert_string_equal(progress_bar(5, 10, 4, out), "[##--]");
	assert_string_equal(progress_bar(9, 10, 4, out), "[###-]");
	assert_string_equal(progress_bar(10, 10, 4, out), "[####]");
	assert_string_equal(
	    progress_bar(UINT64_MAX, UINT64_MAX, 1, out), "[#]");
	assert_int_equal(strlen(progress_bar(1, 2, 100000, out)), BAR_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
