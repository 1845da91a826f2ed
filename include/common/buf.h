/*
 * buf.h - bytes that grow up to a ceiling.
 *
 * Ownership: embedded in its owner; buf_done() frees the bytes.  A write that
 * would pass the ceiling (or finds no memory) changes nothing and sets
 * `overflow`, which stays set until buf_reset(); so a caller may add many
 * times and look once.  One thread at a time.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

struct buf {
	char *p;
	size_t n;   /* bytes used */
	size_t cap; /* bytes allocated */
	size_t max; /* ceiling */
	bool overflow;
};

void buf_init(struct buf *, size_t max);
void buf_done(struct buf *);
void buf_reset(struct buf *); /* empties, keeps the memory */
void buf_add(struct buf *, const void *, size_t);
void buf_adds(struct buf *, struct str);
void buf_addz(struct buf *, const char *);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for at least N bytes behind the used ones; NULL at the ceiling.  The
 * caller writes there and adds what it wrote to `n`. */
void *buf_room(struct buf *, size_t n);
void buf_consume(struct buf *, size_t n); /* drops N bytes from the front */
/* Gives the bytes away, terminated by a NUL that `n` does not count; the buf
 * is empty after it.  NULL when overflown. */
char *buf_take(struct buf *);
struct str buf_str(const struct buf *);

#endif
