/*
 * stand_ins.c - what stands in for the mirror around the control plane: the
 * store's usage, the traffic, and handlers of releases and sites that answer
 * with their names, so that routes can be tested without an engine.
 */
#include <string.h>

#include "admin_int.h"
#include "api/traffic.h"
#include "common/check.h"
#include "hits.h"
#include "release_folder.h"
#include "releases_int.h"
#include "stand_ins.h"
#include "store/store.h"

#define HANDLER(name)                                                          \
	void name(struct admin *a, struct exchange *e)                         \
	{                                                                      \
		(void)a;                                                       \
		admin_reply_json(e, 200, json_pack("{s:s}", "here", #name));   \
	}

HANDLER(v1_freeze)
HANDLER(v1_freeze_delete)
HANDLER(v1_freeze_put)
HANDLER(v1_gate)
HANDLER(v1_ready)
HANDLER(v1_release)
HANDLER(v1_release_delete)
HANDLER(v1_release_events)
HANDLER(v1_release_hold)
HANDLER(v1_release_put)
HANDLER(v1_release_resume)
HANDLER(v1_release_sites)
HANDLER(v1_release_retry)
HANDLER(v1_release_verify)
HANDLER(v1_releases)

void
gates_show(struct admin *a, struct exchange *e, void (*then)(struct exchange *))
{
	(void)a;
	then(e);
}

struct hits *
hits_new(struct sites *sites, struct store *store, struct err *err)
{
	(void)sites;
	(void)store;
	(void)err_set(err, ERR_INTERNAL, "no hits here");
	return NULL;
}

void
hits_free(struct hits *hits)
{
	(void)hits;
}

struct release_folder *
folder_new(const struct admin_spec *spec, struct err *err)
{
	(void)spec;
	(void)err_set(err, ERR_INTERNAL, "no folder here");
	return NULL;
}

void
folder_free(struct release_folder *folder)
{
	(void)folder;
}

void
store_usage(struct store *store, struct store_usage *u)
{
	(void)store;
	memset(u, 0, sizeof(*u));
	u->used_bytes = 1000;
	u->n_objects = 7;
	u->draft_bytes = 20;
	u->capacity = 4000;
	u->free_bytes = 3000;
}

void
traffic_totals(struct traffic_totals *t)
{
	static const struct traffic_totals fixed = {
		.requests = { [RESULT_HIT] = 3, [RESULT_MISS] = 1 }
	};

	*t = fixed;
}

const char *
traffic_result_name(enum traffic_result r)
{
	static const char *const names[] = { "hit", "join", "miss", "stale",
		"error" };

	return names[r];
}

struct endpoint_report reports[REPORTS_MAX];

size_t
upstreams_report(struct upstreams *u, const struct config *config,
    struct endpoint_report *out, size_t max)
{
	size_t n = 0;

	(void)u;
	for (size_t i = 0; i < config->n_upstreams; i++)
		n += config->upstreams[i].n_endpoints;
	check(n <= max && n <= REPORTS_MAX);
	memcpy(out, reports, n * sizeof(reports[0]));
	return n;
}
