/*
 * fuzz_http_range.c - Range, If-Range and If-None-Match.
 *
 * The first byte is the size; the rest is the header.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str etag = STR("\"sha256:0\"");
	struct str header;
	struct range range;
	uint64_t length;
	char *bytes;

	if (size == 0)
		return 0;
	length = data[0] == 255 ? UINT64_MAX : data[0];
	header.n = size - 1;
	bytes = malloc(size); /* of its own: ASan sees its edges */
	check(bytes != NULL);
	memcpy(bytes, data + 1, header.n);
	header.p = bytes;
	if (range_parse(header, length, &range) == RANGE_PART)
		check(range.start < range.end && range.end <= length);
	if (etag_matches(header, etag))
		check(memmem(header.p, header.n, etag.p, etag.n) != NULL ||
		    memchr(header.p, '*', header.n) != NULL);
	if (range_if_range(header, etag))
		check(str_eq(header, etag));
	free(bytes);
	return 0;
}
