/*
 * status_page.c - status as people like it: one screen, units, a table.
 *
 * The columns of the table are measured in a first walk over the endpoints
 * and printed in a second.  Fields that a server does not send count as zero.
 */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cli_int.h"
#include "common/buf.h"
#include "common/str.h"

#define CELL_MAX 160
#define TEXT_MAX 48
#define ERROR_MAX 100

enum column {
	C_UPSTREAM,
	C_ENDPOINT,
	C_LINK,
	C_STATE,
	C_LAST_OK,
	C_NOTE,
	COLUMNS
};

static const char *const headings[COLUMNS] = {
	[C_UPSTREAM] = "UPSTREAM",
	[C_ENDPOINT] = "ENDPOINT",
	[C_LINK] = "LINK",
	[C_STATE] = "STATE",
	[C_LAST_OK] = "LAST OK",
	[C_NOTE] = "NOTE",
};

struct row {
	char cells[COLUMNS][CELL_MAX];
};

/* ---- fields of the answers ---------------------------------------------- */

static double
number(const json_t *value, const char *path)
{
	return json_number_value(answer_get(value, path));
}

/* Wall seconds of an RFC 3339 text as we write them; 0 when there is none. */
static int64_t
when(const json_t *value, const char *path)
{
	struct tm tm = { .tm_isdst = 0 };

	if (strptime(answer_text(value, path, ""), "%Y-%m-%dT%H:%M:%S", &tm) ==
	    NULL)
		return 0;
	return timegm(&tm);
}

/* ---- the head of the page ----------------------------------------------- */

static void
print_mirror(FILE *to, const json_t *status)
{
	char region[SHOWN_MAX], version[SHOWN_MAX], commit[SHOWN_MAX];
	char up[AMOUNT_TEXT_MAX];
	const char *state = json_is_true(answer_get(status, "ready")) ? "ready"
	    : json_is_true(answer_get(status, "draining")) ? "draining"
							   : "not ready";

	fprintf(to, "railhead %s: %s, up %s, version %s (%s)\n\n",
	    answer_show(status, "region", "-", region), state,
	    amount_duration((int64_t)number(status, "uptime_s"), up),
	    answer_show(status, "version", "-", version),
	    answer_show(status, "commit", "-", commit));
}

static void
print_store(FILE *to, const json_t *status)
{
	char used[AMOUNT_TEXT_MAX], capacity[AMOUNT_TEXT_MAX];
	char draft[AMOUNT_TEXT_MAX], free_bytes[AMOUNT_TEXT_MAX];
	char path[SHOWN_MAX];
	double most = number(status, "store.capacity_bytes");
	double share =
	    number(status, "store.used_bytes") / (most > 0 ? most : 1);

	fprintf(to,
	    "%-12s %s of %s (%.0f %%), %.0f objects, drafts %s, %s free\n"
	    "%-12s %s\n",
	    "store", answer_bytes(status, "store.used_bytes", used),
	    answer_bytes(status, "store.capacity_bytes", capacity), share * 100,
	    number(status, "store.objects"),
	    answer_bytes(status, "store.draft_bytes", draft),
	    answer_bytes(status, "store.free_bytes", free_bytes), "",
	    answer_show(status, "store.path", "-", path));
}

static void
print_traffic(FILE *to, const json_t *status)
{
	const char *separator = "";
	char name[TEXT_MAX];
	const char *result;
	json_t *count;

	fprintf(
	    to, "%-12s %.0f\n", "connections", number(status, "connections"));
	fprintf(to, "%-12s %.0f running, %.0f readers\n", "fills",
	    number(status, "fills.running"), number(status, "fills.readers"));
	fprintf(to, "%-12s ", "requests");
	json_object_foreach(
	    (json_t *)answer_get(status, "requests"), result, count)
	{
		fprintf(to, "%s%s %.0f", separator,
		    str_printable(str_of(result), name, sizeof(name)),
		    json_number_value(count));
		separator = ", ";
	}
	fprintf(to, "\n");
}

static void
print_ratio(FILE *to, const json_t *status)
{
	static const char *const by[] = { "requests", "bytes" };

	fprintf(
	    to, "\n%-12s %8s %8s %8s\n", "hit ratio", "5 min", "15 min", "1 h");
	for (size_t i = 0; i < 2; i++) {
		const json_t *ratio =
		    answer_get(answer_get(status, "hit_ratio"), by[i]);

		fprintf(to, "  %-10s %7.2f%% %7.2f%% %7.2f%%\n", by[i],
		    number(ratio, "5m") * 100, number(ratio, "15m") * 100,
		    number(ratio, "1h") * 100);
	}
}

