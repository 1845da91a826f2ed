/*
 * test_metrics.c - cells, sums, and the text that Prometheus reads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/metrics.h"

static int
setup(void **state)
{
	(void)state;
	metrics_init();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	metrics_done();
	return 0;
}

/* The whole text, to be freed. */
static char *
render(void)
{
	struct buf b;
	char *text;

	buf_init(&b, 16u << 20);
	metrics_render(&b);
	text = buf_take(&b);
	assert_non_null(text);
	return text;
}

/* LINE is in the text, from a line's start to its end. */
static void
assert_line(const char *text, const char *line)
{
	char *framed = malloc(strlen(line) + 3);

	(void)snprintf(framed, strlen(line) + 3, "\n%s\n", line);
	if (strstr(text, framed) == NULL)
		fail_msg("not in the text: %s", line);
	free(framed);
}

static size_t
count_of(const char *text, const char *piece)
{
	size_t n = 0;

	while ((text = strstr(text, piece)) != NULL) {
		text += strlen(piece);
		n++;
	}
	return n;
}

static struct metric *
link_cell(const char *link, const char *class)
{
	return metric_cell(M_link_bytes_total, (const char *[]){ link, class });
}

static void
one_cell_per_combination(void **state)
{
	struct metric *a = link_cell("lte", "pull");
	char values[2][8] = { "lte", "pull" };

	(void)state;
	assert_ptr_equal(link_cell(values[0], values[1]), a);
	assert_ptr_not_equal(link_cell("pull", "lte"), a);
	assert_ptr_not_equal(link_cell("lte", ""), a);
	memcpy(values[0], "xxx", 3); /* the cell has its own copy */
	assert_ptr_equal(link_cell("lte", "pull"), a);
	assert_ptr_equal(metric_get(M_fills), metric_get(M_fills));
	assert_int_equal((uintptr_t)a % 64, 0);
}

static void
values(void **state)
{
	struct metric *m = metric_get(M_fills);

	(void)state;
	metric_add(m, 5);
	metric_add(m, -7);
	assert_int_equal(metric_value(m), -2);
	metric_set(m, 42);
	assert_int_equal(metric_value(m), 42);
	metric_count1(M_fill_broken_total, "stalled", 2);
	metric_count1(M_fill_broken_total, "stalled", 3);
	metric_count3(M_upstream_errors_total, "docker.io", "e", "dns", 1);
	assert_int_equal(metric_value(metric_cell(M_fill_broken_total,
			     (const char *[]){ "stalled" })),
	    5);
}

static void
text_of_values(void **state)
{
	static const char *const ratio[] = { "bytes", "5m" };
	char *text;

	(void)state;
	metric_add(link_cell("a\\b\"c\nd", "\xc3\xa4"), 7);
	metric_add(link_cell("max", "pull"), INT64_MAX);
	metric_set(metric_get(M_fills), INT64_MIN);
	metric_set(metric_cell(M_hit_ratio, ratio), 981500);
	text = render();
	assert_line(text,
	    "railhead_link_bytes_total{link=\"a\\\\b\\\"c\\nd\","
	    "class=\"\xc3\xa4\"} 7");
	assert_line(text,
	    "railhead_link_bytes_total{link=\"max\",class=\"pull\"} "
	    "9223372036854775807");
	assert_line(text, "railhead_fills -9223372036854775808");
	assert_line(text,
	    "railhead_hit_ratio{by=\"bytes\",window=\"5m\"} "
	    "0.9815");
	assert_line(text, "# TYPE railhead_fills gauge");
	assert_line(text, "# TYPE railhead_link_bytes_total counter");
	assert_line(text, "# HELP railhead_fills Fills running now.");
	free(text);

	metric_set(metric_cell(M_hit_ratio, ratio), -1);
	text = render();
	assert_line(text,
	    "railhead_hit_ratio{by=\"bytes\",window=\"5m\"} "
	    "-0.000001");
	free(text);
	metric_set(metric_cell(M_hit_ratio, ratio), 1000000);
	text = render();
	assert_line(text, "railhead_hit_ratio{by=\"bytes\",window=\"5m\"} 1");
	free(text);
}

