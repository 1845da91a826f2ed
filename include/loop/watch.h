/*
 * watch.h - tell me when a descriptor can be read or written (level
 * triggered).  Embedded in its owner; the owner's loop only.  After
 * watch_stop() (twice is fine) no callback comes.  The descriptor is the
 * owner's and must be open until then.
 */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include <event2/event_struct.h>

struct loop;

#define WATCH_READ 1u
#define WATCH_WRITE 2u

typedef void watch_fn(unsigned ready, void *arg);

struct watch {
	struct event ev;
	struct loop *loop; /* borrowed; outlives us */
	int fd;
	unsigned want;
	watch_fn *fn;
	void *arg;
};

void watch_init(struct watch *, struct loop *, int fd, watch_fn *, void *arg);
void watch_set(struct watch *, unsigned want); /* 0 watches nothing */
void watch_stop(struct watch *);

#endif
