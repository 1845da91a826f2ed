/*
 * histogram.h - how long things took, within 1.6 %, from 1 ns to 18 minutes.
 *
 * A value's bucket is its highest bit and the six bits below it.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 6
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_POWERS 40
#define HISTOGRAM_BUCKETS (HISTOGRAM_POWERS * HISTOGRAM_STEPS)

struct histogram {
	uint64_t n;
	uint64_t max_ns;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *, uint64_t ns);
/* The value that SHARE (0 to 1) of all do not exceed; 0 without any. */
uint64_t histogram_at(const struct histogram *, double share);
/* As a JSON object, in µs. */
void histogram_print(const struct histogram *);

#endif
