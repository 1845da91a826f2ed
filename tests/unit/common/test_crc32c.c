/*
 * test_crc32c.c - known sums, and that instruction and table agree.
 *
 * The module's source is included, for its static functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../common/crc32c.c"

/* RFC 3720, appendix B.4 (there in the order of transmission). */
static void
known_sums(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
	for (unsigned char i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
	for (unsigned char i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
}

/* Bit by bit, from the polynomial. */
static uint32_t
slow(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n > 0; n--, p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

static void
all_ways_agree(void **state)
{
	unsigned char bytes[300];
	uint32_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		random = random * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(random >> 24);
	}
	for (size_t from = 0; from < 9; from++)
		for (size_t n = 0; n + from <= sizeof(bytes); n++) {
			uint32_t want = slow(random, bytes + from, n);

			assert_int_equal(
			    crc32c_table(random, bytes + from, n), want);
#if defined(__x86_64__)
			if (__builtin_cpu_supports("sse4.2"))
				assert_int_equal(
				    crc32c_sse42(random, bytes + from, n),
				    want);
#endif
		}
}

static void
sums_go_on(void **state)
{
	const char *text = "The quick brown fox jumps over the lazy dog";
	size_t n = strlen(text);

	(void)state;
	for (size_t i = 0; i <= n; i++)
		assert_int_equal(crc32c(crc32c(0, text, i), text + i, n - i),
		    crc32c(0, text, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums),
		cmocka_unit_test(all_ways_agree),
		cmocka_unit_test(sums_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
