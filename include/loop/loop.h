/*
 * loop.h - a thread with an event loop (libevent) and a mailbox.
 *
 * Everything that happens on a loop happens in callbacks on its thread, one
 * after the other; no callback may block.  Callback laws, for all modules:
 * no callback before the call that asked for it has returned; none after
 * x_close()/x_stop(); whoever runs callbacks holds a reference meanwhile.
 *
 * Ownership: main.c owns all loops.  loop_post() and loop_stop() may be called
 * from any thread, everything else only on the loop's own (or before it has
 * started, or after it was joined).
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct event_base;
struct loop;

/*
 * A message: embedded in what it carries; deliver() runs on the receiving
 * loop and owns it from then on.  Letters from one thread arrive in the order
 * in which they were posted.
 */
struct letter {
	struct letter *next;
	void (*deliver)(struct letter *);
};

/* NAME is kept by reference and shows as the thread's name. */
struct loop *loop_new(const char *name, struct err *err);
int loop_start(struct loop *, struct err *err);
void loop_stop(struct loop *); /* leaves after the running callback */
void loop_join(struct loop *);
/* Delivers letters that are still in the mailbox, then frees. NULL is fine. */
void loop_free(struct loop *);
/* Delivers what is in the mailbox now, on the calling thread; only for a loop
 * that was joined or never started.  Returns how many. */
unsigned loop_drain(struct loop *);

void loop_post(struct loop *, struct letter *); /* any thread */
bool loop_is_here(const struct loop *);         /* am I on its thread? */
/* Monotonic ms, coarse and cheap: the clock that this loop's timers run by. */
uint64_t loop_now_ms(const struct loop *);
const char *loop_name(const struct loop *);
struct event_base *loop_base(struct loop *); /* for loop/ and http/ */

#endif
