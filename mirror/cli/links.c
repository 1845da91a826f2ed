/*
 * links.c - railhead links: what the links carry, and a word on one of them.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/str.h"
#include "common/uri.h"

#define PATH_MAX_BYTES 512
#define CELL_MAX 64

enum { UP_UNSAID, UP_YES, UP_NO };

struct links_options {
	struct client_spec client;
	const char *config;
	const char *link;
	const char *rate;
	const char *prewarm;
	int up;
	bool as_json;
};

/* ---- for people --------------------------------------------------------- */

static const char *
scaled(double n, double step, const char *const *units, char out[CELL_MAX])
{
	while (n >= step && units[1] != NULL) {
		n /= step;
		units++;
	}
	(void)snprintf(out, CELL_MAX, "%.3g %s", n, *units);
	return out;
}

static const char *
bytes_text(const json_t *value, char out[CELL_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
		NULL };

	return scaled(json_number_value(value), 1024, units, out);
}

/* Of bytes per second, in bits, as the configuration has it. */
static const char *
rate_text(const json_t *value, const char *none, char out[CELL_MAX])
{
	static const char *const units[] = { "bit", "kbit", "Mbit", "Gbit",
		NULL };

	if (json_is_null(value)) {
		(void)snprintf(out, CELL_MAX, "%s", none);
		return out;
	}
	return scaled(json_number_value(value) * 8, 1000, units, out);
}

static const char *
text_of(const json_t *value, const char *key, char out[CELL_MAX])
{
	const char *text = json_string_value(json_object_get(value, key));

	return str_printable(str_of(text != NULL ? text : "-"), out, CELL_MAX);
}

static void
print_classes(const json_t *classes)
{
	char now[CELL_MAX], today[CELL_MAX];
	const json_t *c;

	for (enum link_class i = 0; i < CLASS_COUNT; i++) {
		c = json_object_get(classes, link_class_name(i));
		printf("  %-8s %10s now, %10s today, %lld running, %lld "
		       "waiting\n",
		    link_class_name(i),
		    rate_text(json_object_get(c, "bytes_per_second"), "-", now),
		    bytes_text(json_object_get(c, "bytes_today"), today),
		    (long long)json_integer_value(
			json_object_get(c, "transfers")),
		    (long long)json_integer_value(
			json_object_get(c, "waiting")));
	}
}

static void
print_link(const json_t *link)
{
	char name[CELL_MAX], rate[CELL_MAX], prewarm[CELL_MAX], at[CELL_MAX];
	char state[CELL_MAX];
	const json_t *quota = json_object_get(link, "quota");

	printf("%s: %s, rate %s, prewarm %s%s\n", text_of(link, "name", name),
	    text_of(link, "state", state),
	    rate_text(json_object_get(link, "rate"), "unlimited", rate),
	    json_number_value(json_object_get(link, "prewarm")) == 0 &&
		    !json_is_null(json_object_get(link, "prewarm"))
		? "off"
		: rate_text(
		      json_object_get(link, "prewarm"), "as rate", prewarm),
	    json_is_true(json_object_get(link, "changed"))
		? " (changed until reload or restart)"
		: "");
	if (json_is_string(json_object_get(link, "window_changes_at")))
		printf("  %s; that changes at %s\n",
		    json_is_true(json_object_get(link, "in_window"))
			? "in a window"
			: "in no window",
		    text_of(link, "window_changes_at", at));
	if (json_is_object(quota))
		printf("  quota: %s left of %s, resets at %s\n",
		    bytes_text(json_object_get(quota, "left"), name),
		    bytes_text(json_object_get(quota, "bytes"), rate),
		    text_of(quota, "resets_at", at));
	print_classes(json_object_get(link, "classes"));
}

static void
print_links(const json_t *links)
{
	size_t i, n = json_array_size(links);

	if (n == 0)
		printf("no links are configured\n");
	for (i = 0; i < n; i++)
		print_link(json_array_get(links, i));
}

/* ---- asking ------------------------------------------------------------- */

