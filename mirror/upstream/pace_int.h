/*
 * pace_int.h - transfers take turns on a link.
 *
 * Each configured link has a state on the origin loop (links.c), kept by name
 * over reloads.  A transfer enters its link, may have to wait for a connection
 * (fetches of blobs do; what is small does not), then asks for each piece:
 *
 *	pace_enter ---> WAITS ---on_room---> RUNS: pace_may, pace_take ...
 *	     +-----------------------------^   |
 *	                     on_cut: the link went out of service, or is spent
 *
 * When pace_may() says no, the hop is paused, and resumed by the link's timer
 * when its turn has come.  on_room and on_cut come from the loop, never inside
 * a call, and may leave.
 *
 * Threads: origin loop only.
 */
#ifndef UPSTREAM_PACE_INT_H
#define UPSTREAM_PACE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/config.h"
#include "common/metrics.h"
#include "link/link.h"
#include "loop/timer.h"
#include "upstream/hop.h"
#include "upstream/links.h"

struct link_job;

struct paced {
	/* Its owner's. */
	void (*on_room)(struct paced *);
	void (*on_cut)(struct paced *, const struct err *);
	struct hop *hop; /* borrowed; NULL: none now */
	/* Not. */
	enum { PACED_NOT, PACED_WAITS, PACED_RUNS } state;
	enum link_class class;
	struct link_state *at;
	struct link_flow flow;
	TAILQ_ENTRY(paced) entry;
};
TAILQ_HEAD(paced_list, paced);

struct link_state {
	struct upstreams *upstreams; /* borrowed; outlives us */
	struct config *config;       /* counted: of `link` */
	char name[LINK_NAME_MAX];
	struct link link;
	bool is_configured; /* false: a reload took it out */
	struct timer timer; /* turns, windows, months */
	bool is_woken;      /* the timer comes at once */
	struct timer again; /* a quota could not be written */
	int64_t look_at_s;  /* wall */
	struct paced_list waiting[CLASS_COUNT];
	struct paced_list running;
	bool was_read;        /* what an earlier run had spent */
	struct link_job *job; /* a file is being read or written; or NULL */
	uint64_t shown_wait_us[CLASS_COUNT];
	struct metric *wait[CLASS_COUNT]; /* borrowed, like all cells */
	struct metric *rate, *up, *left;  /* left: NULL without a quota */
};

/* ---- pace.c ------------------------------------------------------------- */

/* HAS_TO_WAIT: for a connection, if there is none.  True: it runs. */
bool pace_enter(
    struct link_state *, struct paced *, enum link_class, bool has_to_wait);
void pace_leave(struct paced *); /* twice is fine */
void pace_set_class(struct paced *, enum link_class);
/* May a piece be taken now?  Else the hop is to be paused. */
bool pace_may(struct paced *);
void pace_take(struct paced *, size_t n);
/* Does it wait for its turn? */
bool pace_is_waiting(const struct paced *);
/* For hop_spec: what is read at once, and what the kernel may hold. */
void pace_sizes(const struct paced *, size_t *read_bytes, size_t *kernel_bytes);
/* Rate, state or quota changed: look at everybody, from the loop. */
void pace_wake(struct link_state *);
void pace_on_timer(void *link_state);
/* Why no transfer of the class may use it; ERR is set. */
void pace_refusal(const struct link_state *, enum link_class, struct err *err);

/* ---- links.c ------------------------------------------------------------ */

/* NULL: it names no link, so it is not limited. */
struct link_state *link_state_of(
    struct upstreams *, const struct config_endpoint *);
void link_state_show(struct link_state *); /* metrics */
/* As configured; on failure all is as before. */
err_checked int link_states_set(
    struct upstreams *, struct config *, struct err *err);
void link_states_free(struct upstreams *);

/* ---- link_files.c ------------------------------------------------------- */

/* Reads what was spent, or writes what may be, on a work thread, when that is
 * due; pace_wake() follows. */
void link_files_keep(struct link_state *);
void link_files_forget(struct link_state *); /* it is being freed */

#endif
