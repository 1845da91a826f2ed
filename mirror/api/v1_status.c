/*
 * v1_status.c - GET /v1/status: how this mirror is doing, on one page.
 */
#include "admin_int.h"
#include "api/traffic.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/version.h"
#include "store/store.h"

static json_t *
json_store(struct store *store, const struct config *config)
{
	struct store_usage u;

	store_usage(store, &u);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "path",
	    admin_json_text(config->store_path), "used_bytes",
	    (json_int_t)u.used_bytes, "objects", (json_int_t)u.n_objects,
	    "draft_bytes", (json_int_t)u.draft_bytes, "capacity_bytes",
	    (json_int_t)u.capacity, "free_bytes", (json_int_t)u.free_bytes);
}

static json_t *
json_fills(void)
{
	return json_pack("{s:I, s:I}", "running",
	    (json_int_t)metric_value(metric_get(M_fills)), "readers",
	    (json_int_t)metric_value(metric_get(M_fill_readers)));
}

static json_t *
json_windows(const struct ratio *r,
    uint64_t (*read)(const struct ratio *, enum ratio_window))
{
	return json_pack("{s:f, s:f, s:f}", "5m",
	    (double)read(r, WINDOW_5M) / 1e6, "15m",
	    (double)read(r, WINDOW_15M) / 1e6, "1h",
	    (double)read(r, WINDOW_1H) / 1e6);
}

static json_t *
json_requests(void)
{
	struct traffic_totals totals;
	json_t *all = json_object();

	traffic_totals(&totals);
	for (enum traffic_result i = 0; i < RESULT_COUNT; i++)
		(void)json_object_set_new(all, traffic_result_name(i),
		    json_integer((json_int_t)totals.requests[i]));
	return all;
}

static json_t *
json_upstreams(const struct report *r)
{
	const struct config *config = report_config(r);
	size_t up = 0;

	for (size_t i = 0; i < config->n_upstreams; i++)
		up += report_has_up(r, &config->upstreams[i]);
	return json_pack("{s:I, s:I}", "up", (json_int_t)up, "down",
	    (json_int_t)(config->n_upstreams - up));
}

static void
answer(struct admin *a, struct exchange *e, const struct report *r)
{
	const struct config *config = report_config(r);
	bool is_draining = atomic_load(&a->is_draining);
	int64_t started = a->spec.started_at;
	json_t *all = json_pack("{s:o, s:s, s:s, s:o, s:I, s:b, s:b, s:{s:o}}",
	    "region", admin_json_text(config->region), "version",
	    version_number(), "commit", version_commit(), "started_at",
	    admin_json_time(started), "uptime_s",
	    (json_int_t)(clock_wall_s() - started), "ready", !is_draining,
	    "draining", is_draining, "config", "path",
	    admin_json_text(config->path));
	json_t *rest = json_pack("{s:o, s:I, s:o, s:{s:o, s:o}, s:o, s:o}",
	    "store", json_store(a->spec.store, config), "connections",
	    (json_int_t)metric_value(metric_get(M_connections)), "fills",
	    json_fills(), "hit_ratio", "requests",
	    json_windows(a->ratio, ratio_requests), "bytes",
	    json_windows(a->ratio, ratio_bytes), "requests", json_requests(),
	    "upstreams", json_upstreams(r));

	if (json_object_update(all, rest) != 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(rest);
	admin_reply_json(e, 200, all);
}

void
v1_status(struct admin *a, struct exchange *e)
{
	report_ask(a, e, answer, NULL);
}
