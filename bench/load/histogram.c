/*
 * histogram.c - how long things took.
 */
#include "histogram.h"

#include <stdio.h>

static unsigned
bucket_of(uint64_t ns)
{
	unsigned power, bucket;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	power = 63u - (unsigned)__builtin_clzll(ns);
	bucket = (power - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS +
	    (unsigned)((ns >> (power - HISTOGRAM_BITS)) % HISTOGRAM_STEPS);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t
value_of(unsigned bucket)
{
	unsigned row = bucket / HISTOGRAM_STEPS;
	uint64_t step = bucket % HISTOGRAM_STEPS;

	if (row == 0)
		return step;
	return (((HISTOGRAM_STEPS + step) << (row - 1)) +
		   ((HISTOGRAM_STEPS + step + 1) << (row - 1))) /
	    2;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	h->n++;
	h->counts[bucket_of(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t
histogram_at(const struct histogram *h, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->n * share);
	unsigned i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen > wanted)
			return value_of(i);
	}
	return h->max_ns;
}

static double
us(uint64_t ns)
{
	return (double)ns / 1e3;
}

void
histogram_print(const struct histogram *h)
{
	printf("{\"n\": %llu, \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
	       "\"max\": %.1f}",
	    (unsigned long long)h->n, us(histogram_at(h, 0.5)),
	    us(histogram_at(h, 0.99)), us(histogram_at(h, 0.999)),
	    us(h->max_ns));
}
