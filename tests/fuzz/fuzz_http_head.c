/*
 * fuzz_http_head.c - request heads, and chunked bodies behind them.
 *
 * Whatever comes: what the parser gives out lies inside the input or the arena,
 * and a head that is whole is not also partial.  A body is the same whether its
 * bytes come at once or one by one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../mirror/http/http_int.h"
#include "common/check.h"
#include "http/parse.h"

#define BODY_MAX 64

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

/* Eats BYTES in pieces of at most PIECE; returns how many. */
static size_t
eat(struct body *b, struct str bytes, size_t piece, enum body_state *state)
{
	size_t total = 0, eaten;

	do {
		struct str s = str_from(bytes, total);

		s.n = s.n < piece ? s.n : piece;
		*state = body_eat(b, s, &eaten);
		check(eaten <= s.n && (eaten == s.n || *state != BODY_MORE));
		check(b->bytes.n <= BODY_MAX);
		total += eaten;
	} while (*state == BODY_MORE && total < bytes.n);
	return total;
}

static void
check_body(const struct http_request *r, struct str bytes)
{
	struct body whole, slow;
	enum body_state state, slow_state;
	size_t n, slow_n;

	body_init(&whole, r, BODY_MAX);
	body_init(&slow, r, BODY_MAX);
	n = eat(&whole, bytes, SIZE_MAX, &state);
	slow_n = eat(&slow, bytes, 1, &slow_state);
	/* A body that is refused may be refused sooner, and for the other of
	 * two reasons. */
	check((state <= BODY_DONE) == (slow_state <= BODY_DONE));
	if (state <= BODY_DONE)
		check(state == slow_state && n == slow_n &&
		    str_eq(buf_str(&whole.bytes), buf_str(&slow.bytes)));
	body_done(&whole);
	body_done(&slow);
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
		check_body(
		    &request, (struct str){ bytes + n, size - (size_t)n });
		arena_reset(&arena);
		check(http_parse_head(bytes, (size_t)n - 1, &arena, &request,
			  &refusal) == 0);
	}
	free(bytes);
	return 0;
}
