/*
 * walk.h - all sites, a few hundred at a time, into one answer.
 *
 * A walk counts the sites of each ring by state and makes a page of those that
 * are asked for (?ring=&state=&limit=&after=).  Between its slices the admin
 * loop does other things; sites may come and go meanwhile, a name is in the
 * answer at most once.  Its exchange may end at any time: then it is freed.
 *
 * What states there are and what is shown of a site is the asker's.
 */
#ifndef API_WALK_H
#define API_WALK_H

#include "admin_int.h"
#include "loop/timer.h"
#include "site/site.h"

#define WALK_STATES_MAX 4

struct walk;

struct walk_kind {
	const char *keys; /* of the query, for people */
	const char *const *states;
	size_t n_states;
	unsigned (*state_of)(const struct walk *, const struct site *);
	/* Puts fields of its own into SITE. */
	void (*show)(const struct walk *, const struct site *, json_t *site);
	/* May it be on the page?  NULL: all may. */
	bool (*is_asked)(const struct walk *, const struct site *);
	/* Another key of the query; NULL: there are none. */
	admin_query_fn *set;
	void (*done)(struct walk *); /* drops `arg`; NULL: nothing to drop */
};

struct walk {
	const struct walk_kind *kind;
	struct admin *admin;
	struct exchange *exchange;
	struct config *config; /* counted */
	void *arg;             /* the kind's */
	int64_t now;

	/* The query. */
	struct str ring; /* p == NULL: any; in the exchange's arena */
	unsigned state;  /* n_states: any */
	uint64_t limit;
	struct str after;

	/* Not yours. */
	struct timer timer;
	char at[SITE_TEXT_MAX]; /* the last one seen; "": none yet */
	json_t *page;
	json_t *answer; /* what is said beside the page */
	bool has_more;
	uint64_t (*counts)[WALK_STATES_MAX]; /* by ring; owned */
};

/* NULL: it was answered, and ARG is still the caller's. */
struct walk *walk_new(
    struct admin *, struct exchange *, const struct walk_kind *, void *arg);
/* Reads the query; -1: it was answered, and the walk is gone. */
int walk_query(struct walk *);
/* Answers, in its own time; ANSWER (taken) is an object to which "rings",
 * "sites" and "next" are added. */
void walk_start(struct walk *, json_t *answer);

#endif
