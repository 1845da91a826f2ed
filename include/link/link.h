/*
 * link.h - the budget of one WAN link: who may take how much of it, and when.
 *
 * A flow is one transfer.  It asks before it takes a piece; when it is not its
 * turn it is queued, and the link's owner calls link_next() when
 * link_wait_us() is over:
 *
 *	link_may(flow)      yes: link_take(flow, n).  No: it is queued now;
 *	link_next(link)     names the flow whose turn has come (it is queued no
 *			    longer, and its next link_may() says yes)
 *
 * Of the classes, pull goes first, then refresh, prewarm and repair; but what
 * the configuration keeps for a class it gets even then, and what a class does
 * not use is anybody's.  Within a class the flow that has had least is next.
 *
 * Pure arithmetic on the caller's clocks: NOW_US is monotonic, WALL_S is what
 * people call the time.  The configuration is borrowed until the next
 * link_set().  One thread at a time.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/config.h"
#include "link/bucket.h"
#include "link/quota.h"

struct link;

struct link_flow {
	enum link_class class; /* link_flow_set_class() */
	/* not yours: */
	TAILQ_ENTRY(link_flow) entry;
	struct link *link; /* NULL: is none of any link's */
	enum { FLOW_IDLE, FLOW_QUEUED, FLOW_NAMED } state;
	uint64_t had;       /* bytes; in step with its class when it begins */
	uint64_t queued_us; /* since when */
};
TAILQ_HEAD(link_flows, link_flow);

struct link_use {
	uint64_t today; /* bytes since local midnight, with overhead */
	uint64_t period, last_period;
	uint64_t wait_us; /* queued, of all flows, ever */
};

/* Embedded in its owner; look through the functions. */
struct link {
	const struct config_link *config; /* borrowed */
	struct bucket all, prewarm;
	struct bucket kept[CLASS_COUNT];
	struct link_flows queues[CLASS_COUNT];
	uint64_t had[CLASS_COUNT];     /* bytes, by whoever's turn it was */
	uint64_t took_us[CLASS_COUNT]; /* when a flow of the class last did */
	unsigned n_flows[CLASS_COUNT];
	struct quota quota;
	const struct config_window *window; /* NULL: none is open */
	int64_t window_until;               /* s, wall; 0: for ever */
	int64_t day, midnight;              /* today began */
	uint64_t period_us;
	struct link_use use[CLASS_COUNT];
	bool is_down;               /* set by an operator */
	bool has_rate, has_prewarm; /* the same */
	uint64_t set_rate, set_prewarm;
};

void link_init(
    struct link *, const struct config_link *, uint64_t now_us, int64_t wall_s);
/* A new configuration; what an operator has set is forgotten. */
void link_set(
    struct link *, const struct config_link *, uint64_t now_us, int64_t wall_s);
/* Looks at the clock on the wall: windows, the day, the month.  Returns when
 * to look again (s, wall), a minute ahead at most: clocks are set, too. */
int64_t link_look(struct link *, uint64_t now_us, int64_t wall_s);

/* An operator's word, until link_set(). */
void link_set_rate(struct link *, uint64_t rate, uint64_t now_us);
void link_set_prewarm(struct link *, uint64_t rate, uint64_t now_us);
void link_set_down(struct link *, bool is_down);

uint64_t link_rate(const struct link *); /* now in force */
uint64_t link_prewarm(const struct link *);
/* May a transfer of the class begin, or go on?  False for what no waiting for
 * a turn will change: out of service, or the quota is spent. */
bool link_is_usable(const struct link *, enum link_class);

void link_flow_begin(struct link *, struct link_flow *, enum link_class);
void link_flow_end(struct link_flow *); /* twice is fine */
void link_flow_set_class(struct link_flow *, enum link_class, uint64_t now_us);
bool link_may(struct link_flow *, uint64_t now_us);
/* N body bytes; the overhead is added here. */
void link_take(struct link_flow *, size_t n, uint64_t now_us);
struct link_flow *link_next(struct link *, uint64_t now_us);
/* Until link_next() may name one; UINT64_MAX: nobody waits, or nobody may. */
uint64_t link_wait_us(struct link *, uint64_t now_us);

/* How many transfers a link of this rate carries well: the configured number,
 * fewer where each would have but a crumb of what the kernel may hold. */
unsigned link_connections(const struct link *);
/* May one more of the class begin?  Pulls wait for pulls only; and nobody for
 * prewarm that is off: what runs of it stands still, and goes on at once when a
 * store waits for it. */
bool link_has_room(const struct link *, enum link_class);
/* Bytes that the kernel may hold for each of the flows, and how many are read
 * at once, so that all together stay below 250 ms of the link, and of a metered
 * one below what its quota allows for; 0: as it likes. */
size_t link_buffer_bytes(const struct link *);
size_t link_read_bytes(const struct link *);

/* Bytes per second, over the last full period of 5 s. */
uint64_t link_use_now(const struct link *, enum link_class, uint64_t now_us);

#endif
