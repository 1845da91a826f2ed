/*
 * starve.h - lets the n-th allocation of a test's program fail.
 *
 * The program is linked with --wrap for malloc, calloc and realloc: only calls
 * from our own objects come here, not those of shared libraries.  For tests
 * with one thread.
 */
#ifndef STARVE_H
#define STARVE_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

static unsigned starve_left; /* allocations until one fails; 0: none does */

static bool
starve_now(void)
{
	return starve_left > 0 && --starve_left == 0;
}

void *
__wrap_malloc(size_t n)
{
	return starve_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return starve_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return starve_now() ? NULL : __real_realloc(p, n);
}

/* Calls TRY with the 1st, 2nd, ... allocation failing, until none is left to
 * fail; returns how many there were.  TRY looks at the outcome. */
static unsigned
starve_each(void (*try)(bool is_starving))
{
	unsigned n;

	for (n = 1;; n++) {
		starve_left = n;
		try(true);
		if (starve_left > 0)
			break;
	}
	starve_left = 0;
	try(false);
	return n - 1;
}

#endif