/* ---- the table of upstreams --------------------------------------------- */

static void
set_cell(struct row *row, enum column c, const char *value)
{
	(void)str_printable(str_of(value), row->cells[c], CELL_MAX);
}

/* What is out of the ordinary, separated by "; ". */
static void
set_note(struct row *row, const json_t *endpoint)
{
	const char *breaker = answer_text(endpoint, "breaker", "closed");
	const char *error = answer_text(endpoint, "last_error", NULL);
	const json_t *left = answer_get(endpoint, "ratelimit_remaining");
	struct buf note;

	buf_init(&note, CELL_MAX);
	if (strcmp(breaker, "closed") != 0)
		buf_printf(&note, "; breaker %s", breaker);
	if (json_is_true(answer_get(endpoint, "distrusted")))
		buf_addz(&note, "; sent wrong bytes");
	if (json_is_integer(left))
		buf_printf(&note, "; %lld requests left",
		    (long long)json_integer_value(left));
	if (error != NULL && !json_is_true(answer_get(endpoint, "up")))
		buf_printf(&note, "; %.*s", ERROR_MAX, error);
	(void)str_printable(str_from(buf_str(&note), note.n > 0 ? 2 : 0),
	    row->cells[C_NOTE], CELL_MAX);
	buf_done(&note);
}

static void
set_row(struct row *row, const json_t *upstream, size_t i, int64_t now_s)
{
	const json_t *endpoint =
	    json_array_get(answer_get(upstream, "endpoints"), i);
	int64_t ok_at = when(endpoint, "last_ok_at");
	char ago[AMOUNT_TEXT_MAX];

	set_cell(
	    row, C_UPSTREAM, i == 0 ? answer_text(upstream, "name", "-") : "");
	set_cell(row, C_ENDPOINT, answer_text(endpoint, "name", "-"));
	set_cell(row, C_LINK, answer_text(endpoint, "link", "-"));
	set_cell(row, C_STATE, answer_text(endpoint, "state", "-"));
	set_cell(row, C_LAST_OK,
	    ok_at > 0 ? amount_duration(now_s - ok_at, ago) : "-");
	set_note(row, endpoint);
}

static void
measure_row(const struct row *row, int widths[COLUMNS])
{
	for (int c = 0; c < COLUMNS; c++) {
		int n = (int)strlen(row->cells[c]);

		if (n > widths[c])
			widths[c] = n;
	}
}

static void
print_row(FILE *to, const struct row *row, const int widths[COLUMNS])
{
	char line[COLUMNS * (CELL_MAX + 2)];
	int n = 0;

	for (int c = 0; c < COLUMNS; c++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%-*s  ",
		    widths[c], row->cells[c]);
	while (n > 0 && line[n - 1] == ' ')
		n--;
	fprintf(to, "%.*s\n", n, line);
}

/* Prints the endpoints when TO is given, measures them else. */
static void
walk_endpoints(
    FILE *to, const json_t *upstreams, int64_t now_s, int widths[COLUMNS])
{
	for (size_t u = 0; u < json_array_size(upstreams); u++) {
		const json_t *upstream = json_array_get(upstreams, u);
		size_t n = json_array_size(answer_get(upstream, "endpoints"));

		for (size_t i = 0; i < n; i++) {
			struct row row;

			set_row(&row, upstream, i, now_s);
			if (to != NULL)
				print_row(to, &row, widths);
			else
				measure_row(&row, widths);
		}
	}
}

static void
print_upstreams(FILE *to, const json_t *upstreams, int64_t now_s)
{
	int widths[COLUMNS] = { 0 };
	struct row head;

	for (int c = 0; c < COLUMNS; c++)
		set_cell(&head, (enum column)c, headings[c]);
	measure_row(&head, widths);
	walk_endpoints(NULL, upstreams, now_s, widths);
	print_row(to, &head, widths);
	walk_endpoints(to, upstreams, now_s, widths);
}

void
status_page(
    FILE *to, const json_t *status, const json_t *upstreams, int64_t now_s)
{
	print_mirror(to, status);
	print_store(to, status);
	print_traffic(to, status);
	print_ratio(to, status);
	fprintf(to, "\n%-12s %.0f up, %.0f down\n\n", "upstreams",
	    number(status, "upstreams.up"), number(status, "upstreams.down"));
	print_upstreams(to, upstreams, now_s);
}
