/*
 * fuzz_http_head.c - request heads, and chunked bodies behind them.
 *
 * Whatever comes: what the parser gives out lies inside the input or the arena,
 * and a head that is whole is not also partial.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct str s, const char *bytes, size_t n, const struct arena *a)
{
	if (s.n == 0 || str_eqz(s, "/"))
		return;
	check((s.p >= bytes && s.p + s.n <= bytes + n) ||
	    (s.p >= a->base && s.p + s.n <= a->base + a->used));
}

static void
check_request(const struct http_request *r, const char *bytes, size_t n,
    const struct arena *a)
{
	size_t i;

	check_inside(r->method_text, bytes, n, a);
	check_inside(r->target, bytes, n, a);
	check_inside(r->path, bytes, n, a);
	check_inside(r->query, bytes, n, a);
	check(r->method_text.n > 0 && r->path.n > 0);
	check(!r->is_chunked || r->content_length == 0);
	for (i = 0; i < HTTP_HEADER_COUNT; i++) {
		check_inside(r->header[i], bytes, n, a);
		check(r->header[i].n == 0 ||
		    memchr(r->header[i].p, '\n', r->header[i].n) == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char block[1024];
	struct http_request request;
	struct http_refusal refusal = { 0, NULL };
	struct arena arena;
	char *bytes = malloc(size + 1); /* of its own: ASan sees its edges */
	long n;

	check(bytes != NULL);
	memcpy(bytes, data, size);
	arena_init(&arena, block, sizeof(block));
	n = http_parse_head(bytes, size, &arena, &request, &refusal);
	check(n >= -1 && n <= (long)size);
	if (n < 0)
		check(refusal.status >= 400 && refusal.text != NULL);
	if (n > 0) {
		check_request(&request, bytes, (size_t)n, &arena);
		arena_reset(&arena);
		check(http_parse_head(bytes, (size_t)n - 1, &arena, &request,
			  &refusal) == 0);
	}
	free(bytes);
	return 0;
}