/* Rows without labels show from the start; others when they have a cell. */
static void
families_that_show(void **state)
{
	char *text = render();

	(void)state;
	assert_line(text, "railhead_connections_total 0");
	assert_line(text, "railhead_fill_seconds_count 0");
	assert_null(strstr(text, "railhead_link_bytes_total"));
	free(text);
	(void)link_cell("lte", "pull");
	(void)link_cell("lte", "prewarm");
	text = render();
	assert_int_equal(
	    count_of(text, "# TYPE railhead_link_bytes_total "), 1);
	assert_int_equal(count_of(text, "\nrailhead_link_bytes_total{"), 2);
	free(text);
}

static void
histograms(void **state)
{
	static const char *const of[] = { "blob", "hit" };
	struct metric *m = metric_cell(M_first_byte_seconds, of);
	char *text;

	(void)state;
#define BUCKET(le, n)                                                          \
	assert_line(text,                                                      \
	    "railhead_first_byte_seconds_bucket{kind=\"blob\","                \
	    "result=\"hit\",le=\"" le "\"} " #n)
	metric_observe(m, 0);
	metric_observe(m, 1000);     /* a bound is inside its bucket */
	metric_observe(m, 1001);     /* and a microsecond more is not */
	metric_observe(m, 60000000); /* the last bound */
	metric_observe(m, 60000001);
	text = render();
	BUCKET("0.001", 2);
	BUCKET("0.0025", 3);
	BUCKET("0.005", 3);
	BUCKET("0.01", 3);
	BUCKET("0.025", 3);
	BUCKET("0.05", 3);
	BUCKET("0.1", 3);
	BUCKET("0.25", 3);
	BUCKET("0.5", 3);
	BUCKET("1", 3);
	BUCKET("2.5", 3);
	BUCKET("5", 3);
	BUCKET("10", 3);
	BUCKET("30", 3);
	BUCKET("60", 4);
	BUCKET("+Inf", 5);
	assert_line(text,
	    "railhead_first_byte_seconds_sum{kind=\"blob\","
	    "result=\"hit\"} 120.002002");
	assert_line(text,
	    "railhead_first_byte_seconds_count{kind=\"blob\","
	    "result=\"hit\"} 5");
	free(text);
	metric_observe(metric_get(M_fill_seconds), 1);
	text = render();
	assert_line(text, "railhead_fill_seconds_bucket{le=\"0.001\"} 1");
	assert_line(text, "railhead_fill_seconds_sum 0.000001");
	free(text);
}

/* A family is bounded, whatever names it is asked for. */
static void
too_many_cells(void **state)
{
	struct metric *last = NULL;
	char *text;

	(void)state;
	for (int i = 0; i < 3 * METRIC_CELLS_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		last = link_cell(name, "pull");
		metric_add(last, 1);
	}
	assert_int_equal(metric_value(last), 2 * METRIC_CELLS_MAX + 1);
	assert_ptr_equal(link_cell("other", "other"), last);
	assert_int_equal(metric_value(link_cell("n0", "pull")), 1);
	text = render();
	assert_int_equal(
	    count_of(text, "\nrailhead_link_bytes_total{"), METRIC_CELLS_MAX);
	free(text);
}

static void
set_lag(const char *release, int64_t lag)
{
	metric_set(
	    metric_cell(M_release_lag_seconds, (const char *[]){ release }),
	    lag);
}

static void
drop_lag(const char *release)
{
	metric_drop(
	    metric_cell(M_release_lag_seconds, (const char *[]){ release }));
}

/* What a cell was about is gone: the first, the last, one between; and one of
 * the same labels begins at 0 again. */
static void
dropped_cells(void **state)
{
	char *text;

	(void)state;
	set_lag("a", 1);
	set_lag("b", 2);
	set_lag("c", 3);
	drop_lag("b");
	drop_lag("a");
	text = render();
	assert_line(text, "railhead_release_lag_seconds{release=\"c\"} 3");
	assert_null(strstr(text, "release=\"a\""));
	assert_null(strstr(text, "release=\"b\""));
	free(text);
	drop_lag("c");
	text = render();
	assert_null(strstr(text, "release_lag_seconds"));
	free(text);
	set_lag("c", 0);
	text = render();
	assert_line(text, "railhead_release_lag_seconds{release=\"c\"} 0");
	free(text);
}

/* The one that all share who found no room stays. */
static void
dropped_when_shared(void **state)
{
	char name[16];

	(void)state;
	for (unsigned i = 0; i < METRIC_CELLS_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "r%u", i);
		set_lag(name, i);
	}
	drop_lag("beyond");
	set_lag("beyond", 5);
}

