/*
 * site_file.c - sites as bytes.
 *
 *	"railhead sites 1\n", records, CRC-32C of all before (u32)
 *
 * A record: name, what was pulled and what failed as u16 and text (0xffff:
 * none); origin and is_failed (u8), address (16 bytes), times and counters
 * (u64), failed_status (u16), rows (u32 and 12 bytes each, by key).  Little
 * endian, as the machines are that we run on.  The site not seen for longest
 * comes first.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "site_int.h"

#define MARK "railhead sites 1\n"
#define NO_TEXT 0xffffu
#define CRC_BYTES 4u
#define SITE_BYTES 300u /* of one, without its rows; about */

/* ---- writing ------------------------------------------------------------ */

static void
put(struct buf *out, uint64_t value, size_t n_bytes)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < n_bytes; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	buf_add(out, bytes, n_bytes);
}

static void
put_text(struct buf *out, const char *text)
{
	struct str s = str_of(text);

	put(out, text != NULL ? s.n : NO_TEXT, 2);
	buf_adds(out, s);
}

static void
put_rows(struct buf *out, const struct site *s)
{
	put(out, s->n_rows, 4);
	if (s->n_rows > 0)
		buf_add(out, s->rows, s->n_rows * sizeof(s->rows[0]));
}

static void
put_site(struct buf *out, const struct site *s)
{
	put_text(out, s->name);
	put_text(out, s->pulled);
	put_text(out, s->failed);
	put(out, s->origin, 1);
	put(out, s->is_failed, 1);
	buf_add(out, s->address, sizeof(s->address));
	put(out, (uint64_t)s->first_seen_at, 8);
	put(out, (uint64_t)s->last_seen_at, 8);
	put(out, (uint64_t)s->pulled_at, 8);
	put(out, (uint64_t)s->failed_at, 8);
	put(out, s->failed_what, 8);
	put(out, s->n_requests, 8);
	put(out, s->n_errors, 8);
	put(out, s->bytes, 8);
	put(out, (uint64_t)s->failed_status, 2);
	put_rows(out, s);
}

void
site_file_write(struct buf *out, const struct sites *ss)
{
	/* Room for most of it at once; what is missing comes by doubling. */
	(void)buf_room(
	    out, ss->n * SITE_BYTES + ss->n_rows * sizeof(struct site_row));
	buf_addz(out, MARK);
	for (const struct site *s = ss->oldest; s != NULL; s = s->newer)
		put_site(out, s);
	put(out, crc32c(0, out->p, out->n), CRC_BYTES);
}

/* ---- reading ------------------------------------------------------------ */

struct reading {
	struct str rest;
	bool is_bad; /* it ends where more was to come, or holds nonsense */
	int64_t now;
};

static uint64_t
get(struct reading *r, size_t n_bytes)
{
	uint64_t value = 0;

	if (r->rest.n < n_bytes) {
		r->is_bad = true;
		return 0;
	}
	for (size_t i = n_bytes; i-- > 0;)
		value = value << 8 | (unsigned char)r->rest.p[i];
	r->rest = str_from(r->rest, n_bytes);
	return value;
}

/* NULL: none. */
static char *
get_text(struct reading *r)
{
	size_t n = (size_t)get(r, 2);
	char *text;

	if (n == NO_TEXT)
		return NULL;
	if (r->rest.n < n)
		r->is_bad = true;
	if (r->is_bad)
		return NULL;
	text = str_dup((struct str){ r->rest.p, n });
	r->rest = str_from(r->rest, n);
	return text;
}

static int64_t
get_time(struct reading *r)
{
	int64_t at = (int64_t)get(r, 8);

	return at > r->now ? r->now : at;
}

/* False: they are not in their order. */
static bool
check_rows(const struct reading *r, struct site *s)
{
	for (uint32_t i = 0; i < s->n_rows; i++) {
		if (i > 0 &&
		    site_row_key(&s->rows[i]) <= site_row_key(&s->rows[i - 1]))
			return false;
		if (s->rows[i].at > r->now)
			s->rows[i].at = (uint32_t)r->now;
	}
	return true;
}

static void
get_rows(struct reading *r, struct site *s)
{
	size_t n = (size_t)get(r, 4);
	size_t n_bytes = n * sizeof(s->rows[0]);

	if (n == 0)
		return;
	if (n > SITE_ROWS_MAX || n_bytes > r->rest.n) {
		r->is_bad = true;
		return;
	}
	s->rows = malloc(n_bytes);
	if (s->rows == NULL) {
		r->is_bad = true;
		return;
	}
	memcpy(s->rows, r->rest.p, n_bytes);
	s->n_rows = s->max_rows = (uint32_t)n;
	r->rest = str_from(r->rest, n_bytes);
	if (!check_rows(r, s))
		r->is_bad = true;
}

static void
get_fields(struct reading *r, struct site *s)
{
	s->pulled = get_text(r);
	s->failed = get_text(r);
	s->origin = (enum site_origin)(get(r, 1) % 3);
	s->is_failed = get(r, 1) != 0;
	for (size_t i = 0; i < sizeof(s->address); i++)
		s->address[i] = (unsigned char)get(r, 1);
	s->first_seen_at = get_time(r);
	s->last_seen_at = get_time(r);
	s->pulled_at = get_time(r);
	s->failed_at = get_time(r);
	s->failed_what = get(r, 8);
	s->n_requests = get(r, 8);
	s->n_errors = get(r, 8);
	s->bytes = get(r, 8);
	s->failed_status = (int)get(r, 2);
	get_rows(r, s);
}

static int
read_site(struct reading *r, struct sites *ss, struct err *err)
{
	char *name = get_text(r);
	struct site *s = name != NULL ? site_new(name) : NULL;
	bool is_good = false;

	free(name);
	if (s != NULL) {
		get_fields(r, s);
		is_good = !r->is_bad && s->name[0] != '\0' &&
		    ss->n < SITES_MAX && sites_find(ss, s->name) == NULL;
	}
	if (is_good) {
		sites_add(ss, s);
		return 0;
	}
	site_free(s);
	return err_set(err, ERR_DISK, "it holds more than sites, or less");
}

/* MARK and check sum; what is between them is left in *bytes. */
static int
open_envelope(struct str *bytes, struct err *err)
{
	struct reading sum;
	size_t n;

	if (!str_starts(*bytes, STR(MARK)) ||
	    bytes->n < sizeof(MARK) - 1 + CRC_BYTES)
		return err_set(
		    err, ERR_DISK, "it is not a file of sites of this version");
	n = bytes->n - CRC_BYTES;
	sum = (struct reading){ .rest = str_from(*bytes, n) };
	if (get(&sum, CRC_BYTES) != crc32c(0, bytes->p, n))
		return err_set(err, ERR_DISK, "its check sum is wrong");
	*bytes =
	    (struct str){ bytes->p + sizeof(MARK) - 1, n - (sizeof(MARK) - 1) };
	return 0;
}

int
site_file_read(struct sites *ss, struct str bytes, int64_t now, struct err *err)
{
	struct reading r = { .now = now };

	if (open_envelope(&bytes, err) != 0)
		return -1;
	r.rest = bytes;
	while (r.rest.n > 0) {
		if (read_site(&r, ss, err) == 0)
			continue;
		while (ss->n > 0)
			sites_forget(ss, ss->oldest);
		return -1;
	}
	return 0;
}
