/*
 * clock.h - what time it is.
 *
 * Monotonic time is for deadlines and durations, wall time for what people and
 * other machines see.  Any thread.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ms(void); /* CLOCK_MONOTONIC_COARSE: cheap, 4 ms steps */
uint64_t clock_mono_us(void); /* CLOCK_MONOTONIC */
int64_t clock_wall_s(void);   /* seconds since 1970, UTC */
int64_t clock_wall_ms(void);

#define CLOCK_TEXT_MAX 32
/* RFC 3339 with milliseconds, UTC: 2026-11-22T02:00:00.000Z.  Returns OUT. */
const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT_MAX]);
/* RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.  Returns OUT. */
const char *clock_http_date(int64_t wall_s, char out[CLOCK_TEXT_MAX]);

#endif