static void
count_scrape(void *arg)
{
	++*(int *)arg;
	metric_set(metric_get(M_store_objects), 77);
}

static void
scrapers(void **state)
{
	int first = 0, second = 0;
	char *text;

	(void)state;
	metrics_on_scrape(count_scrape, &first);
	metrics_on_scrape(count_scrape, &second);
	text = render();
	assert_int_equal(first, 1);
	assert_int_equal(second, 1);
	assert_line(text, "railhead_store_objects 77");
	free(text);
}

#define N_THREADS 4
#define N_ADDS 20000

static void *
add_many(void *arg)
{
	struct metric *mine = NULL;

	(void)arg;
	for (int i = 0; i < N_ADDS; i++) {
		if (i % 100 == 0)
			mine = link_cell("lte", "pull");
		metric_add(mine, 1);
		metric_observe(metric_get(M_fill_seconds), 10);
	}
	return NULL;
}

static void
many_threads(void **state)
{
	pthread_t threads[N_THREADS];
	char *text;

	(void)state;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, add_many, NULL), 0);
	free(render());
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(
	    metric_value(link_cell("lte", "pull")), N_THREADS * N_ADDS);
	text = render();
	assert_line(text, "railhead_fill_seconds_count 80000");
	assert_line(text, "railhead_fill_seconds_sum 0.8");
	free(text);
}

static double
number(const char *text, const char *name)
{
	char framed[64];
	const char *at;

	(void)snprintf(framed, sizeof(framed), "\n%s ", name);
	at = strstr(text, framed);
	assert_non_null(at);
	return strtod(at + strlen(framed), NULL);
}

static void
the_process(void **state)
{
	double fds, start, now = (double)clock_wall_s();
	int ends[2];
	char *text = render();

	(void)state;
	fds = number(text, "process_open_fds");
	start = number(text, "process_start_time_seconds");
	assert_true(start > now - 600 && start < now + 2);
	assert_true(number(text, "process_cpu_seconds_total") > 0);
	assert_true(number(text, "process_max_fds") >= fds);
	assert_true(number(text, "process_resident_memory_bytes") > 100000);
	assert_true(number(text, "process_virtual_memory_bytes") >
	    number(text, "process_resident_memory_bytes"));
	assert_true(number(text, "process_anonymous_memory_bytes") > 10000);
	assert_true(number(text, "process_anonymous_memory_bytes") <=
	    number(text, "process_resident_memory_bytes") + 1e7);
	free(text);
	assert_int_equal(pipe(ends), 0);
	text = render();
	assert_true(number(text, "process_open_fds") == fds + 2);
	assert_true(number(text, "process_start_time_seconds") == start);
	free(text);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Every row of the table, as Prometheus' own tool judges it. */
static void
promtool_agrees(void **state)
{
	static const char *const v[METRIC_LABELS_MAX] = { "a\"", "b\\", "c\n",
		"\xc3\xa4" };
	char *text;
	FILE *tool;

	(void)state;
	if (access("/usr/bin/promtool", X_OK) != 0)
		skip();
	for (enum metric_id id = 0; id < METRIC_COUNT; id++)
		metric_add(metric_cell(id, v), 1);
	text = render();
	tool = popen("/usr/bin/promtool check metrics >&2", "w");
	assert_non_null(tool);
	assert_true(fputs(text, tool) >= 0);
	assert_int_equal(pclose(tool), 0);
	free(text);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_cell_per_combination),
		TEST(values),
		TEST(text_of_values),
		TEST(families_that_show),
		TEST(histograms),
		TEST(too_many_cells),
		TEST(dropped_cells),
		TEST(dropped_when_shared),
		TEST(scrapers),
		TEST(many_threads),
		TEST(the_process),
		TEST(promtool_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
