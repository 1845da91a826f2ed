/*
 * buf.c - bytes that grow up to a ceiling.
 *
 * One byte more than `cap` is allocated, so that there is always room for the
 * NUL of buf_take() and of vsnprintf(), whatever the ceiling.
 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define BUF_FIRST 256 /* bytes of the first allocation */

void
buf_init(struct buf *b, size_t max)
{
	check(max < SIZE_MAX);
	*b = (struct buf){ .max = max };
}

void
buf_done(struct buf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = 0;
	b->cap = 0;
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflow = false;
}

/* NEED is at most the ceiling. */
static int
buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > 0 ? b->cap : BUF_FIRST;
	char *p;

	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	p = realloc(b->p, cap + 1);
	if (p == NULL)
		return -1;
	b->p = p;
	b->cap = cap;
	return 0;
}

void *
buf_room(struct buf *b, size_t n)
{
	check(b->n <= b->cap);
	if (n > b->max || b->n > b->max - n) {
		b->overflow = true;
		return NULL;
	}
	if ((b->p == NULL || n > b->cap - b->n) && buf_grow(b, b->n + n) != 0) {
		b->overflow = true;
		return NULL;
	}
	return b->p + b->n;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	void *to = buf_room(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void
buf_adds(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void
buf_addz(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char *p = buf_room(b, 0);
	va_list ap;
	size_t need;
	int n;

	if (p == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(p, b->cap - b->n + 1, fmt, ap);
	va_end(ap);
	check(n >= 0);
	need = (size_t)n;
	if (need > b->cap - b->n) {
		p = buf_room(b, need);
		if (p == NULL)
			return;
		va_start(ap, fmt);
		(void)vsnprintf(p, need + 1, fmt, ap);
		va_end(ap);
	}
	b->n += need;
}

void
buf_consume(struct buf *b, size_t n)
{
	check(n <= b->n);
	b->n -= n;
	if (b->n > 0 && n > 0)
		memmove(b->p, b->p + n, b->n);
}

char *
buf_take(struct buf *b)
{
	char *p = NULL;

	if (!b->overflow && buf_room(b, 0) != NULL) {
		p = b->p;
		p[b->n] = '\0';
		b->p = NULL;
	}
	buf_done(b);
	return p;
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p == NULL ? "" : b->p, b->n };
}
