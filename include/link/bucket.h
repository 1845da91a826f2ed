/*
 * bucket.h - a token bucket that may go into debt.
 *
 * It fills at `rate` up to 100 ms of it.  Whoever finds more than nothing in it
 * may take a piece of any size; what is taken too much is waited for by the
 * next.  So pieces need not fit the bucket, and over time it is exact: what is
 * kept are millionths of bytes.  Pure arithmetic on the caller's clock.
 */
#ifndef LINK_BUCKET_H
#define LINK_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BURST_US 100000

struct bucket {
	uint64_t rate; /* bytes/s; RATE_UNLIMITED: never empty; 0: always */
	int64_t level; /* millionths of bytes; below 0: in debt */
	uint64_t at_us;
};

/* It begins empty: a link that has just come into use is not sent a burst. */
void bucket_init(struct bucket *, uint64_t rate, uint64_t now_us);
/* What is in it stays, as far as it fits. */
void bucket_set_rate(struct bucket *, uint64_t rate, uint64_t now_us);
/* Has it more than AHEAD_US of its rate?  (0: anything at all) */
bool bucket_has(struct bucket *, uint64_t ahead_us, uint64_t now_us);
/* MICRO: millionths of bytes. */
void bucket_take(struct bucket *, int64_t micro, uint64_t now_us);
/* How long until it has AHEAD_US of its rate, and 5 ms more, so that those who
 * wait are not woken for every byte; UINT64_MAX: never. */
uint64_t bucket_wait_us(struct bucket *, uint64_t ahead_us, uint64_t now_us);

#endif
