/*
 * timer.h - call me later.  Embedded in its owner; the owner's loop only.
 * After timer_stop() (twice is fine) no callback comes.
 */
#ifndef LOOP_TIMER_H
#define LOOP_TIMER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void timer_fn(void *arg);

struct timer {
	struct event ev;
	struct loop *loop; /* borrowed; outlives us */
	timer_fn *fn;
	void *arg;
};

void timer_init(struct timer *, struct loop *, timer_fn *, void *arg);
void timer_set(struct timer *, uint64_t ms); /* once; replaces an earlier set */
void timer_stop(struct timer *);
bool timer_is_set(const struct timer *);

#endif
