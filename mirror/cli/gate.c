/*
 * gate.c - railhead gate NAME: may the next ring open, at each of many
 * mirrors?
 *
 * Every mirror is asked by a thread of its own, so that one that does not
 * answer holds up none.  With --wait all are asked again until all are open;
 * what changes meanwhile is told on stderr.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/units.h"
#include "common/uri.h"

#define ASK_AGAIN_MS 2000
#define VERIFY_PATIENCE_MS (60L * 60 * 1000)

struct gate_options {
	struct client_spec client;
	const char *config;
	const char *name;
	struct option_list mirrors;
	const char *wait;
	const char *max_lag, *min_hit_ratio, *min_requests, *max_error_ratio;
	bool require_ratio;
	bool verifies;
	bool as_json;
};

enum verdict {
	VERDICT_OPEN,
	VERDICT_CLOSED,
	VERDICT_UNREACHABLE,
	VERDICT_NONE
};

/* One mirror; its thread's alone while that runs. */
struct gate_row {
	struct client_spec client;
	const char *path; /* borrowed */
	bool verifies;
	pthread_t thread;
	bool has_thread;
	enum verdict verdict;
	json_t *answer; /* owned; NULL: there is none, see err */
	struct err err;
};

/* ---- asking ------------------------------------------------------------- */

static enum verdict
verdict_of(const struct gate_row *r)
{
	if (r->answer != NULL)
		return json_is_true(json_object_get(r->answer, "open"))
		    ? VERDICT_OPEN
		    : VERDICT_CLOSED;
	if (r->err.code == ERR_UPSTREAM_DOWN || r->err.code == ERR_NO_MEMORY)
		return VERDICT_UNREACHABLE;
	return r->err.code == ERR_NOT_FOUND ? VERDICT_CLOSED : VERDICT_NONE;
}

static void *
ask(void *arg)
{
	struct gate_row *r = arg;
	struct client *c = client_new(&r->client, &r->err);

	if (c != NULL && r->verifies)
		client_set_patience(c, VERIFY_PATIENCE_MS);
	if (c != NULL)
		r->answer = client_get(c, r->path, &r->err);
	client_free(c);
	return NULL;
}

static void
ask_all(struct gate_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_decref(rows[i].answer);
		rows[i].answer = NULL;
		rows[i].has_thread =
		    pthread_create(&rows[i].thread, NULL, ask, &rows[i]) == 0;
		if (!rows[i].has_thread)
			(void)ask(&rows[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (rows[i].has_thread)
			(void)pthread_join(rows[i].thread, NULL);
}

/* ---- telling ------------------------------------------------------------ */

static const char *const verdict_names[] = { "open", "closed", "unreachable",
	"not asked" };

/* Its first reason, or what went wrong. */
static const char *
why_of(const struct gate_row *r, size_t i, char shown[ERR_TEXT_MAX])
{
	const json_t *reason =
	    json_array_get(json_object_get(r->answer, "reasons"), i);
	const char *text = json_string_value(json_object_get(reason, "text"));

	if (r->answer == NULL)
		return i == 0 ? r->err.text : NULL;
	if (text == NULL)
		return NULL;
	return str_printable(str_of(text), shown, ERR_TEXT_MAX);
}

static const char *
code_of(const struct gate_row *r, size_t i, char shown[SHOWN_MAX])
{
	const json_t *reason =
	    json_array_get(json_object_get(r->answer, "reasons"), i);

	return answer_show(reason, "code", "", shown);
}

static void
print_row(const struct gate_row *r, int width)
{
	char shown[ERR_TEXT_MAX], code[SHOWN_MAX];
	const char *why;

	printf("%-*s  %-11s", width, r->client.url, verdict_names[r->verdict]);
	for (size_t i = 0; (why = why_of(r, i, shown)) != NULL; i++) {
		(void)code_of(r, i, code);
		printf("%s%*s%s%s%s", i > 0 ? "\n" : "", i > 0 ? width + 15 : 2,
		    "", code, code[0] != '\0' ? ": " : "", why);
	}
	printf("\n");
}

static void
print_table(const struct gate_row *rows, size_t n)
{
	int width = 6;

	for (size_t i = 0; i < n; i++)
		if ((int)strlen(rows[i].client.url) > width)
			width = (int)strlen(rows[i].client.url);
	printf("%-*s  %-11s  %s\n", width, "MIRROR", "GATE", "WHY");
	for (size_t i = 0; i < n; i++)
		print_row(&rows[i], width);
}

static void
print_rows_json(const struct gate_row *rows, size_t n, int status)
{
	json_t *all = json_array(), *row;

	for (size_t i = 0; i < n; i++) {
		row = json_pack("{s:s, s:s, s:O?, s:s?}", "mirror",
		    rows[i].client.url, "verdict",
		    verdict_names[rows[i].verdict], "gate", rows[i].answer,
		    "error", rows[i].answer == NULL ? rows[i].err.text : NULL);
		(void)json_array_append_new(all, row);
	}
	row =
	    json_pack("{s:b, s:o}", "open", status == EXIT_YES, "mirrors", all);
	client_print(row);
	json_decref(row);
}

/* One line for whoever waits, when an answer is another than before. */
static void
tell_change(const struct gate_row *r, enum verdict before)
{
	char shown[ERR_TEXT_MAX];
	const char *why = why_of(r, 0, shown);

	if (r->verdict != before)
		fprintf(stderr, "%s: %s%s%s\n", r->client.url,
		    verdict_names[r->verdict], why != NULL ? ": " : "",
		    why != NULL ? why : "");
}

/* ---- all of it ---------------------------------------------------------- */

/* What to exit with: a no is worse than no answer. */
static int
status_of(const struct gate_row *rows, size_t n)
{
	bool has[VERDICT_NONE + 1] = { false };

	for (size_t i = 0; i < n; i++)
		has[rows[i].verdict] = true;
	if (has[VERDICT_NONE])
		return EXIT_USAGE;
	if (has[VERDICT_CLOSED])
		return EXIT_NO;
	return has[VERDICT_UNREACHABLE] ? EXIT_UNREACHABLE : EXIT_YES;
}

static int
ask_until(struct gate_row *rows, size_t n, uint64_t wait_ms)
{
	uint64_t end_ms = clock_mono_ms() + wait_ms, now_ms;
	enum verdict before;
	int status;

	for (;;) {
		ask_all(rows, n);
		for (size_t i = 0; i < n; i++) {
			before = rows[i].verdict;
			rows[i].verdict = verdict_of(&rows[i]);
			if (wait_ms > 0)
				tell_change(&rows[i], before);
		}
		status = status_of(rows, n);
		now_ms = clock_mono_ms();
		if (status == EXIT_YES || status == EXIT_USAGE ||
		    now_ms >= end_ms)
			return status;
		(void)poll(NULL, 0,
		    end_ms - now_ms < ASK_AGAIN_MS ? (int)(end_ms - now_ms)
						   : ASK_AGAIN_MS);
	}
}

static void
add(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(b, "&%s=", key);
	uri_encode(b, str_of(value), "");
}

static int
gate_path(
    const struct gate_options *o, char path[RELEASE_PATH_MAX], struct err *err)
{
	struct buf tail;
	int rc = -1;

	buf_init(&tail, RELEASE_PATH_MAX);
	buf_addz(&tail, "/gate?");
	add(&tail, "max_lag", o->max_lag);
	add(&tail, "min_hit_ratio", o->min_hit_ratio);
	add(&tail, "min_requests", o->min_requests);
	add(&tail, "max_error_ratio", o->max_error_ratio);
	add(&tail, "require_ratio", o->require_ratio ? "true" : NULL);
	add(&tail, "verify", o->verifies ? "true" : NULL);
	buf_add(&tail, "", 1);
	if (!tail.overflow)
		rc = release_path(o->name, tail.p, path);
	buf_done(&tail);
	if (rc == 0)
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "the name is too long");
}

/* The mirrors named, else the one that the configuration names. */
static size_t
fill_rows(struct gate_options *o, const char *path, struct gate_row *rows)
{
	size_t n = o->mirrors.n > 0 ? o->mirrors.n : 1;

	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct gate_row){ .client = o->client,
			.path = path,
			.verifies = o->verifies,
			.verdict = VERDICT_NONE };
		if (o->mirrors.n > 0)
			rows[i].client.url = o->mirrors.values[i];
	}
	return n;
}

