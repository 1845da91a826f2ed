/*
 * test_err.c - sentences: set, wrapped, cut.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

static void
wrapping(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ERR_DISK, "%s is %d", "it", 7), -1);
	assert_int_equal(err.code, ERR_DISK);
	assert_string_equal(err.text, "it is 7");
	assert_int_equal(err_wrap(&err, "blob %d", 3), -1);
	assert_int_equal(err.code, ERR_DISK);
	assert_string_equal(err.text, "blob 3: it is 7");
}

/* The old sentence may be an argument of the new one. */
static void
aliases(void **state)
{
	struct err err;

	(void)state;
	(void)err_set(&err, ERR_DISK, "one");
	(void)err_set(&err, ERR_CONFIG, "not %s but %s", err.text, err.text);
	assert_string_equal(err.text, "not one but one");
	(void)err_wrap(&err, "<%s>", err.text);
	assert_string_equal(err.text, "<not one but one>: not one but one");
}

static void
long_sentences_are_cut(void **state)
{
	struct err err;
	char text[2 * ERR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, ERR_DISK, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	(void)err_wrap(&err, "in short");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_int_equal(strncmp(err.text, "in short: xxx", 13), 0);
	(void)err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	errno = EIO;
	(void)err_errno(&err, ERR_DISK, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

static void
errors_of_the_system(void **state)
{
	struct err err;

	(void)state;
	errno = EIO;
	assert_int_equal(err_errno(&err, ERR_DISK, "reading %s", "f"), -1);
	assert_int_equal(err.code, ERR_DISK);
	assert_string_equal(err.text, "reading f: Input/output error");
	errno = ENOSPC;
	(void)err_errno(&err, ERR_DISK, "x");
	assert_int_equal(err.code, ERR_DISK_FULL);
	errno = EDQUOT;
	(void)err_errno(&err, ERR_DISK, "x");
	assert_int_equal(err.code, ERR_DISK_FULL);
	errno = ENOMEM;
	(void)err_errno(&err, ERR_DISK, "x");
	assert_int_equal(err.code, ERR_NO_MEMORY);
}

/* Each row has what a client needs: a code, and a status that says failure. */
static void
every_row_is_whole(void **state)
{
	(void)state;
	assert_int_equal(err_http_status(ERR_NONE), 200);
	for (enum err_code code = ERR_NONE + 1; code < ERR_COUNT; code++) {
		assert_true(strlen(err_oci_code(code)) > 0);
		assert_in_range(err_http_status(code), 400, 599);
		assert_int_not_equal(err_http_status(code), 429);
	}
	assert_string_equal(err_oci_code(ERR_BLOB_UNKNOWN), "BLOB_UNKNOWN");
	assert_int_equal(err_http_status(ERR_BLOB_UNKNOWN), 404);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrapping),
		cmocka_unit_test(aliases),
		cmocka_unit_test(long_sentences_are_cut),
		cmocka_unit_test(errors_of_the_system),
		cmocka_unit_test(every_row_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
