/*
 * breaker.c - when an endpoint is left alone, and for how long.
 *
 * Failures that come in while it is open are those of requests that were on
 * their way before: they do not lengthen the wait.  A probe that is never
 * heard of again (its owner asked, and then did not send it) gives up its
 * place after PROBE_MS, so a breaker cannot stay half open for good.
 */
#include "upstream/breaker.h"

#define OPEN_FIRST_MS 1000u
#define OPEN_MAX_MS 60000u
#define RETRY_AFTER_MAX_MS (10u * 60 * 1000)
#define LIMITED_MAX_MS (6u * 60 * 60 * 1000) /* Docker Hub's window */
#define PROBE_MS 60000u
#define PROBE_LOOK_MS 500u /* when others look whether it has ended */

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* BASE, up to a quarter shorter or longer. */
static uint64_t
jittered(uint64_t base, unsigned jitter)
{
	return base * (750 + jitter / 2) / 1000;
}

static uint64_t
backoff_ms(const struct breaker *b, unsigned jitter)
{
	unsigned doublings = 0;
	uint64_t ms = OPEN_MAX_MS;

	if (b->failures > BREAKER_FAILURES)
		doublings = b->failures - BREAKER_FAILURES;
	if (doublings < 6 && OPEN_FIRST_MS << doublings < OPEN_MAX_MS)
		ms = (uint64_t)OPEN_FIRST_MS << doublings;
	return jittered(ms, jitter);
}

bool
breaker_allows(struct breaker *b, uint64_t now_ms, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (b->state == BREAKER_CLOSED)
		return true;
	if (now_ms < b->open_until_ms &&
	    (b->state == BREAKER_OPEN || b->is_probing)) {
		*wait_ms = b->open_until_ms - now_ms;
		if (b->state == BREAKER_HALF_OPEN)
			*wait_ms = smaller(*wait_ms, PROBE_LOOK_MS);
		return false;
	}
	b->state = BREAKER_HALF_OPEN;
	b->is_probing = true;
	b->open_until_ms = now_ms + PROBE_MS;
	return true;
}

void
breaker_succeeded(struct breaker *b)
{
	*b = (struct breaker){ .state = BREAKER_CLOSED };
}

static void
breaker_open(struct breaker *b, uint64_t now_ms, uint64_t for_ms)
{
	b->state = BREAKER_OPEN;
	b->open_until_ms = now_ms + for_ms;
}

/* False: it is of a request from before. */
static bool
note_failure(struct breaker *b, uint64_t now_ms)
{
	if (b->state == BREAKER_OPEN && now_ms < b->open_until_ms)
		return false;
	if (b->failures < BREAKER_FAILURES + 6)
		b->failures++;
	b->is_probing = false;
	return true;
}

void
breaker_failed(struct breaker *b, uint64_t now_ms, unsigned jitter,
    uint64_t retry_after_ms)
{
	if (!note_failure(b, now_ms))
		return;
	if (retry_after_ms > 0)
		breaker_open(
		    b, now_ms, smaller(retry_after_ms, RETRY_AFTER_MAX_MS));
	else if (b->state != BREAKER_CLOSED || b->failures >= BREAKER_FAILURES)
		breaker_open(b, now_ms, backoff_ms(b, jitter));
}

void
breaker_limited(struct breaker *b, uint64_t now_ms, unsigned jitter,
    uint64_t retry_after_ms)
{
	if (!note_failure(b, now_ms))
		return;
	if (retry_after_ms > 0)
		breaker_open(
		    b, now_ms, smaller(retry_after_ms, LIMITED_MAX_MS));
	else
		breaker_open(b, now_ms, backoff_ms(b, jitter));
}

void
breaker_abandoned(struct breaker *b)
{
	b->is_probing = false;
}
