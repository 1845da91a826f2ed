/*
 * status.c - railhead status: asks a running mirror how it is doing.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/uri.h"

#define URL_MAX_BYTES 512

struct status_options {
	struct client_spec client;
	const char *config;
	bool as_json;
};

/* ---- what it says ------------------------------------------------------- */

/* "/v1/upstreams?after=..."; an AFTER of NULL asks for the first page. */
static json_t *
get_page(struct client *c, const char *after, struct err *err)
{
	struct buf path;
	json_t *page;

	buf_init(&path, URL_MAX_BYTES);
	buf_addz(&path, "/v1/upstreams?limit=1000");
	if (after != NULL) {
		buf_addz(&path, "&after=");
		uri_encode(&path, str_of(after), "");
	}
	buf_add(&path, "", 1);
	if (path.overflow) {
		(void)err_set(err, ERR_UPSTREAM_DOWN,
		    "the list of upstreams has a name that is too long");
		page = NULL;
	} else {
		page = client_get(c, path.p, err);
	}
	buf_done(&path);
	return page;
}

/* All pages as one list; NULL with err. */
static json_t *
get_upstreams(struct client *c, struct err *err)
{
	json_t *all = json_array();
	json_t *page = get_page(c, NULL, err);
	const char *after;

	while (page != NULL) {
		json_t *previous = page;

		(void)json_array_extend(
		    all, json_object_get(page, "upstreams"));
		after = json_string_value(json_object_get(page, "next"));
		if (after == NULL)
			break;
		page = get_page(c, after, err);
		json_decref(previous);
	}
	if (page == NULL) {
		json_decref(all);
		return NULL;
	}
	json_decref(page);
	return all;
}

static void
print_json(json_t *status, json_t *upstreams)
{
	json_t *both =
	    json_pack("{s:O, s:O}", "status", status, "upstreams", upstreams);

	(void)json_dumpf(both, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(both);
}

static int
show_status(struct client *c, bool as_json, struct err *err)
{
	json_t *status = client_get(c, "/v1/status", err);
	json_t *upstreams = status != NULL ? get_upstreams(c, err) : NULL;
	int exit = -1;

	if (upstreams != NULL) {
		if (as_json)
			print_json(status, upstreams);
		else
			status_page(stdout, status, upstreams, clock_wall_s());
		exit = json_is_true(json_object_get(status, "ready")) ? EXIT_YES
								      : EXIT_NO;
	}
	json_decref(status);
	json_decref(upstreams);
	return exit;
}

static int
run_status(struct status_options *o)
{
	char url[ADMIN_URL_MAX];
	struct client *c;
	struct err err;
	int exit;

	if (client_find_admin(&o->client, o->config, url, &err) != 0)
		return cli_fail(EXIT_USAGE, "status", err.text);
	c = client_new(&o->client, &err);
	if (c == NULL)
		return cli_fail(EXIT_USAGE, "status", err.text);
	exit = show_status(c, o->as_json, &err);
	client_free(c);
	if (exit >= 0)
		return exit;
	return cli_fail(
	    err.code == ERR_UPSTREAM_DOWN ? EXIT_UNREACHABLE : EXIT_USAGE,
	    "status", err.text);
}

int
cli_status(int argc, char **argv)
{
	struct status_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "admin",       OPTION_TEXT, &o.client.url,          "URL",  "the control plane (default: the configuration's, else http://" CLI_DEFAULT_ADMIN ")" },
		{ "config",      OPTION_TEXT, &o.config,              "FILE", "the configuration to take the address from (default: " CONFIG_DEFAULT_PATH ")" },
		{ "token-file",  OPTION_TEXT, &o.client.token_file,   "FILE", "a file with a token of role read" },
		{ "ca",          OPTION_TEXT, &o.client.ca,           "FILE", "CA certificates to trust (default: the system's)" },
		{ "certificate", OPTION_TEXT, &o.client.certificate,  "FILE", "our certificate, where the control plane wants one" },
		{ "key",         OPTION_TEXT, &o.client.key,          "FILE", "its private key" },
		{ "json",        OPTION_FLAG, &o.as_json,             NULL,   "print the answers of /v1/status and /v1/upstreams" },
	};
	/* clang-format on */
	const struct option_table table = { "status",
		"Shows how a running mirror is doing.  Exit status: 0 it is "
		"ready, 1 it is not,\n2 wrong use, 3 it can't be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_status(&o);
}
