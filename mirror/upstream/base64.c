/*
 * base64.c - three bytes are four letters.
 */
#include "upstream/base64.h"

#include <stdint.h>
#include <string.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct buf *out, struct str s)
{
	for (; s.n > 0; s = str_from(s, s.n < 3 ? s.n : 3)) {
		uint32_t group = (uint32_t)(unsigned char)s.p[0] << 16;
		char four[4] = { '=', '=', '=', '=' };

		if (s.n > 1)
			group |= (uint32_t)(unsigned char)s.p[1] << 8;
		if (s.n > 2)
			group |= (unsigned char)s.p[2];
		for (unsigned i = 0; i < 4 && i <= s.n; i++)
			four[i] = letters[group >> (18 - 6 * i) & 63];
		buf_add(out, four, sizeof(four));
	}
}

/* The group of N letters at P; UINT32_MAX when one is not of the alphabet. */
static uint32_t
group_of(const char *p, size_t n)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *at = letters;

		if (i < n)
			at = p[i] == '\0' ? NULL : strchr(letters, p[i]);
		if (at == NULL)
			return UINT32_MAX;
		group = group << 6 | (uint32_t)(at - letters);
	}
	return group;
}

int
base64_decode(struct buf *out, struct str s)
{
	size_t before = out->n;

	if (s.n % 4 != 0)
		return -1;
	for (; s.n > 0; s = str_from(s, 4)) {
		size_t n = s.n > 4 || s.p[3] != '=' ? 4 : s.p[2] != '=' ? 3 : 2;
		uint32_t group = group_of(s.p, n);
		unsigned unused = group & (n == 2 ? 0xffff : n == 3 ? 0xff : 0);
		char three[3] = { (char)(group >> 16), (char)(group >> 8),
			(char)group };

		if (group == UINT32_MAX || unused != 0) {
			out->n = before;
			return -1;
		}
		buf_add(out, three, n - 1);
	}
	return 0;
}
