/*
 * amount.h - amounts as people read them.  Pure; any thread.
 *
 * All write to OUT and return it.  The other way round: units.h.
 */
#ifndef COMMON_AMOUNT_H
#define COMMON_AMOUNT_H

#include <stdint.h>

#define AMOUNT_TEXT_MAX 32

/* "311 MiB", "1.5 GiB", "12 B" */
const char *amount_bytes(uint64_t bytes, char out[AMOUNT_TEXT_MAX]);
/* "45 s", "4 min", "2 h 10 min", "3 d 4 h"; rounded up, for what is yet to
 * come. */
const char *amount_duration(int64_t seconds, char out[AMOUNT_TEXT_MAX]);
/* Of millionths, cut: "97.99 %", "100 %". */
const char *amount_percent(uint64_t millionths, char out[AMOUNT_TEXT_MAX]);
/* Bytes per second in bits, as configurations have it: "20 Mbit";
 * "unlimited", "off". */
const char *amount_rate(uint64_t bytes_per_s, char out[AMOUNT_TEXT_MAX]);

#endif
