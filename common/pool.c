/*
 * pool.c - see pool.h.  Small pieces share blocks of 4 KiB; a piece that does
 * not fit into the newest block gets a new one, at least as large as itself.
 */
#include "common/pool.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096

struct pool_block {
	struct pool_block *next;
	size_t used;
	size_t cap;
	_Alignas(max_align_t) char bytes[];
};

void
pool_init(struct pool *p, size_t max)
{
	*p = (struct pool){ .max = max };
}

void
pool_done(struct pool *p)
{
	struct pool_block *b, *next;

	for (b = p->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	p->blocks = NULL;
	p->taken = 0;
}

static struct pool_block *
block_new(struct pool *p, size_t n)
{
	size_t cap = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct pool_block *b;

	if (cap > p->max - p->taken)
		return NULL;
	b = calloc(1, sizeof(*b) + cap);
	if (b == NULL)
		return NULL;
	b->cap = cap;
	b->next = p->blocks;
	p->blocks = b;
	p->taken += cap;
	return b;
}

void *
pool_take(struct pool *p, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct pool_block *b = p->blocks;
	void *piece;

	if (n > p->max)
		return NULL;
	n = (n + align - 1) / align * align;
	if (b == NULL || n > b->cap - b->used)
		b = block_new(p, n);
	if (b == NULL)
		return NULL;
	piece = b->bytes + b->used;
	b->used += n;
	return piece;
}

char *
pool_copy(struct pool *p, struct str s)
{
	char *copy = pool_take(p, s.n + 1);

	if (copy != NULL && s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}
