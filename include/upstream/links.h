/*
 * links.h - the links that upstream bytes cross: how they are doing, and an
 * operator's word on them.
 *
 * Threads: origin loop only, or before it has started.
 */
#ifndef UPSTREAM_LINKS_H
#define UPSTREAM_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"

struct upstreams;

#define LINK_NAME_MAX 65

/* Where quotas are kept: FOLDER (copied) is there.  Before links are set. */
err_checked int upstreams_set_state_folder(
    struct upstreams *, const char *folder, struct err *err);
/* At start and at each reload, before anything else hears of the configuration:
 * what the links are.  What an operator had changed is as configured again;
 * what was spent stays.  On failure all is as before. */
err_checked int upstreams_set_links(
    struct upstreams *, struct config *, struct err *err);

struct link_class_report {
	uint64_t now;   /* bytes/s, overhead included */
	uint64_t today; /* bytes */
	unsigned n_running, n_waiting;
};

struct link_report {
	char name[LINK_NAME_MAX];
	uint64_t rate, prewarm; /* in force; bytes/s */
	bool is_up;
	bool is_offline; /* nobody is reached over it */
	bool is_changed; /* by an operator, until restart or reload */
	unsigned connections;
	bool in_window;
	int64_t window_changes_at; /* s, wall; 0: never */
	bool has_quota;
	uint64_t quota_bytes, quota_left, quota_reserve;
	int64_t quota_resets_at; /* s, wall */
	struct link_class_report classes[CLASS_COUNT];
};
/* All N of them by name, the caller's to free(); NULL: out of memory. */
struct link_report *upstreams_report_links(struct upstreams *, size_t *n);

/* May the class prewarm use an endpoint of the upstream now? */
enum prewarm { PREWARM_YES, PREWARM_LATER, PREWARM_DOWN };
/* LATER: its time has not come (a window, a rate limit near its floor); DOWN:
 * out of order (links out of service or spent, breakers open).  Then *ERR says
 * why and *AT when to look again (s, wall). */
enum prewarm upstreams_prewarm(struct upstreams *,
    const struct config_upstream *, int64_t *at, struct err *err);

/* Was an endpoint of the upstream reached when it was last asked, over a link
 * that lets releases through?  One that nobody has asked yet counts as reached.
 * That a breaker may be probed again proves nothing.  Else *ERR says why. */
bool upstreams_are_reached(
    struct upstreams *, const struct config_upstream *, struct err *err);

/* Does the endpoint's link let the class through now? */
bool upstreams_link_allows(
    struct upstreams *, const struct config_endpoint *, enum link_class);

struct link_change {
	bool has_rate, has_prewarm, has_up;
	uint64_t rate, prewarm; /* bytes/s */
	bool is_up;
};
/* ERR_NOT_FOUND: there is no such link. */
err_checked int upstreams_change_link(struct upstreams *, const char *name,
    const struct link_change *, struct link_report *now, struct err *err);

#endif
