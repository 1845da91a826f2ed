/*
 * watch.c - a descriptor's readiness, as a persistent libevent event that is
 * made anew when what is wanted changes.
 */
#include "loop/watch.h"

#include <event2/event.h>

#include "common/check.h"
#include "loop/loop.h"

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	unsigned ready = 0;

	(void)fd;
	if (what & EV_READ)
		ready |= WATCH_READ;
	if (what & EV_WRITE)
		ready |= WATCH_WRITE;
	w->fn(ready, w->arg);
}

void
watch_init(struct watch *w, struct loop *l, int fd, watch_fn *fn, void *arg)
{
	w->loop = l;
	w->fd = fd;
	w->want = 0;
	w->fn = fn;
	w->arg = arg;
}

void
watch_set(struct watch *w, unsigned want)
{
	short what = EV_PERSIST;

	check((want & ~(WATCH_READ | WATCH_WRITE)) == 0);
	if (want == w->want)
		return;
	if (w->want != 0)
		check(event_del(&w->ev) == 0);
	w->want = want;
	if (want == 0)
		return;
	if (want & WATCH_READ)
		what |= EV_READ;
	if (want & WATCH_WRITE)
		what |= EV_WRITE;
	check(event_assign(
		  &w->ev, loop_base(w->loop), w->fd, what, on_ready, w) == 0);
	check(event_add(&w->ev, NULL) == 0);
}

void
watch_stop(struct watch *w)
{
	watch_set(w, 0);
}
