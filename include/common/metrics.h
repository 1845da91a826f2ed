/*
 * metrics.h - the registry of what Railhead counts (rows: tbl/metrics.h).
 *
 * A family (row) has one cell per combination of label values.  metric_cell()
 * takes a lock and may allocate: get the cell once and keep it; adding to a
 * cell is one relaxed atomic.  Cells live until metrics_done().  A family has
 * at most METRIC_CELLS_MAX cells; past that all share one whose label values
 * are "other".  Text: Prometheus exposition format 0.0.4.  Any thread.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum metric_id {
#define METRIC(kind, name, scale, labels, help) M_##name,
#include "tbl/metrics.h"
	METRIC_COUNT
};

#define METRIC_CELLS_MAX 1024
#define METRIC_LABELS_MAX 4

struct metric; /* a cell */

void metrics_init(void);
void metrics_done(void);

/* VALUES: as many as the row has labels, in the row's order. */
struct metric *metric_cell(enum metric_id, const char *const *values);
/* The only cell of a row without labels. */
struct metric *metric_get(enum metric_id);

/* What the cell was about is gone: it is freed, and shown no more.  Only for
 * cells that nobody else holds. */
void metric_drop(struct metric *);

void metric_add(struct metric *, int64_t); /* counters and gauges */
void metric_set(struct metric *, int64_t); /* gauges */
int64_t metric_value(const struct metric *);
void metric_observe(struct metric *, uint64_t value); /* histograms */

/* metric_add(metric_cell(...), n) for rare events: not for hot paths. */
void metric_count1(enum metric_id, const char *value1, int64_t n);
void metric_count3(enum metric_id, const char *value1, const char *value2,
    const char *value3, int64_t n);

/* FN is called before each rendering, to set gauges; at most 16. */
void metrics_on_scrape(void (*fn)(void *arg), void *arg);
/* All families that have a cell, process_* too (from /proc/self). */
void metrics_render(struct buf *out);

#endif
