/*
 * draft_map.c - which bytes of a draft are here.
 *
 * The file is a head of 24 bytes, then the bits, lowest first:
 *	"RHDM", u32 version, u64 size (all ones: unknown), u32 0,
 *	u32 CRC-32C of the 20 bytes before
 * Bits are set after the bytes were written.  Both lie in the page cache: a
 * killed process loses nothing, a power cut may; what was resumed is hashed
 * again in any case.  So a write to the map that fails only costs a resume,
 * and is not an error.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/crc32c.h"
#include "draft_int.h"

#define HEAD 24
#define VERSION 1
#define EXTENTS_MAX 65536
#define BITS_MAX (DRAFT_SIZE_MAX / DRAFT_CHUNK / 8) /* bytes */

static const char magic[4] = { 'R', 'H', 'D', 'M' };

void
draft_map_init(struct draft_map *m)
{
	*m = (struct draft_map){ .fd = -1, .size = SIZE_UNKNOWN };
}

void
draft_map_done(struct draft_map *m)
{
	if (m->fd >= 0)
		(void)close(m->fd);
	free(m->extents);
	free(m->bits);
	draft_map_init(m);
}

/* ---- the file ----------------------------------------------------------- */

static void
save_head(const struct draft_map *m)
{
	char head[HEAD] = { 0 };

	if (m->fd < 0)
		return;
	memcpy(head, magic, sizeof(magic));
	le32_put(head + 4, VERSION);
	le64_put(head + 8, m->size);
	le32_put(head + 20, crc32c(0, head, 20));
	(void)disk_write(m->fd, 0, head, sizeof(head));
}

static int
load_head(struct draft_map *m)
{
	char head[HEAD];

	if (disk_read(m->fd, 0, head, sizeof(head)) != HEAD ||
	    memcmp(head, magic, sizeof(magic)) != 0 ||
	    le32_get(head + 4) != VERSION ||
	    le32_get(head + 20) != crc32c(0, head, 20))
		return -1;
	m->size = le64_get(head + 8);
	return m->size == SIZE_UNKNOWN || m->size <= DRAFT_SIZE_MAX ? 0 : -1;
}

static void
save_bits(const struct draft_map *m, size_t first, size_t last)
{
	if (m->fd >= 0)
		(void)disk_write(
		    m->fd, HEAD + first, m->bits + first, last - first + 1);
}

/* ---- bits --------------------------------------------------------------- */

static bool
bit(const struct draft_map *m, uint64_t chunk)
{
	return chunk / 8 < m->n_bits && (m->bits[chunk / 8] >> chunk % 8 & 1);
}

static uint64_t
chunk_end(const struct draft_map *m, uint64_t chunk)
{
	uint64_t end = (chunk + 1) * DRAFT_CHUNK;

	return end < m->size ? end : m->size;
}

static int
reserve_bits(struct draft_map *m, uint64_t end)
{
	size_t n = (size_t)(end / DRAFT_CHUNK / 8 + 1);
	uint8_t *bits;

	if (n <= m->n_bits)
		return 0;
	if (n < m->n_bits * 2)
		n = m->n_bits * 2;
	bits = realloc(m->bits, n);
	if (bits == NULL)
		return -1;
	memset(bits + m->n_bits, 0, n - m->n_bits);
	m->bits = bits;
	m->n_bits = n;
	return 0;
}

/* Sets the bits of chunks that lie in E as a whole and touch [START, END). */
static void
set_bits(
    struct draft_map *m, const struct extent *e, uint64_t start, uint64_t end)
{
	uint64_t last = (end - 1) / DRAFT_CHUNK;
	uint64_t first_set = UINT64_MAX, last_set = 0;

	for (uint64_t c = start / DRAFT_CHUNK; c <= last; c++) {
		if (bit(m, c) || e->start > c * DRAFT_CHUNK ||
		    e->end < chunk_end(m, c))
			continue;
		m->bits[c / 8] |= (uint8_t)(1u << c % 8);
		last_set = c;
		if (first_set == UINT64_MAX)
			first_set = c;
	}
	if (first_set != UINT64_MAX)
		save_bits(m, (size_t)first_set / 8, (size_t)last_set / 8);
}

/* ---- extents ------------------------------------------------------------ */

static int
reserve_extent(struct draft_map *m)
{
	size_t cap = m->cap_extents * 2 + 8;
	struct extent *extents;

	if (m->n_extents < m->cap_extents)
		return 0;
	if (m->n_extents >= EXTENTS_MAX)
		return -1;
	extents = realloc(m->extents, cap * sizeof(*extents));
	if (extents == NULL)
		return -1;
	m->extents = extents;
	m->cap_extents = cap;
	return 0;
}

