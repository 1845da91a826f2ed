/*
 * crc32c.c - CRC-32C by instruction where there is one, else by table.
 *
 * The table takes half a byte a step: it is 64 bytes, needs no start-up, and
 * only old machines ever use it.
 */
#include "common/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t
crc32c_table(uint32_t crc, const unsigned char *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, /* 0..3 */
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, /* 4..7 */
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, /* 8..11 */
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75, /* 12..15 */
	};

	for (; n > 0; n--, p++) {
		crc ^= *p;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t wide = crc;
	uint64_t word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; n--, p++)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}
#endif

uint32_t
crc32c(uint32_t seed, const void *p, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~seed, p, n);
#endif
	return ~crc32c_table(~seed, p, n);
}