static json_t *
change_body(const struct links_options *o)
{
	json_t *body = json_object();

	if (o->rate != NULL)
		(void)json_object_set_new(body, "rate", json_string(o->rate));
	if (o->prewarm != NULL)
		(void)json_object_set_new(
		    body, "prewarm", json_string(o->prewarm));
	if (o->up != UP_UNSAID)
		(void)json_object_set_new(
		    body, "up", json_boolean(o->up == UP_YES));
	return body;
}

static json_t *
change(struct client *c, const struct links_options *o, struct err *err)
{
	json_t *body = change_body(o), *answer = NULL;
	struct buf path;

	buf_init(&path, PATH_MAX_BYTES);
	buf_addz(&path, "/v1/links/");
	uri_encode(&path, str_of(o->link), "");
	buf_add(&path, "", 1);
	if (path.overflow)
		(void)err_set(
		    err, ERR_BAD_REQUEST, "a link's name is not that long");
	else
		answer = client_patch(c, path.p, body, err);
	buf_done(&path);
	json_decref(body);
	return answer;
}

static void
print_answer(const struct links_options *o, const json_t *answer)
{
	char note[ERR_TEXT_MAX];
	const char *text = json_string_value(json_object_get(answer, "note"));

	if (o->as_json) {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (o->link == NULL) {
		print_links(json_object_get(answer, "links"));
	} else {
		print_link(answer);
		printf("%s\n",
		    str_printable(
			str_of(text != NULL ? text : ""), note, sizeof(note)));
	}
}

static int
run_links(struct links_options *o)
{
	bool is_change =
	    o->rate != NULL || o->prewarm != NULL || o->up != UP_UNSAID;
	char url[ADMIN_URL_MAX];
	struct client *c;
	struct err err;
	json_t *answer;

	if (is_change != (o->link != NULL))
		return cli_fail(EXIT_USAGE, "links",
		    "--link goes with --rate, --prewarm or --up");
	if (client_find_admin(&o->client, o->config, url, &err) != 0)
		return cli_fail(EXIT_USAGE, "links", err.text);
	c = client_new(&o->client, &err);
	if (c == NULL)
		return cli_fail(EXIT_USAGE, "links", err.text);
	answer =
	    is_change ? change(c, o, &err) : client_get(c, "/v1/links", &err);
	client_free(c);
	if (answer == NULL)
		return cli_fail(err.code == ERR_UPSTREAM_DOWN ? EXIT_UNREACHABLE
							      : EXIT_USAGE,
		    "links", err.text);
	print_answer(o, answer);
	json_decref(answer);
	return EXIT_YES;
}

int
cli_links(int argc, char **argv)
{
	struct links_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "link",        OPTION_TEXT,   &o.link,               "NAME", "the link to change" },
		{ "rate",        OPTION_TEXT,   &o.rate,               "RATE", "what it may carry: 20Mbit, unlimited" },
		{ "prewarm",     OPTION_TEXT,   &o.prewarm,            "RATE", "what releases may take of it: 5Mbit, off" },
		{ "up",          OPTION_CHOICE, &o.up,                 "unchanged|yes|no", "put it into service, or take it out" },
		{ "admin",       OPTION_TEXT,   &o.client.url,         "URL",  "the control plane (default: the configuration's, else http://" CLI_DEFAULT_ADMIN ")" },
		{ "config",      OPTION_TEXT,   &o.config,             "FILE", "the configuration to take the address from (default: " CONFIG_DEFAULT_PATH ")" },
		{ "token-file",  OPTION_TEXT,   &o.client.token_file,  "FILE", "a file with a token of role read; to change a link, operate" },
		{ "ca",          OPTION_TEXT,   &o.client.ca,          "FILE", "CA certificates to trust (default: the system's)" },
		{ "certificate", OPTION_TEXT,   &o.client.certificate, "FILE", "our certificate, where the control plane wants one" },
		{ "key",         OPTION_TEXT,   &o.client.key,         "FILE", "its private key" },
		{ "json",        OPTION_FLAG,   &o.as_json,            NULL,   "print the answer of the control plane" },
	};
	/* clang-format on */
	const struct option_table table = { "links",
		"Shows what the links carry.  With --link, changes one until "
		"the next reload or\nrestart.  Exit status: 0 done, 2 wrong "
		"use, 3 it can't be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_links(&o);
}
