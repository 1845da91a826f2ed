/*
 * metrics.c - what Railhead counts.
 *
 * Each row of tbl/metrics.h is a family with a list of cells, oldest first.
 * One mutex guards the lists; a cell's values are relaxed atomics that nobody
 * needs a lock for.  A cell has its own cache lines, since loops on different
 * cores add to different cells.  Rows without labels have their cell from
 * metrics_init() on, so that they show 0 before anything happens.
 */
#include "common/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/str.h"
#include "metrics_int.h"

#define CACHE_LINE 64 /* bytes */
#define SCRAPERS_MAX 16

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* clang-format off */
static const char *const kinds[] = {
	[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram",
};

static const struct {
	enum kind kind;
	const char *name;
	uint64_t per_unit; /* how many of ours make one of the name's unit */
	const char *labels;
	const char *help;
} rows[] = {
#define METRIC(kind, name, scale, labels, help)                                \
	[M_##name] = { kind, "railhead_" #name,                                \
		(uint64_t)(1 / (scale) + 0.5), labels, help },
#include "tbl/metrics.h"
};
/* clang-format on */

/* Upper bounds in microseconds; above the last is +Inf. */
static const uint64_t bounds[] = { 1000, 2500, 5000, 10000, 25000, 50000,
	100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
	60000000 };
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct metric {
	struct metric *next;
	enum metric_id id;
	char *values[METRIC_LABELS_MAX]; /* owned; NULL behind the last */
	_Atomic int64_t value;           /* of a histogram: the sum */
	_Atomic uint64_t buckets[N_BOUNDS + 1];
};

static struct {
	pthread_mutex_t lock;
	struct family {
		struct metric *first;
		struct metric *last;
		size_t count;
	} families[METRIC_COUNT];
	struct {
		void (*fn)(void *arg);
		void *arg;
	} scrapers[SCRAPERS_MAX];
	size_t n_scrapers;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What is counted when there is no memory for a cell; never shown. */
static struct metric nowhere;

/* ---- cells ------------------------------------------------------------- */

static size_t
label_count(enum metric_id id)
{
	struct str rest = str_of(rows[id].labels);
	struct str label;
	size_t n = 0;

	while (rest.n > 0 && str_cut(&rest, ',', &label))
		n++;
	check(n <= METRIC_LABELS_MAX);
	return n;
}

static bool
has_values(const struct metric *m, const char *const *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(m->values[i], values[i]) != 0)
			return false;
	return true;
}

static void
cell_free(struct metric *m)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		free(m->values[i]);
	free(m);
}

