/*
 * str.h - a borrowed piece of text: pointer and length, not terminated.
 *
 * Whoever holds a struct str does not own the bytes; the field or parameter
 * says what it points into.  Pure; any thread.
 */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

/* A literal, and the two halves of a printf "%.*s". */
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_of(const char *z); /* NULL gives the empty string */
bool str_eq(struct str, struct str);
bool str_eqz(struct str, const char *z);
bool str_ieq(struct str, struct str); /* ASCII case folded */
bool str_starts(struct str, struct str prefix);
bool str_ends(struct str, struct str suffix);
struct str str_trim(struct str); /* spaces and tabs at both ends */
struct str str_from(struct str, size_t offset);
/* Index of C, or the length when there is none. */
size_t str_index(struct str, char c);
/* Cuts the next piece up to SEP off *rest; false when *rest was used up.
 * "a,,b" gives "a", "", "b"; "" gives one empty piece. */
bool str_cut(struct str *rest, char sep, struct str *piece);
/* A byte below 0x20, or 0x7f. */
bool str_has_control(struct str);
/* Decimal digits only, no sign, no overflow. */
bool str_u64(struct str, uint64_t *out);
/* A terminated copy (malloc); NULL when out of memory. */
char *str_dup(struct str);
/* Copies what fits into OUT, always terminated; bytes outside 0x20..0x7e
 * become \xHH, so that a peer's bytes can be shown.  Returns OUT. */
const char *str_printable(struct str, char *out, size_t cap);
/* Shell-like pattern: '*' any run, '?' one byte, '[a-z]' a set ('!' first
 * negates).  Linear in time for patterns with few stars. */
bool str_match(struct str pattern, struct str text);

#endif
