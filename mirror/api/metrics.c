/*
 * metrics.c - /metrics, and the rows that only the control plane can feed.
 */
#include "common/metrics.h"

#include "admin_int.h"
#include "common/log.h"
#include "common/version.h"
#include "releases_int.h"

#define SCRAPE_MAX_BYTES (16u << 20)
#define SCRAPE_TYPE "text/plain; version=0.0.4; charset=utf-8"

void
metrics_setup(struct admin *a)
{
	static const char *const windows[WINDOW_COUNT] = { "5m", "15m", "1h" };
	const char *build[] = { version_number(), version_commit() };
	struct metric *info = metric_cell(M_build_info, build);

	for (enum ratio_window w = 0; w < WINDOW_COUNT; w++) {
		const char *requests[] = { "requests", windows[w] };
		const char *bytes[] = { "bytes", windows[w] };

		a->ratio_cells[0][w] = metric_cell(M_hit_ratio, requests);
		a->ratio_cells[1][w] = metric_cell(M_hit_ratio, bytes);
	}
	metric_set(info, 1);
}

static void
set_cells(struct admin *a)
{
	struct metric *dropped = metric_get(M_log_dropped_total);

	for (enum ratio_window w = 0; w < WINDOW_COUNT; w++) {
		metric_set(
		    a->ratio_cells[0][w], (int64_t)ratio_requests(a->ratio, w));
		metric_set(
		    a->ratio_cells[1][w], (int64_t)ratio_bytes(a->ratio, w));
	}
	metric_add(dropped, (int64_t)log_dropped() - metric_value(dropped));
}

static void
reply_metrics(struct exchange *e)
{
	struct buf out;
	size_t n;
	char *text;

	buf_init(&out, SCRAPE_MAX_BYTES);
	metrics_render(&out);
	n = out.n;
	text = buf_take(&out);
	buf_done(&out);
	admin_reply_text(e, SCRAPE_TYPE, text, n);
}

void
metrics_scrape(struct admin *a, struct exchange *e)
{
	set_cells(a);
	gates_show(a, e, reply_metrics);
}
