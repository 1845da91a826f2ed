/*
 * bucket.c - bytes per second times microseconds are millionths of bytes, so
 * nothing is ever rounded.
 */
#include "link/bucket.h"

#include "common/units.h"

#define WAKE_US 5000
#define RATE_MAX 100000000000u /* 800 Gbit: what fits the arithmetic */

static int64_t
worth(const struct bucket *b, uint64_t us)
{
	return (int64_t)(b->rate * us);
}

static void
fill(struct bucket *b, uint64_t now_us)
{
	int64_t full = worth(b, BUCKET_BURST_US);
	uint64_t us = now_us > b->at_us ? now_us - b->at_us : 0;

	b->at_us += us;
	if (b->rate == RATE_UNLIMITED)
		return;
	while (us > 0 && b->level < full) { /* steps that fit in 63 bits */
		uint64_t step = us < 1000000 ? us : 1000000;

		b->level += worth(b, step);
		us -= step;
		if (b->rate == 0)
			break;
	}
	if (b->level > full)
		b->level = full;
}

static uint64_t
fitting(uint64_t rate)
{
	return rate > RATE_MAX ? RATE_UNLIMITED : rate;
}

void
bucket_init(struct bucket *b, uint64_t rate, uint64_t now_us)
{
	*b = (struct bucket){ .rate = fitting(rate), .at_us = now_us };
}

void
bucket_set_rate(struct bucket *b, uint64_t rate, uint64_t now_us)
{
	fill(b, now_us);
	if (b->rate == RATE_UNLIMITED)
		b->level = 0;
	b->rate = fitting(rate);
	fill(b, now_us);
}

bool
bucket_has(struct bucket *b, uint64_t ahead_us, uint64_t now_us)
{
	if (b->rate == RATE_UNLIMITED)
		return true;
	fill(b, now_us);
	return b->rate > 0 && b->level > worth(b, ahead_us);
}

void
bucket_take(struct bucket *b, int64_t micro, uint64_t now_us)
{
	if (b->rate == RATE_UNLIMITED)
		return;
	fill(b, now_us);
	b->level -= micro;
}

uint64_t
bucket_wait_us(struct bucket *b, uint64_t ahead_us, uint64_t now_us)
{
	int64_t want;

	if (b->rate == RATE_UNLIMITED)
		return 0;
	if (b->rate == 0)
		return UINT64_MAX;
	fill(b, now_us);
	want = worth(b, ahead_us + WAKE_US) - b->level;
	return want <= 0 ? 0 : ((uint64_t)want + b->rate - 1) / b->rate;
}
