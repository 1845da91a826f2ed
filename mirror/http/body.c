/*
 * body.c - request bodies: by Content-Length, or chunked (RFC 9112, section
 * 7.1).  Extensions and trailers are thrown away, and bounded.
 */
#include <string.h>

#include "http_int.h"

#define CHUNK_DIGITS_MAX 15 /* less than 2^60: no overflow */
#define CHUNK_EXTRA_MAX 4096

void
body_init(struct body *b, const struct http_request *r, uint64_t max)
{
	memset(b, 0, sizeof(*b));
	buf_init(&b->bytes, max < SIZE_MAX ? (size_t)max : SIZE_MAX - 1);
	b->is_chunked = r->is_chunked;
	b->left = r->is_chunked ? 0 : r->content_length;
}

void
body_done(struct body *b)
{
	buf_done(&b->bytes);
}

/* Moves what is LEFT of the chunk or body from BYTES; returns how much. */
static size_t
eat_data(struct body *b, struct str bytes)
{
	size_t n = bytes.n < b->left ? bytes.n : (size_t)b->left;

	buf_add(&b->bytes, bytes.p, n);
	b->left -= n;
	return n;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum chunk_state
after_size_byte(struct body *b, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		b->left = b->left * 16 + (unsigned)digit;
		return ++b->digits <= CHUNK_DIGITS_MAX ? CHUNK_SIZE : CHUNK_BAD;
	}
	if (b->digits == 0)
		return CHUNK_BAD;
	if (c == '\r')
		return CHUNK_SIZE_LF;
	return c == ';' || c == ' ' || c == '\t' ? CHUNK_EXTENSION : CHUNK_BAD;
}

/* A byte of an extension or a trailer line. */
static enum chunk_state
after_extra_byte(struct body *b, char c, enum chunk_state at_cr)
{
	if (c == '\r')
		return at_cr;
	if (++b->extra > CHUNK_EXTRA_MAX ||
	    ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
		return CHUNK_BAD;
	return b->chunk == CHUNK_TRAILER ? CHUNK_TRAILER_LINE : b->chunk;
}

static enum chunk_state
expect(char c, char wanted, enum chunk_state next)
{
	return c == wanted ? next : CHUNK_BAD;
}

static enum chunk_state
after_size_line(struct body *b, char c)
{
	b->digits = 0;
	return expect(c, '\n', b->left > 0 ? CHUNK_DATA : CHUNK_TRAILER);
}

/* The state behind the byte C; not for CHUNK_DATA. */
static enum chunk_state
after_byte(struct body *b, char c)
{
	switch (b->chunk) {
	case CHUNK_SIZE:
		return after_size_byte(b, c);
	case CHUNK_EXTENSION:
		return after_extra_byte(b, c, CHUNK_SIZE_LF);
	case CHUNK_SIZE_LF:
		return after_size_line(b, c);
	case CHUNK_DATA_CR:
		return expect(c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect(c, '\n', CHUNK_SIZE);
	case CHUNK_TRAILER:
		return after_extra_byte(b, c, CHUNK_LAST_LF);
	case CHUNK_TRAILER_LINE:
		return after_extra_byte(b, c, CHUNK_TRAILER_LF);
	case CHUNK_TRAILER_LF:
		return expect(c, '\n', CHUNK_TRAILER);
	case CHUNK_LAST_LF:
		return expect(c, '\n', CHUNK_DONE);
	case CHUNK_DATA:
	case CHUNK_DONE:
	case CHUNK_BAD:
		break;
	}
	return CHUNK_BAD;
}

static size_t
eat_chunks(struct body *b, struct str bytes)
{
	size_t i = 0;

	while (i < bytes.n && b->chunk < CHUNK_DONE) {
		if (b->chunk != CHUNK_DATA) {
			b->chunk = after_byte(b, bytes.p[i++]);
			continue;
		}
		i += eat_data(b, str_from(bytes, i));
		if (b->left == 0)
			b->chunk = CHUNK_DATA_CR;
	}
	return i;
}

enum body_state
body_eat(struct body *b, struct str bytes, size_t *eaten)
{
	bool is_all;

	*eaten = b->is_chunked ? eat_chunks(b, bytes) : eat_data(b, bytes);
	is_all = b->is_chunked ? b->chunk == CHUNK_DONE : b->left == 0;
	if (b->bytes.overflow || b->left > b->bytes.max - b->bytes.n)
		return BODY_TOO_LARGE;
	if (b->is_chunked && b->chunk == CHUNK_BAD)
		return BODY_BAD;
	return is_all ? BODY_DONE : BODY_MORE;
}
