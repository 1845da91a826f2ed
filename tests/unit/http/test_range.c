/*
 * test_range.c - ranges and entity tags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/range.h"

static const struct {
	const char *header;
	uint64_t size;
	enum range_kind kind;
	uint64_t start, end;
	bool is_open;
} rows_of_ranges[] = {
	{ NULL, 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=0-", 10, RANGE_PART, 0, 10, true },
	{ "bytes=3-", 10, RANGE_PART, 3, 10, true },
	{ "bytes=9-", 10, RANGE_PART, 9, 10, true },
	{ "bytes=3-3", 10, RANGE_PART, 3, 4, false },
	{ "bytes=3-9", 10, RANGE_PART, 3, 10, false },
	{ "bytes=3-10", 10, RANGE_PART, 3, 10, false },
	{ "bytes=3-99999999999999999999999", 10, RANGE_PART, 3, 10, false },
	{ "bytes=-4", 10, RANGE_PART, 6, 10, true },
	{ "bytes=-10", 10, RANGE_PART, 0, 10, true },
	{ "bytes=-11", 10, RANGE_PART, 0, 10, true },
	{ "bytes=-99999999999999999999999", 10, RANGE_PART, 0, 10, true },
	{ "Bytes= 1-2 ", 10, RANGE_PART, 1, 3, false },
	{ "bytes=0-18446744073709551615", UINT64_MAX, RANGE_PART, 0, UINT64_MAX,
	    false },
	{ "bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0, false },
	{ "bytes=10-12", 10, RANGE_UNSATISFIABLE, 0, 0, false },
	{ "bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE, 0, 0,
	    false },
	{ "bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0, false },
	{ "bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0, false },
	{ "bytes=-1", 0, RANGE_WHOLE, 0, 0, false },
	/* To be ignored: RFC 9110, section 14.2. */
	{ "", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=-", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=a-", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=1-a", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=1", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=4-3", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=1-2,4-5", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=1-,4-5", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=+1-2", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=1 -2", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes=--2", 10, RANGE_WHOLE, 0, 10, false },
	{ "bytes 1-2", 10, RANGE_WHOLE, 0, 10, false },
	{ "lines=1-2", 10, RANGE_WHOLE, 0, 10, false },
};

static void
ranges(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows_of_ranges) / sizeof(rows_of_ranges[0]);
	     i++) {
		struct str header = rows_of_ranges[i].header == NULL
		    ? (struct str){ NULL, 0 }
		    : str_of(rows_of_ranges[i].header);
		struct range range;
		enum range_kind kind =
		    range_parse(header, rows_of_ranges[i].size, &range);

		if (kind != rows_of_ranges[i].kind)
			print_error("%s\n", rows_of_ranges[i].header);
		assert_int_equal(kind, rows_of_ranges[i].kind);
		if (kind != RANGE_PART)
			continue;
		assert_int_equal(range.start, rows_of_ranges[i].start);
		assert_int_equal(range.end, rows_of_ranges[i].end);
		assert_int_equal(range.is_open, rows_of_ranges[i].is_open);
	}
}

static void
if_range(void **state)
{
	struct str etag = STR("\"sha256:a\"");

	(void)state;
	assert_true(range_if_range((struct str){ NULL, 0 }, etag));
	assert_true(range_if_range(etag, etag));
	assert_false(range_if_range(STR("\"sha256:b\""), etag));
	assert_false(range_if_range(STR("W/\"sha256:a\""), etag));
	assert_false(range_if_range(STR(""), etag));
	assert_false(
	    range_if_range(STR("Sun, 06 Nov 1994 08:49:37 GMT"), etag));
}

static void
etags(void **state)
{
	static const struct {
		const char *list;
		bool matches;
	} rows[] = {
		{ "\"a\"", true },
		{ "W/\"a\"", true },
		{ "\"b\", \"a\"", true },
		{ "\"b\" ,\t,W/\"a\"", true },
		{ "\"x,y\",\"a\"", true },
		{ " * ", true },
		{ "", false },
		{ "a", false },
		{ "\"", false },
		{ "\"a", false },
		{ "\"ab\"", false },
		{ "\"b\", *", false },
		{ "w/\"a\"", false },
		{ "\"x,\"a\"", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (etag_matches(str_of(rows[i].list), STR("\"a\"")) !=
		    rows[i].matches)
			fail_msg("%s", rows[i].list);
	}
	assert_false(etag_matches((struct str){ NULL, 0 }, STR("\"a\"")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(if_range),
		cmocka_unit_test(etags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
