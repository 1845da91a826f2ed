/*
 * no_releases.c - handlers that stand in for those of releases and sites: each
 * answers with its name.  So that the routes can be tested without an engine.
 */
#include "admin_int.h"
#include "hits.h"
#include "release_folder.h"
#include "releases_int.h"

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
