/*
 * sites.c - railhead sites: who was seen when, and how it went.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli_int.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/str.h"
#include "common/uri.h"

#define PATH_MAX_BYTES 2048
#define PAGE "1000"

struct sites_options {
	struct client_spec client;
	const char *config;
	const char *release;
	const char *ring;
	const char *state;
	const char *digest;
	bool as_json;
};

/* ---- asking ------------------------------------------------------------- */

static void
add_query(struct buf *path, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(path, "&%s=", key);
	uri_encode(path, str_of(value), "");
}

static json_t *
get_page(struct client *c, const struct sites_options *o, const char *after,
    struct err *err)
{
	struct buf path;
	json_t *page = NULL;

	buf_init(&path, PATH_MAX_BYTES);
	buf_addz(&path, "/v1/");
	if (o->release != NULL) {
		buf_addz(&path, "releases/");
		uri_encode(&path, str_of(o->release), "");
		buf_addz(&path, "/");
	}
	buf_addz(&path, "sites?limit=" PAGE);
	add_query(&path, "ring", o->ring);
	add_query(&path, "state", o->state);
	add_query(&path, "digest", o->digest);
	add_query(&path, "after", after);
	buf_add(&path, "", 1);
	if (path.overflow)
		(void)err_set(err, ERR_BAD_REQUEST, "the names are too long");
	else
		page = client_get(c, path.p, err);
	buf_done(&path);
	return page;
}

/* All pages as one; NULL with err. */
static json_t *
get_sites(struct client *c, const struct sites_options *o, struct err *err)
{
	json_t *all = get_page(c, o, NULL, err), *page;
	json_t *sites = json_object_get(all, "sites");
	const char *after = json_string_value(json_object_get(all, "next"));
	char at[PATH_MAX_BYTES];

	while (after != NULL) {
		(void)snprintf(at, sizeof(at), "%s", after);
		page = get_page(c, o, at, err);
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		(void)json_array_extend(sites, json_object_get(page, "sites"));
		(void)json_object_set(
		    all, "next", json_object_get(page, "next"));
		after = json_string_value(json_object_get(all, "next"));
		json_decref(page);
	}
	return all;
}

/* ---- for people --------------------------------------------------------- */

/* "retail: 12 sites, 10 seen, 1 silent, 1 failing" */
static void
print_ring(const json_t *ring)
{
	char cell[SHOWN_MAX];
	const char *name = answer_show(ring, "ring", "-", cell);
	const char *key;
	json_t *value;

	printf("%s: %lld sites", name[0] != '\0' ? name : "(no ring)",
	    (long long)json_integer_value(json_object_get(ring, "sites")));
	json_object_foreach((json_t *)(uintptr_t)ring, key, value)
	{
		if (!json_is_integer(value) || strcmp(key, "sites") == 0)
			continue;
		printf(", %lld %s", (long long)json_integer_value(value),
		    strcmp(key, "not_yet") == 0 ? "not yet" : key);
	}
	(void)putchar('\n');
}

static void
print_event(const char *what, const json_t *event)
{
	char at[SHOWN_MAX], reference[SHOWN_MAX];
	const json_t *status = json_object_get(event, "status");

	if (!json_is_object(event))
		return;
	printf("    %s %s at %s", what,
	    answer_show(event, "reference", "", reference),
	    answer_show(event, "at", "-", at));
	if (json_is_integer(status))
		printf(" (%lld)", (long long)json_integer_value(status));
	(void)putchar('\n');
}

static void
print_site(const json_t *site)
{
	char name[SHOWN_MAX], ring[SHOWN_MAX], state[SHOWN_MAX], at[SHOWN_MAX];
	const json_t *images = json_object_get(site, "images_pulled");

	printf("  %-24s %-16s %-8s seen %s",
	    answer_show(site, "name", "", name),
	    answer_show(site, "ring", "-", ring),
	    answer_show(site, "state", "-", state),
	    answer_show(site, "last_seen_at", "-", at));
	if (json_is_integer(images))
		printf(", %lld of %lld images",
		    (long long)json_integer_value(images),
		    (long long)json_integer_value(
			json_object_get(site, "images")));
	(void)putchar('\n');
	if (strcmp(state, "failing") == 0)
		print_event("failed", json_object_get(site, "last_error"));
	print_event("pulled", json_object_get(site, "last_pulled"));
}

static void
print_sites(const json_t *all)
{
	const json_t *rings = json_object_get(all, "rings");
	const json_t *sites = json_object_get(all, "sites");

	for (size_t i = 0; i < json_array_size(rings); i++) {
		const json_t *ring = json_array_get(rings, i);

		if (json_integer_value(json_object_get(ring, "sites")) > 0)
			print_ring(ring);
	}
	if (json_array_size(sites) == 0)
		printf("no such site was seen\n");
	for (size_t i = 0; i < json_array_size(sites); i++)
		print_site(json_array_get(sites, i));
}

/* ---- the command -------------------------------------------------------- */

static int
run_sites(struct sites_options *o)
{
	char url[ADMIN_URL_MAX];
	struct client *c;
	struct err err;
	json_t *all;

	if (client_find_admin(&o->client, o->config, url, &err) != 0)
		return cli_fail(EXIT_USAGE, "sites", err.text);
	c = client_new(&o->client, &err);
	if (c == NULL)
		return cli_fail(EXIT_USAGE, "sites", err.text);
	all = get_sites(c, o, &err);
	client_free(c);
	if (all == NULL)
		return cli_fail(err.code == ERR_UPSTREAM_DOWN ? EXIT_UNREACHABLE
							      : EXIT_USAGE,
		    "sites", err.text);
	if (o->as_json) {
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else {
		print_sites(all);
	}
	json_decref(all);
	return EXIT_YES;
}

int
cli_sites(int argc, char **argv)
{
	struct sites_options o = { .config = NULL };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "release",     OPTION_TEXT, &o.release,            "NAME",   "how far the sites are with this release" },
		{ "ring",        OPTION_TEXT, &o.ring,               "NAME",   "those of this ring only" },
		{ "state",       OPTION_TEXT, &o.state,              "STATE",  "seen, silent, failing; of a release: seen, not_yet, failing" },
		{ "digest",      OPTION_TEXT, &o.digest,             "DIGEST", "those only that have pulled this manifest" },
		{ "admin",       OPTION_TEXT, &o.client.url,         "URL",    "the control plane (default: the configuration's, else http://" CLI_DEFAULT_ADMIN ")" },
		{ "config",      OPTION_TEXT, &o.config,             "FILE",   "the configuration to take the address from (default: " CONFIG_DEFAULT_PATH ")" },
		{ "token-file",  OPTION_TEXT, &o.client.token_file,  "FILE",   "a file with a token of role read" },
		{ "ca",          OPTION_TEXT, &o.client.ca,          "FILE",   "CA certificates to trust (default: the system's)" },
		{ "certificate", OPTION_TEXT, &o.client.certificate, "FILE",   "our certificate, where the control plane wants one" },
		{ "key",         OPTION_TEXT, &o.client.key,         "FILE",   "its private key" },
		{ "json",        OPTION_FLAG, &o.as_json,            NULL,     "print the answer of the control plane, all pages as one" },
	};
	/* clang-format on */
	const struct option_table table = { "sites",
		"Shows who was seen when, what was pulled last, and who fails; "
		"with --release,\nhow far each ring is.  Exit status: 0 done, "
		"2 wrong use, 3 it can't be reached.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_sites(&o);
}
