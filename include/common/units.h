/*
 * units.h - how people write amounts: rates, sizes, durations, shares, times.
 *
 * Every function takes the whole text and returns false, with *out untouched,
 * when the text is no such amount or does not fit.  Fractions are taken to six
 * digits ("1.5Gbit") and cut, not rounded.  Pure; any thread.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

#define RATE_UNLIMITED UINT64_MAX

/* Bytes per second of bits per second, SI steps as tc(8) has them, any case:
 * "200Mbit", "500kbit", "10bit"; "0", "off"; "unlimited". */
bool units_rate(struct str, uint64_t *out);
/* Bytes: "200GiB", "60MB", "16KiB", "512B", "512". */
bool units_size(struct str, uint64_t *out);
/* Milliseconds: "30s", "500ms", "5m", "2h", "7d", "1h30m", "0". */
bool units_duration(struct str, uint64_t *out);
/* The same in seconds; none are lost: "500ms" is false. */
bool units_seconds(struct str, uint64_t *out);
/* Millionths: "5%" is 50,000. */
bool units_percent(struct str, uint64_t *out);
/* Millionths: "0.98" is 980,000; 0 to 1. */
bool units_ratio(struct str, uint64_t *out);
/* Minutes since midnight: "08:00"; "24:00" is 1,440. */
bool units_time(struct str, uint64_t *out);
/* Bits, Monday is bit 0: "mon", "mon-sat", "mon,wed", "sat-sun", "all". */
bool units_days(struct str, uint64_t *out);
/* 0 or 1: on off, true false, yes no. */
bool units_bool(struct str, uint64_t *out);

/* Seconds since 1970 of a moment as RFC 3339 has it: "2026-11-22T02:00:00Z",
 * "2026-11-22 03:00:00.5+01:00"; parts of a second are cut.  After 1970. */
bool units_moment(struct str, int64_t *out);

#endif
