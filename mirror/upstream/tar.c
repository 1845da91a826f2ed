/*
 * tar.c - reads the headers of a tar and skips what is between them.
 *
 * Format: POSIX.1-2001, pax, "ustar Interchange Format" and "pax Header
 * Block"; GNU tar's manual, "GNU tar and POSIX tar" (types L and K, numbers in
 * base 256).  A pax header's path and size go before the next header's own.
 */
#include "tar_int.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/file.h"

#define BLOCK_BYTES 512u
#define NAME_MAX_BYTES 4096u
#define EXTRA_MAX_BYTES (1u << 20) /* of one pax header or long name */

struct header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6], version[2];
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK_BYTES, "tar header");

struct walk {
	int fd;
	const char *path;
	uint64_t file_bytes;
	uint64_t at;     /* of the next header */
	struct buf name; /* of the next file, if it was told before */
	bool has_size;
	uint64_t size_bytes;
	struct buf extra;
};

static int
tar_broken(const struct walk *w, const char *why, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_BROKEN, "%s: %s at byte %llu", w->path,
	    why, (unsigned long long)w->at);
}

/* ---- numbers and names ------------------------------------------------- */

static bool
octal(const char *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	return i == n || p[i] == ' ' || p[i] == '\0';
}

/* Octal digits, or GNU's base 256 when the first bit is set. */
static bool
number(const char *p, size_t n, uint64_t *out)
{
	if (!((unsigned char)p[0] & 0x80))
		return octal(p, n, out);
	*out = (unsigned char)p[0] & 0x7f;
	for (size_t i = 1; i < n; i++) {
		if (*out >> 55 != 0)
			return false;
		*out = *out << 8 | (unsigned char)p[i];
	}
	return true;
}

static bool
checksum_is_right(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	size_t from = offsetof(struct header, checksum);
	uint64_t told, sum = 0;

	for (size_t i = 0; i < BLOCK_BYTES; i++)
		sum += i >= from && i < from + sizeof(h->checksum) ? ' ' : p[i];
	return octal(h->checksum, sizeof(h->checksum), &told) && told == sum;
}

static bool
is_zero(const struct header *h)
{
	static const char zeros[BLOCK_BYTES];

	return memcmp(h, zeros, BLOCK_BYTES) == 0;
}

static void
name_of(struct walk *w, const struct header *h)
{
	bool is_ustar = memcmp(h->magic, "ustar", 6) == 0;

	if (w->name.n > 0)
		return; /* told before */
	if (is_ustar && h->prefix[0] != '\0') {
		buf_add(
		    &w->name, h->prefix, strnlen(h->prefix, sizeof(h->prefix)));
		buf_addz(&w->name, "/");
	}
	buf_add(&w->name, h->name, strnlen(h->name, sizeof(h->name)));
}

/* ---- what comes before a file ------------------------------------------ */

static int
read_extra(struct walk *w, uint64_t size, struct err *err)
{
	char *room;

	buf_reset(&w->extra);
	room =
	    size > EXTRA_MAX_BYTES ? NULL : buf_room(&w->extra, (size_t)size);
	if (room == NULL)
		return tar_broken(w, "a header is too long", err);
	w->extra.n = (size_t)size;
	return file_read_at(
	    w->fd, w->path, room, (size_t)size, w->at + BLOCK_BYTES, err);
}

static int
take_long_name(struct walk *w, struct err *err)
{
	buf_reset(&w->name);
	buf_add(&w->name, w->extra.p, strnlen(w->extra.p, w->extra.n));
	return w->name.overflow ? tar_broken(w, "a name is too long", err) : 0;
}

static int
take_pax_value(
    struct walk *w, struct str key, struct str value, struct err *err)
{
	if (str_eqz(key, "path")) {
		buf_reset(&w->name);
		buf_adds(&w->name, value);
		if (w->name.overflow)
			return tar_broken(w, "a name is too long", err);
	} else if (str_eqz(key, "size")) {
		w->has_size = str_u64(value, &w->size_bytes);
		if (!w->has_size)
			return tar_broken(w, "a pax size is no number", err);
	}
	return 0;
}

/* "LENGTH KEY=VALUE\n", the length counting all of it. */
static int
take_pax(struct walk *w, struct err *err)
{
	struct str rest = buf_str(&w->extra), record, number_text, key;
	uint64_t n;

	while (rest.n > 0 && rest.p[0] != '\0') {
		record = rest;
		if (!str_cut(&record, ' ', &number_text) ||
		    !str_u64(number_text, &n) || n > rest.n ||
		    n < number_text.n + 3 || rest.p[n - 1] != '\n')
			return tar_broken(w, "a pax header is malformed", err);
		record.n = (size_t)n - number_text.n - 2;
		rest = str_from(rest, (size_t)n);
		if (!str_cut(&record, '=', &key) || record.p == NULL)
			return tar_broken(w, "a pax header is malformed", err);
		if (take_pax_value(w, key, record, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- walking ----------------------------------------------------------- */

static int
give_file(struct walk *w, const struct header *h, uint64_t size,
    int (*fn)(void *, const struct tar_file *, struct err *), void *arg,
    struct err *err)
{
	struct tar_file file = { .offset = w->at + BLOCK_BYTES,
		.size_bytes = size };

	name_of(w, h);
	file.name = buf_str(&w->name);
	while (str_starts(file.name, STR("./")))
		file.name = str_from(file.name, 2);
	return fn(arg, &file, err);
}

/* One header and what follows it; 1 at the end of the archive. */
static int
walk_step(struct walk *w,
    int (*fn)(void *, const struct tar_file *, struct err *), void *arg,
    struct err *err)
{
	struct header h;
	uint64_t size;
	int rc = 0;

	if (w->at == w->file_bytes)
		return 1; /* not all writers put zeros there */
	if (file_read_at(w->fd, w->path, &h, sizeof(h), w->at, err) != 0)
		return -1;
	if (is_zero(&h))
		return 1;
	if (!checksum_is_right(&h) || !number(h.size, sizeof(h.size), &size))
		return tar_broken(
		    w, "no tar header (compressed ones are not read)", err);
	if (h.type == 'x' || h.type == 'L') {
		rc = read_extra(w, size, err);
		if (rc == 0)
			rc = h.type == 'x' ? take_pax(w, err)
					   : take_long_name(w, err);
	} else if (h.type != 'g' && h.type != 'K') {
		size = w->has_size ? w->size_bytes : size;
		if (h.type == '0' || h.type == '\0' || h.type == '7')
			rc = give_file(w, &h, size, fn, arg, err);
		w->has_size = false;
		buf_reset(&w->name);
	}
	if (size > (uint64_t)INT64_MAX / 2 - w->at)
		return tar_broken(w, "a size is too large", err);
	w->at +=
	    BLOCK_BYTES + (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	return rc;
}

int
tar_walk(int fd, const char *path,
    int (*fn)(void *arg, const struct tar_file *, struct err *err), void *arg,
    struct err *err)
{
	struct walk w = { .fd = fd, .path = path };
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return err_errno(err, ERR_DISK, "looking at %s", path);
	w.file_bytes = (uint64_t)st.st_size;
	buf_init(&w.name, NAME_MAX_BYTES);
	buf_init(&w.extra, EXTRA_MAX_BYTES + 1);
	do
		rc = walk_step(&w, fn, arg, err);
	while (rc == 0);
	buf_done(&w.name);
	buf_done(&w.extra);
	return rc == 1 ? 0 : -1;
}
