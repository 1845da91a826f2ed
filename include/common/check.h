/*
 * check.h - what we promised ourselves.
 *
 * check() is for bugs: broken invariants, impossible states, misuse of a
 * contract.  It prints the place and aborts, in every build.  What others do
 * (peers, disks, files, memory, users) is never checked with it: that returns
 * a struct err.
 */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

#include <stddef.h>

_Noreturn void check_failed(const char *what, const char *file, int line);

#define check(e)                                                               \
	do {                                                                   \
		if (!(e))                                                      \
			check_failed(#e, __FILE__, __LINE__);                  \
	} while (0)
#define unreachable(why) check_failed(why, __FILE__, __LINE__)

/* The object that holds MEMBER, given a pointer to MEMBER. */
/* clang-format off */
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

#endif