static int
run_gate(struct gate_options *o, uint64_t wait_ms)
{
	struct gate_row *rows = calloc(OPTION_LIST_MAX, sizeof(*rows));
	char url[ADMIN_URL_MAX], path[RELEASE_PATH_MAX];
	struct err err;
	int status;
	size_t n;

	if (rows == NULL)
		return cli_fail(EXIT_USAGE, "gate", "no memory");
	if (gate_path(o, path, &err) != 0 ||
	    (o->mirrors.n == 0 &&
		client_find_admin(&o->client, o->config, url, &err) != 0)) {
		free(rows);
		return cli_fail(EXIT_USAGE, "gate", err.text);
	}
	n = fill_rows(o, path, rows);
	client_library_start();
	status = ask_until(rows, n, wait_ms);
	if (o->as_json)
		print_rows_json(rows, n, status);
	else
		print_table(rows, n);
	for (size_t i = 0; i < n; i++)
		json_decref(rows[i].answer);
	free(rows);
	return status;
}

int
cli_gate(int argc, char **argv)
{
	struct gate_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "mirror",          OPTION_LIST, &o.mirrors,         "URL",      "a mirror's control plane; may be given many times" },
		{ "wait",            OPTION_TEXT, &o.wait,            "DURATION", "ask again for so long, until all are open: 90s, 2h" },
		{ "max-lag",         OPTION_TEXT, &o.max_lag,         "DURATION", "at most so far behind; as the next three, it only tightens" },
		{ "min-hit-ratio",   OPTION_TEXT, &o.min_hit_ratio,   "RATIO",    "of the release's own digests: 0.99" },
		{ "min-requests",    OPTION_TEXT, &o.min_requests,    "N",        "below so many requests the ratio is skipped" },
		{ "max-error-ratio", OPTION_TEXT, &o.max_error_ratio, "RATIO",    "of requests to upstreams" },
		{ "require-ratio",   OPTION_FLAG, &o.require_ratio,   NULL,       "too few requests for a ratio close the gate" },
		{ "verify",          OPTION_FLAG, &o.verifies,        NULL,       "read and hash all of the release first (role release)" },
		CLIENT_OPTIONS(o.client, o.config, o.as_json),
	};
	/* clang-format on */
	const struct option_table table = { "gate",
		"May the next ring open?  Asks every mirror, and says why not. "
		" Exit status: 0 all\nare open, 1 one is closed, 2 wrong use, "
		"3 one can't be reached and none is closed.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	uint64_t wait_ms = 0;
	int status;

	if (!cli_options_and(&table, "NAME", &o.name, argc, argv, &status))
		return status;
	if (o.wait != NULL && !units_duration(str_of(o.wait), &wait_ms))
		return cli_fail(
		    EXIT_USAGE, "gate", "--wait is a duration like 90s or 2h");
	return run_gate(&o, wait_ms);
}
