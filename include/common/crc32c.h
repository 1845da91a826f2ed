/*
 * crc32c.h - CRC-32C (Castagnoli; RFC 3720, appendix B.4), for our own files
 * and index values.  Uses the SSE4.2 instruction where the machine has it.
 * Pure; any thread.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* SEED is 0, or the result so far. */
uint32_t crc32c(uint32_t seed, const void *, size_t);

#endif
