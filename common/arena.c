/*
 * arena.c - memory of one request: a block and how much of it is used.
 *
 * Pieces are never freed one by one.  Text is packed; everything else is
 * aligned as malloc() would.
 */
#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

void
arena_init(struct arena *a, void *block, size_t cap)
{
	check(block != NULL || cap == 0);
	*a = (struct arena){ .base = block, .cap = cap };
}

void
arena_reset(struct arena *a)
{
	a->used = 0;
	a->overflow = false;
}

/* N bytes at a multiple of ALIGN (a power of two), not zeroed. */
static char *
arena_piece(struct arena *a, size_t n, size_t align)
{
	uintptr_t next = (uintptr_t)a->base + a->used;
	size_t pad = (size_t)(-next & (align - 1));
	size_t left = a->cap - a->used;
	char *p;

	if (a->base == NULL || pad > left || n > left - pad) {
		a->overflow = true;
		return NULL;
	}
	p = a->base + a->used + pad;
	a->used += pad + n;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *p = arena_piece(a, n, _Alignof(max_align_t));

	return p == NULL ? NULL : memset(p, 0, n);
}

struct str
arena_copy(struct arena *a, struct str s)
{
	char *p = s.n == SIZE_MAX ? NULL : arena_piece(a, s.n + 1, 1);

	if (p == NULL) {
		a->overflow = true;
		return (struct str){ NULL, 0 };
	}
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	size_t left = a->cap - a->used;
	char *p = a->base == NULL ? NULL : a->base + a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p, left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= left) {
		a->overflow = true;
		return (struct str){ NULL, 0 };
	}
	a->used += (size_t)n + 1;
	return (struct str){ p, (size_t)n };
}
