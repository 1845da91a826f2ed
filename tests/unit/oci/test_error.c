/*
 * test_error.c - the error body.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oci/error.h"

static void
expect_body(const struct err *err, const char *body)
{
	struct buf out;
	char *text;

	buf_init(&out, 4096);
	oci_error_json(&out, err);
	text = buf_take(&out);
	assert_string_equal(text, body);
	free(text);
}

static void
plain(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_BLOB_UNKNOWN, "no such blob");
	expect_body(&err,
	    "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\","
	    "\"message\":\"no such blob\",\"detail\":null}]}\n");
}

static void
escapes(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, ERR_NAME_INVALID, "\"a\\b\"\n\x7f\xff");
	expect_body(&err,
	    "{\"errors\":[{\"code\":\"NAME_INVALID\",\"message\":"
	    "\"\\\"a\\\\b\\\"\\u000a\\u007f\\u00ff\",\"detail\":null}]}\n");
}

static void
too_small(void **state)
{
	struct err err;
	struct buf out;

	(void)state;
	err_set(&err, ERR_NAME_INVALID, "this does not fit");
	buf_init(&out, 40);
	oci_error_json(&out, &err);
	assert_true(out.overflow);
	buf_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(escapes),
		cmocka_unit_test(too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
