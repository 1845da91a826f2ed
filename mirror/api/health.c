/*
 * health.c - /healthz: the process lives; /readyz: it can serve.
 *
 * Ready has nothing to do with upstreams: with all of them down we serve what
 * we have, and a load balancer that took us out would only make that worse.
 */
#include "admin_int.h"

void
health_live(struct admin *a, struct exchange *e)
{
	(void)a;
	reply_text(e, 200, "text/plain", STR("ok\n"));
}

void
health_ready(struct admin *a, struct exchange *e)
{
	if (atomic_load(&a->is_draining))
		admin_reply_json(e, 503,
		    json_pack("{s:b, s:s}", "ready", 0, "reason",
			"draining: this process was asked to end"));
	else
		admin_reply_json(e, 200, json_pack("{s:b}", "ready", 1));
}