static struct metric *
cell_new(enum metric_id id, const char *const *values, size_t n)
{
	size_t size =
	    (sizeof(struct metric) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct metric *m = aligned_alloc(CACHE_LINE, size);

	if (m == NULL)
		return NULL;
	memset(m, 0, size);
	m->id = id;
	for (size_t i = 0; i < n; i++) {
		m->values[i] = str_dup(str_of(values[i]));
		if (m->values[i] == NULL) {
			cell_free(m);
			return NULL;
		}
	}
	return m;
}

static struct metric *
family_find(const struct family *f, const char *const *values, size_t n)
{
	struct metric *m = f->first;

	while (m != NULL && !has_values(m, values, n))
		m = m->next;
	return m;
}

static struct metric *
family_add(enum metric_id id, const char *const *values, size_t n)
{
	struct family *f = &registry.families[id];
	struct metric *m = cell_new(id, values, n);

	if (m == NULL)
		return &nowhere;
	if (f->last == NULL)
		f->first = m;
	else
		f->last->next = m;
	f->last = m;
	f->count++;
	return m;
}

struct metric *
metric_cell(enum metric_id id, const char *const *values)
{
	static const char *const other[METRIC_LABELS_MAX] = { "other", "other",
		"other", "other" };
	struct family *f = &registry.families[id];
	size_t n = label_count(id);
	struct metric *m;

	check(n == 0 || values != NULL);
	(void)pthread_mutex_lock(&registry.lock);
	m = family_find(f, values, n);
	if (m == NULL && f->count + 1 >= METRIC_CELLS_MAX) {
		values = other;
		m = family_find(f, values, n);
	}
	if (m == NULL)
		m = family_add(id, values, n);
	(void)pthread_mutex_unlock(&registry.lock);
	return m;
}

struct metric *
metric_get(enum metric_id id)
{
	check(label_count(id) == 0);
	return metric_cell(id, NULL);
}

/* Cells that others share stay. */
static bool
is_shared(const struct metric *m)
{
	return m == &nowhere || m->values[0] == NULL ||
	    strcmp(m->values[0], "other") == 0;
}

void
metric_drop(struct metric *gone)
{
	struct family *f = &registry.families[gone->id];
	struct metric *m, *before = NULL;

	if (is_shared(gone))
		return;
	(void)pthread_mutex_lock(&registry.lock);
	for (m = f->first; m != NULL && m != gone; m = m->next)
		before = m;
	check(m != NULL);
	*(before != NULL ? &before->next : &f->first) = gone->next;
	if (f->last == gone)
		f->last = before;
	f->count--;
	(void)pthread_mutex_unlock(&registry.lock);
	cell_free(gone);
}

/* ---- values ------------------------------------------------------------ */

void
metric_add(struct metric *m, int64_t n)
{
	atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void
metric_set(struct metric *m, int64_t n)
{
	atomic_store_explicit(&m->value, n, memory_order_relaxed);
}

int64_t
metric_value(const struct metric *m)
{
	return atomic_load_explicit(&m->value, memory_order_relaxed);
}

void
metric_observe(struct metric *m, uint64_t value)
{
	size_t i = 0;

	while (i < N_BOUNDS && value > bounds[i])
		i++;
	atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
	metric_add(m, (int64_t)value);
}

void
metric_count1(enum metric_id id, const char *value1, int64_t n)
{
	check(label_count(id) == 1);
	metric_add(metric_cell(id, (const char *[]){ value1 }), n);
}

void
metric_count3(enum metric_id id, const char *value1, const char *value2,
    const char *value3, int64_t n)
{
	check(label_count(id) == 3);
	metric_add(
	    metric_cell(id, (const char *[]){ value1, value2, value3 }), n);
}

/* ---- text -------------------------------------------------------------- */

void
metrics_put_scaled(struct buf *out, int64_t value, uint64_t per_unit)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	uint64_t rest = size % per_unit;

	buf_printf(out, "%s%" PRIu64, value < 0 ? "-" : "", size / per_unit);
	if (rest != 0)
		buf_addz(out, ".");
	for (; rest != 0; rest %= per_unit) {
		per_unit /= 10;
		buf_printf(out, "%" PRIu64, rest / per_unit);
	}
}

void
metrics_put_head(
    struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void
put_label_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++)
		if (*value == '\n')
			buf_addz(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(out, "\\%c", *value);
		else
			buf_add(out, value, 1);
}

/* {a="1",b="2"}, and le="BOUND" as the last unless bound is NULL. */
static void
put_labels(struct buf *out, const struct metric *m, const uint64_t *bound)
{
	struct str rest = str_of(rows[m->id].labels);
	const char *before = "{";
	struct str name;

	for (size_t i = 0; rest.n > 0 && str_cut(&rest, ',', &name); i++) {
		buf_printf(out, "%s%.*s=\"", before, STR_ARG(name));
		put_label_value(out, m->values[i]);
		buf_addz(out, "\"");
		before = ",";
	}
	if (bound != NULL) {
		buf_printf(out, "%sle=\"", before);
		if (*bound == UINT64_MAX)
			buf_addz(out, "+Inf");
		else
			metrics_put_scaled(
			    out, (int64_t)*bound, rows[m->id].per_unit);
		buf_addz(out, "\"");
		before = ",";
	}
	if (*before == ',')
		buf_addz(out, "}");
}

static void
put_value(struct buf *out, const struct metric *m, const char *suffix)
{
	buf_printf(out, "%s%s", rows[m->id].name, suffix);
	put_labels(out, m, NULL);
	buf_addz(out, " ");
	metrics_put_scaled(out, metric_value(m), rows[m->id].per_unit);
	buf_addz(out, "\n");
}

/* Buckets are kept apart and shown added up. */
static void
put_histogram(struct buf *out, const struct metric *m)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= N_BOUNDS; i++) {
		uint64_t bound = i < N_BOUNDS ? bounds[i] : UINT64_MAX;

		count +=
		    atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket", rows[m->id].name);
		put_labels(out, m, &bound);
		buf_printf(out, " %" PRIu64 "\n", count);
	}
	put_value(out, m, "_sum");
	buf_printf(out, "%s_count", rows[m->id].name);
	put_labels(out, m, NULL);
	buf_printf(out, " %" PRIu64 "\n", count);
}

static void
put_family(struct buf *out, enum metric_id id)
{
	const struct metric *m = registry.families[id].first;

	if (m == NULL)
		return;
	metrics_put_head(
	    out, rows[id].name, kinds[rows[id].kind], rows[id].help);
	for (; m != NULL; m = m->next)
		if (rows[id].kind == HISTOGRAM)
			put_histogram(out, m);
		else
			put_value(out, m, "");
}

void
metrics_on_scrape(void (*fn)(void *arg), void *arg)
{
	(void)pthread_mutex_lock(&registry.lock);
	check(registry.n_scrapers < SCRAPERS_MAX);
	registry.scrapers[registry.n_scrapers].fn = fn;
	registry.scrapers[registry.n_scrapers].arg = arg;
	registry.n_scrapers++;
	(void)pthread_mutex_unlock(&registry.lock);
}

static void
call_scrapers(void)
{
	size_t n;

	(void)pthread_mutex_lock(&registry.lock);
	n = registry.n_scrapers;
	(void)pthread_mutex_unlock(&registry.lock);
	for (size_t i = 0; i < n; i++) /* those there are do not change */
		registry.scrapers[i].fn(registry.scrapers[i].arg);
	metric_set(metric_get(M_log_dropped_total), (int64_t)log_dropped());
}

void
metrics_render(struct buf *out)
{
	call_scrapers();
	for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
		(void)pthread_mutex_lock(&registry.lock);
		put_family(out, id);
		(void)pthread_mutex_unlock(&registry.lock);
	}
	metrics_put_process(out);
}

/* ---- birth and death --------------------------------------------------- */

void
metrics_init(void)
{
	for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
		check(
		    rows[id].kind != HISTOGRAM || rows[id].per_unit == 1000000);
		if (label_count(id) == 0)
			(void)metric_get(id);
	}
}

void
metrics_done(void)
{
	(void)pthread_mutex_lock(&registry.lock);
	for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
		struct metric *m = registry.families[id].first, *next;

		for (; m != NULL; m = next) {
			next = m->next;
			cell_free(m);
		}
		registry.families[id] = (struct family){ 0 };
	}
	registry.n_scrapers = 0;
	(void)pthread_mutex_unlock(&registry.lock);
}