/* The first extent that ends at or after OFFSET. */
static size_t
find_extent(const struct draft_map *m, uint64_t offset)
{
	size_t low = 0, high = m->n_extents;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->extents[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
touches(const struct draft_map *m, uint64_t start, uint64_t end)
{
	size_t first = find_extent(m, start);

	return first < m->n_extents && m->extents[first].start <= end;
}

/* Puts [START, END) in, together with all that it touches.  There is room. */
static const struct extent *
merge(struct draft_map *m, uint64_t start, uint64_t end)
{
	size_t first = find_extent(m, start), next = first;
	struct extent e = { start, end };

	while (next < m->n_extents && m->extents[next].start <= end) {
		const struct extent *old = &m->extents[next++];

		if (old->start < e.start)
			e.start = old->start;
		if (old->end > e.end)
			e.end = old->end;
		m->n_bytes -= old->end - old->start;
	}
	if (next < m->n_extents || first == next)
		memmove(&m->extents[first + 1], &m->extents[next],
		    (m->n_extents - next) * sizeof(e));
	m->n_extents = m->n_extents - (next - first) + 1;
	m->n_bytes += e.end - e.start;
	m->extents[first] = e;
	return &m->extents[first];
}

int
draft_map_add(
    struct draft_map *m, uint64_t start, uint64_t end, struct err *err)
{
	check(start < end && end <= DRAFT_SIZE_MAX);
	if ((!touches(m, start, end) && reserve_extent(m) != 0) ||
	    reserve_bits(m, end) != 0)
		return err_set(
		    err, ERR_NO_MEMORY, "out of memory for the map of a draft");
	set_bits(m, merge(m, start, end), start, end);
	return 0;
}

bool
draft_map_fits(const struct draft_map *m, uint64_t size)
{
	return m->n_extents == 0 || m->extents[m->n_extents - 1].end <= size;
}

/* The chunk that the size cuts short may be here as a whole now. */
void
draft_map_set_size(struct draft_map *m, uint64_t size)
{
	const struct extent *last;

	check(draft_map_fits(m, size));
	m->size = size;
	save_head(m);
	if (m->n_extents == 0)
		return;
	last = &m->extents[m->n_extents - 1];
	if (last->end == size)
		set_bits(m, last, size - 1, size);
}

/* ---- the whole map ------------------------------------------------------ */

/* Extents from bits, as far as the file goes. */
static int
restore_extents(struct draft_map *m, uint64_t file_bytes)
{
	for (uint64_t c = 0; c < m->n_bits * 8; c++) {
		uint64_t start = c * DRAFT_CHUNK;

		if (!bit(m, c))
			continue;
		if (start >= m->size || chunk_end(m, c) > file_bytes ||
		    reserve_extent(m) != 0) {
			m->bits[c / 8] &= (uint8_t) ~(1u << c % 8);
			continue;
		}
		(void)merge(m, start, chunk_end(m, c));
	}
	return m->n_extents > 0 ? 0 : -1;
}

int
draft_map_load(struct draft_map *m, int fd, uint64_t file_bytes)
{
	uint64_t end =
	    file_bytes < DRAFT_SIZE_MAX ? file_bytes : DRAFT_SIZE_MAX - 1;

	m->fd = fd;
	if (load_head(m) != 0 || reserve_bits(m, end) != 0)
		return -1;
	if (disk_read(fd, HEAD, m->bits, m->n_bits) < 0)
		return -1;
	return restore_extents(m, file_bytes);
}

void
draft_map_create(struct draft_map *m, int fd)
{
	m->fd = fd;
	save_head(m);
}

void
draft_map_clear(struct draft_map *m)
{
	draft_map_forget(m);
	m->n_extents = 0;
	m->n_bytes = 0;
	m->size = SIZE_UNKNOWN;
	if (m->n_bits > 0)
		memset(m->bits, 0, m->n_bits);
	save_head(m);
}

void
draft_map_forget(struct draft_map *m)
{
	/* Fails only where nothing can be resumed either. */
	if (m->fd >= 0 && ftruncate(m->fd, 0) != 0)
		(void)disk_write(m->fd, 0, "    ", sizeof(magic));
}

/* ---- questions ---------------------------------------------------------- */

uint64_t
draft_map_front(const struct draft_map *m)
{
	if (m->n_extents == 0 || m->extents[0].start > 0)
		return 0;
	return m->extents[0].end;
}

uint64_t
draft_map_resumable(const struct draft_map *m)
{
	uint64_t n = 0;

	for (uint64_t c = 0; c < m->n_bits * 8; c++)
		if (bit(m, c))
			n += chunk_end(m, c) - c * DRAFT_CHUNK;
	return n;
}

bool
draft_map_gap(
    const struct draft_map *m, uint64_t from, uint64_t *start, uint64_t *end)
{
	size_t i = find_extent(m, from);

	*start = from;
	if (i < m->n_extents && m->extents[i].start <= from)
		*start = m->extents[i++].end;
	*end = i < m->n_extents ? m->extents[i].start : m->size;
	return *start < *end;
}
