/*
 * test_str.c - borrowed text, piece by piece.
 */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/str.h"

static void
comparing(void **state)
{
	(void)state;
	assert_true(str_eq(STR("ab"), STR("ab")));
	assert_false(str_eq(STR("ab"), STR("abc")));
	assert_true(str_eq((struct str){ NULL, 0 }, STR("")));
	assert_true(str_eqz(STR("ab"), "ab"));
	assert_false(str_eqz((struct str){ "a\0b", 3 }, "a"));
	assert_true(str_ieq(STR("Docker.IO"), STR("dOCKER.io")));
	assert_false(str_ieq(STR("a@"), STR("a`"))); /* 32 apart, no letters */
	assert_false(str_ieq(STR("\xc4"), STR("\xe4")));
	assert_true(str_starts(STR("/v2/x"), STR("/v2/")));
	assert_false(str_starts(STR("/v"), STR("/v2/")));
	assert_true(str_starts(STR(""), STR("")));
	assert_true(str_ends(STR("a.json"), STR(".json")));
	assert_false(str_ends(STR("json"), STR(".json")));
	assert_non_null(str_of(NULL).p);
	assert_int_equal(str_of(NULL).n, 0);
}

static void
trimming(void **state)
{
	(void)state;
	assert_true(str_eqz(str_trim(STR(" \t a b\t ")), "a b"));
	assert_true(str_eqz(str_trim(STR(" \t ")), ""));
	assert_true(str_eqz(str_trim(STR("\na\n")), "\na\n"));
	assert_true(str_eqz(str_from(STR("abc"), 3), ""));
	assert_int_equal(str_index(STR("abc"), 'c'), 2);
	assert_int_equal(str_index(STR("abc"), 'd'), 3);
	assert_int_equal(str_index((struct str){ NULL, 0 }, 'd'), 0);
}

static void
assert_pieces(const char *text, const char *const *want)
{
	struct str rest = str_of(text);
	struct str piece;

	for (; *want != NULL; want++) {
		assert_true(str_cut(&rest, ',', &piece));
		assert_true(str_eqz(piece, *want));
	}
	assert_false(str_cut(&rest, ',', &piece));
	assert_false(str_cut(&rest, ',', &piece));
}

static void
cutting(void **state)
{
	(void)state;
	assert_pieces("a,,b", (const char *[]){ "a", "", "b", NULL });
	assert_pieces("", (const char *[]){ "", NULL });
	assert_pieces(",", (const char *[]){ "", "", NULL });
	assert_pieces("a", (const char *[]){ "a", NULL });
	assert_pieces("a,", (const char *[]){ "a", "", NULL });
}

static void
numbers(void **state)
{
	static const char *const wrong[] = { "", " 1", "1 ", "+1", "-1", "0x1",
		"1.0", "18446744073709551616", "99999999999999999999",
		"184467440737095516150" };
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(str_u64(str_of(wrong[i]), &n));
	assert_int_equal(n, 7);
	assert_true(str_u64(STR("18446744073709551615"), &n));
	assert_true(n == UINT64_MAX);
	assert_true(str_u64(STR("000"), &n));
	assert_int_equal(n, 0);
}

static void
controls(void **state)
{
	char text[20];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t i = 0; i < sizeof(text); i++) {
			memset(text, i % 2 == 0 ? 0xff : '~', sizeof(text));
			text[i] = (char)c;
			assert_int_equal(
			    str_has_control((struct str){ text, sizeof(text) }),
			    c < 0x20 || c == 0x7f);
			assert_false(str_has_control((struct str){ text, i }));
		}
}

static void
copying(void **state)
{
	char *p = str_dup((struct str){ "a\0b", 3 });

	(void)state;
	assert_memory_equal(p, "a\0b", 4);
	free(p);
	p = str_dup((struct str){ NULL, 0 });
	assert_string_equal(p, "");
	free(p);
}

static void
printable(void **state)
{
	char out[16];

	(void)state;
	assert_ptr_equal(str_printable(STR("a~ b"), out, sizeof(out)), out);
	assert_string_equal(out, "a~ b");
	assert_string_equal(
	    str_printable((struct str){ "\0\x7f\xff", 3 }, out, sizeof(out)),
	    "\\x00\\x7f\\xff");
	assert_string_equal(
	    str_printable(STR("0123456789abcdefgh"), out, sizeof(out)),
	    "0123456789abcde");
	/* An escape is never cut in two. */
	assert_string_equal(str_printable(STR("ab\n"), out, 6), "ab");
	assert_string_equal(str_printable(STR("ab\n"), out, 7), "ab\\x0a");
	assert_string_equal(str_printable(STR("ab"), out, 1), "");
}

static void
patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "library/nginx:v1", true },
		{ "**", "a", true },
		{ "a*", "ba", false },
		{ "*:v[0-9]*", "library/nginx:v1.2", true },
		{ "*:v[0-9]*", "library/nginx:vx", false },
		{ "store-*", "store-", true },
		{ "store-*", "store", false },
		{ "?", "", false },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "*a*b*c", "xxaxxbxxc", true },
		{ "*a*b*c", "xxaxxcxxb", false },
		{ "*ab", "aab", true },
		{ "[!a]", "b", true },
		{ "[!a]", "a", false },
		{ "[]a]", "]", true },
		{ "[!]a]", "]", false },
		{ "[a-]", "-", true },
		{ "[z-a]", "m", false },
		{ "[abc", "[abc", true }, /* no end: a plain bracket */
		{ "[", "[", true },
		{ "[!", "[!", true },
		{ "\xff?", "\xff\xfe", true },
		{ "[\x80-\xff]", "\xc3", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    str_match(str_of(rows[i].pattern), str_of(rows[i].text)),
		    rows[i].matches);
}

/* fnmatch() is right about patterns without odd brackets. */
static void
patterns_as_fnmatch(void **state)
{
	static const char *const parts[] = { "a", "b", "*", "?", "[ab]", "[!a]",
		"[a-c]", "c" };
	uint32_t random = 3;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char pattern[64] = "", text[12] = "";
		size_t n = 0;

		for (int k = 0; k < 6; k++) {
			const char *part;

			random = random * 1664525 + 1013904223;
			part = parts[random >> 29];
			memcpy(pattern + n, part, strlen(part) + 1);
			n += strlen(part);
		}
		random = random * 1664525 + 1013904223;
		for (uint32_t k = 0; k < random >> 29; k++)
			text[k] = (char)('a' + (random >> (2 * k) & 3) % 3);
		assert_int_equal(str_match(str_of(pattern), str_of(text)),
		    fnmatch(pattern, text, FNM_NOESCAPE) == 0);
	}
}

/* Many stars and no match: what takes a backtracking matcher for ever. */
static void
patterns_take_no_time(void **state)
{
	char text[4001];
	clock_t start = clock(); /* our own time: others may take more */

	(void)state;
	memset(text, 'a', 4000);
	text[4000] = '\0';
	assert_false(str_match(
	    STR("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), str_of(text)));
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(trimming),
		cmocka_unit_test(cutting),
		cmocka_unit_test(numbers),
		cmocka_unit_test(controls),
		cmocka_unit_test(copying),
		cmocka_unit_test(printable),
		cmocka_unit_test(patterns),
		cmocka_unit_test(patterns_as_fnmatch),
		cmocka_unit_test(patterns_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
