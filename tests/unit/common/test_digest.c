/*
 * test_digest.c - digests as text, as keys, and as sums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/digest.h"

/* Of "" and "abc": FIPS 180-2, appendices B and C. */
#define EMPTY_256                                                              \
	"sha256:"                                                              \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_256                                                                \
	"sha256:"                                                              \
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                \
	"sha512:"                                                              \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"     \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void
text_and_back(void **state)
{
	static const char *const texts[] = { EMPTY_256, ABC_256, ABC_512 };
	char out[DIGEST_TEXT_MAX];
	struct digest d;
	struct err err;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(digest_parse(&d, str_of(texts[i]), &err), 0);
		assert_string_equal(digest_text(&d, out), texts[i]);
		assert_string_equal(digest_hex(&d, out), texts[i] + 7);
		assert_int_equal(digest_size(&d), strlen(texts[i] + 7) / 2);
		assert_int_equal(digest_key_size(&d), digest_size(&d) + 1);
		assert_int_equal(strncmp(digest_alg_name(&d), texts[i], 6), 0);
	}
}

static void
what_is_no_digest(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		"sha256",
		"sha256:",
		EMPTY_256 "0",       /* one more */
		EMPTY_256 "00",      /* a byte more */
		"sha512:" EMPTY_256, /* twice an algorithm */
		"md5:d41d8cd98f00b204e9800998ecf8427e",
		" " EMPTY_256,
		EMPTY_256 " ",
		"sha256:"
		"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B8"
		"55",
		"SHA256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
		"55",
		"sha256:"
		"g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
		"55",
		"sha256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
		"5",
		"sha256:"
		"../../../../../../../../../../../../../../../../../../etc/"
		"passwd",
	};
	struct digest before, d;
	struct err err;

	(void)state;
	memset(&d, 0x5a, sizeof(d));
	before = d;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(digest_parse(&d, str_of(texts[i]), &err), -1);
		assert_int_equal(err.code, ERR_DIGEST_INVALID);
		assert_memory_equal(&d, &before, sizeof(d));
	}
	assert_int_equal(digest_parse(&d, (struct str){ NULL, 0 }, &err), -1);
}

/* A message shows a peer's bytes in printable form, and not all of them. */
static void
messages_are_printable(void **state)
{
	struct digest d;
	struct err err;
	char nasty[5000];

	(void)state;
	memset(nasty, '\x1b', sizeof(nasty));
	assert_int_equal(
	    digest_parse(&d, (struct str){ nasty, sizeof(nasty) }, &err), -1);
	assert_null(strchr(err.text, '\x1b'));
	assert_non_null(strstr(err.text, "\\x1b"));
	assert_non_null(strstr(err.text, "is not a digest"));
}

static void
equality(void **state)
{
	struct digest a, b;
	struct err err;

	(void)state;
	assert_int_equal(digest_parse(&a, STR(ABC_256), &err), 0);
	assert_int_equal(digest_parse(&b, STR(ABC_256), &err), 0);
	assert_true(digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	b.alg = DIGEST_SHA512;
	assert_false(digest_equal(&a, &b));
}

static void
sums(void **state)
{
	struct digest d;
	char out[DIGEST_TEXT_MAX];

	(void)state;
	digest_of(DIGEST_SHA256, NULL, 0, &d);
	assert_string_equal(digest_text(&d, out), EMPTY_256);
	for (int i = 0; i < 2; i++) { /* the second has all fetched */
		digest_of(DIGEST_SHA256, "abc", 3, &d);
		assert_string_equal(digest_text(&d, out), ABC_256);
		digest_of(DIGEST_SHA512, "abc", 3, &d);
		assert_string_equal(digest_text(&d, out), ABC_512);
	}
}

/* Asking for the sum so far changes nothing. */
static void
hashers_go_on(void **state)
{
	struct hasher *h = hasher_new(DIGEST_SHA256);
	char bytes[3000], out[DIGEST_TEXT_MAX];
	struct digest got, want;

	(void)state;
	assert_non_null(h);
	memset(bytes, 'r', sizeof(bytes));
	hasher_get(h, &got);
	assert_string_equal(digest_text(&got, out), EMPTY_256);
	for (size_t n = 0; n < sizeof(bytes); n += 100) {
		hasher_add(h, bytes + n, 100);
		hasher_get(h, &got);
		digest_of(DIGEST_SHA256, bytes, n + 100, &want);
		assert_true(digest_equal(&got, &want));
	}
	hasher_reset(h);
	hasher_add(h, "", 0);
	hasher_add(h, "abc", 3);
	hasher_get(h, &got);
	assert_string_equal(digest_text(&got, out), ABC_256);
	hasher_free(h);
	hasher_free(NULL);
}

static void
long_hashers(void **state)
{
	struct hasher *h = hasher_new(DIGEST_SHA512);
	char out[DIGEST_TEXT_MAX];
	struct digest d;

	(void)state;
	hasher_add(h, "ab", 2);
	hasher_get(h, &d);
	hasher_add(h, "c", 1);
	hasher_get(h, &d);
	assert_string_equal(digest_text(&d, out), ABC_512);
	hasher_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(what_is_no_digest),
		cmocka_unit_test(messages_are_printable),
		cmocka_unit_test(equality),
		cmocka_unit_test(sums),
		cmocka_unit_test(hashers_go_on),
		cmocka_unit_test(long_hashers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
