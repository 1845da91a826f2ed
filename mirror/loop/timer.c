/*
 * timer.c - one-shot timers: libevent's heap, our callback laws.
 *
 * libevent takes a timer out before it runs it, so a callback may set it
 * again, stop it, or free its owner.
 */
#include "loop/timer.h"

#include <event2/event.h>

#include "common/check.h"
#include "loop/loop.h"

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

void
timer_init(struct timer *t, struct loop *l, timer_fn *fn, void *arg)
{
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	check(evtimer_assign(&t->ev, loop_base(l), on_timeout, t) == 0);
}

void
timer_set(struct timer *t, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	check(evtimer_add(&t->ev, &tv) == 0);
}

void
timer_stop(struct timer *t)
{
	check(evtimer_del(&t->ev) == 0);
}

bool
timer_is_set(const struct timer *t)
{
	return evtimer_pending(&t->ev, NULL) != 0;
}
