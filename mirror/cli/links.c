/*
 * links.c - railhead links: what the links carry, and a word on one of them.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/str.h"
#include "common/uri.h"

#define PATH_MAX_BYTES 512

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

/* Of bytes per second; NONE where there is no limit. */
static const char *
rate_text(const json_t *link, const char *key, const char *none,
    char out[AMOUNT_TEXT_MAX])
{
	if (json_is_null(json_object_get(link, key)))
		return none;
	return amount_rate(answer_number(link, key), out);
}

static void
print_class(const char *name, const json_t *c)
{
	char now[AMOUNT_TEXT_MAX], today[AMOUNT_TEXT_MAX];
	uint64_t rate = answer_number(c, "bytes_per_second");

	printf("  %-8s %10s now, %10s today, %llu running, %llu waiting\n",
	    name, rate > 0 ? amount_rate(rate, now) : "0 bit",
	    answer_bytes(c, "bytes_today", today),
	    (unsigned long long)answer_number(c, "transfers"),
	    (unsigned long long)answer_number(c, "waiting"));
}

static void
print_link(const json_t *link)
{
	char rate[AMOUNT_TEXT_MAX], prewarm[AMOUNT_TEXT_MAX];
	char name[SHOWN_MAX], state[SHOWN_MAX], at[SHOWN_MAX];
	const json_t *quota = json_object_get(link, "quota");
	const json_t *classes = json_object_get(link, "classes");

	printf("%s: %s, rate %s, prewarm %s%s\n",
	    answer_show(link, "name", "-", name),
	    answer_show(link, "state", "-", state),
	    rate_text(link, "rate", "unlimited", rate),
	    rate_text(link, "prewarm", "as rate", prewarm),
	    json_is_true(json_object_get(link, "changed"))
		? " (changed until reload or restart)"
		: "");
	if (json_is_string(json_object_get(link, "window_changes_at")))
		printf("  %s; that changes at %s\n",
		    json_is_true(json_object_get(link, "in_window"))
			? "in a window"
			: "in no window",
		    answer_show(link, "window_changes_at", "-", at));
	if (json_is_object(quota))
		printf("  quota: %s left of %s, resets at %s\n",
		    answer_bytes(quota, "left", rate),
		    answer_bytes(quota, "bytes", prewarm),
		    answer_show(quota, "resets_at", "-", at));
	for (enum link_class i = 0; i < CLASS_COUNT; i++)
		print_class(link_class_name(i),
		    json_object_get(classes, link_class_name(i)));
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
	char note[SHOWN_MAX];

	if (o->as_json) {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (o->link == NULL) {
		print_links(json_object_get(answer, "links"));
	} else {
		print_link(answer);
		printf("%s\n", answer_show(answer, "note", "", note));
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
