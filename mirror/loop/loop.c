/*
 * loop.c - a thread, an event base, a mailbox.
 *
 * The mailbox is a stack that any thread pushes to with one compare-and-swap;
 * the loop takes all of it at once and turns it round, which keeps the order
 * of each poster.  Whoever pushes onto an empty stack rings the bell (an
 * eventfd), so a burst of letters costs one system call.  The bell is edge
 * triggered and never read: each write to it is an edge of its own.
 *
 * All of libevent's calls on a base come from its own thread, so the base has
 * no locks.  Its clock is the coarse monotonic one, read when needed and not
 * cached: that costs a few ns, and timers agree with loop_now_ms().
 */
#include "loop/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"

struct loop {
	const char *name;        /* borrowed; outlives us */
	struct event_base *base; /* owned */
	struct event on_bell;
	int bell;                       /* owned; eventfd */
	_Atomic(struct letter *) inbox; /* newest first */
	atomic_bool stopping;
	bool started; /* and not joined */
	pthread_t thread;
};

/* The loop whose callbacks this thread runs; NULL on other threads. */
static _Thread_local const struct loop *here;

/* ---- the mailbox ------------------------------------------------------- */

static void
loop_ring(struct loop *l)
{
	uint64_t one = 1;

	check(write(l->bell, &one, sizeof(one)) == sizeof(one));
}

void
loop_post(struct loop *l, struct letter *letter)
{
	struct letter *top =
	    atomic_load_explicit(&l->inbox, memory_order_relaxed);

	do
		letter->next = top;
	while (!atomic_compare_exchange_weak_explicit(&l->inbox, &top, letter,
	    memory_order_release, memory_order_relaxed));
	if (top == NULL)
		loop_ring(l);
}

static struct letter *
oldest_first(struct letter *newest)
{
	struct letter *done = NULL;

	while (newest != NULL) {
		struct letter *older = newest->next;

		newest->next = done;
		done = newest;
		newest = older;
	}
	return done;
}

/* Delivers what is there now; what that posts waits for the next time. */
static unsigned
loop_deliver(struct loop *l)
{
	struct letter *letter = oldest_first(
	    atomic_exchange_explicit(&l->inbox, NULL, memory_order_acquire));
	struct letter *next;
	unsigned n = 0;

	for (; letter != NULL; letter = next, n++) {
		next = letter->next; /* deliver() owns the letter */
		letter->deliver(letter);
	}
	return n;
}

unsigned
loop_drain(struct loop *l)
{
	const struct loop *before = here;
	unsigned n;

	check(!l->started);
	here = l;
	n = loop_deliver(l);
	here = before;
	return n;
}

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	(void)loop_deliver(l);
	if (atomic_load(&l->stopping))
		check(event_base_loopbreak(l->base) == 0);
}

/* ---- the thread -------------------------------------------------------- */

static void *
loop_run(void *arg)
{
	struct loop *l = arg;

	here = l;
	check(event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) == 0);
	here = NULL;
	return NULL;
}

int
loop_start(struct loop *l, struct err *err)
{
	check(!l->started);
	if (thread_start(&l->thread, l->name, loop_run, l, err) != 0)
		return -1;
	l->started = true;
	return 0;
}

void
loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	if (loop_is_here(l))
		check(event_base_loopbreak(l->base) == 0);
	else
		loop_ring(l);
}

void
loop_join(struct loop *l)
{
	if (!l->started)
		return;
	check(pthread_join(l->thread, NULL) == 0);
	l->started = false;
}

/* ---- birth and death --------------------------------------------------- */

/* libevent would write its warnings to stderr, between the log's lines. */
static void
on_libevent_message(int severity, const char *message)
{
	int error = errno;

	log_at(severity >= EVENT_LOG_WARN ? LOG_WARN : LOG_DEBUG, "libevent",
	    LOG_Z("message", message));
	errno = error; /* our caller's caller still asks for it */
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	event_set_log_callback(on_libevent_message);
	if (config == NULL)
		return NULL;
	if (event_config_avoid_method(config, "poll") == 0 &&
	    event_config_avoid_method(config, "select") == 0 &&
	    event_config_set_flag(config,
		EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
		    EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static bool
loop_open(struct loop *l)
{
	l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->bell < 0)
		return false;
	l->base = base_new();
	return l->base != NULL &&
	    event_assign(&l->on_bell, l->base, l->bell,
		EV_READ | EV_ET | EV_PERSIST, on_bell, l) == 0 &&
	    event_add(&l->on_bell, NULL) == 0;
}

struct loop *
loop_new(const char *name, struct err *err)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for the loop %s", name);
		return NULL;
	}
	l->name = name;
	l->bell = -1;
	if (!loop_open(l)) {
		(void)err_errno(
		    err, ERR_INTERNAL, "could not make the loop %s", name);
		loop_free(l);
		return NULL;
	}
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (loop_drain(l) > 0)
		; /* letters may post letters */
	if (l->base != NULL)
		event_base_free(l->base);
	if (l->bell >= 0)
		(void)close(l->bell);
	free(l);
}

/* ---- asking ------------------------------------------------------------ */

bool
loop_is_here(const struct loop *l)
{
	return here == l;
}

uint64_t
loop_now_ms(const struct loop *l)
{
	(void)l;
	return clock_mono_ms();
}

const char *
loop_name(const struct loop *l)
{
	return l->name;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}
