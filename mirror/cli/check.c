/*
 * check.c - railhead check: would serve start with this file?
 *
 * Beyond what config_load_checked() sees: certificates are loaded with their
 * keys, tokens read, layouts looked at, and the store's place must be ours to
 * write.  Nothing is made or changed.  All mistakes are told, not the first.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/config.h"
#include "common/tokens.h"
#include "http/tls.h"

#define PATH_MAX_BYTES 4096

struct checker {
	const struct config *config;
	unsigned n_mistakes;
};

static void
mistake(struct checker *c, const char *where, const char *text)
{
	fprintf(stderr, "%s: %s: %s\n", c->config->path, where, text);
	c->n_mistakes++;
}

static void
check_tls(struct checker *c, const char *where, const struct config_tls *tls)
{
	struct tls_context *context;
	struct err err;

	if (tls->certificate == NULL)
		return;
	context = tls_context_new(tls, &err);
	if (context == NULL)
		mistake(c, where, err.text);
	tls_context_unref(context);
}

static void
check_admin(struct checker *c)
{
	const struct config_admin *admin = &c->config->admin;
	struct tokens *tokens;
	struct err err;

	check_tls(c, "admin", &admin->tls);
	if (admin->tokens == NULL)
		return;
	tokens = tokens_load(admin->tokens, &err);
	if (tokens == NULL)
		mistake(c, "admin.tokens", err.text);
	tokens_free(tokens);
}

/* A folder with an oci-layout file, or a file that is taken for a tar. */
static void
check_layout(struct checker *c, const char *where, const char *layout)
{
	char path[PATH_MAX_BYTES];
	struct stat st;
	struct err err;
	int n;

	if (stat(layout, &st) != 0 || access(layout, R_OK) != 0) {
		(void)err_errno(&err, ERR_CONFIG, "layout %s", layout);
		mistake(c, where, err.text);
		return;
	}
	if (!S_ISDIR(st.st_mode))
		return;
	n = snprintf(path, sizeof(path), "%s/oci-layout", layout);
	if (n < (int)sizeof(path) && access(path, R_OK) == 0)
		return;
	(void)err_errno(
	    &err, ERR_CONFIG, "%s is no OCI layout: oci-layout", layout);
	mistake(c, where, err.text);
}

static void
check_layouts(struct checker *c)
{
	for (size_t i = 0; i < c->config->n_upstreams; i++) {
		const struct config_upstream *u = &c->config->upstreams[i];

		for (size_t j = 0; j < u->n_endpoints; j++)
			if (u->endpoints[j].kind == ENDPOINT_LAYOUT)
				check_layout(
				    c, u->name, u->endpoints[j].layout);
	}
}

/* PATH becomes the nearest folder above that is there. */
static void
find_existing(char *path)
{
	while (access(path, F_OK) != 0 && errno == ENOENT) {
		char *slash = strrchr(path, '/');

		if (slash == NULL)
			(void)snprintf(path, 2, ".");
		else
			slash[slash == path ? 1 : 0] = '\0';
	}
}

static void
check_store(struct checker *c)
{
	const char *store = c->config->store_path;
	char path[PATH_MAX_BYTES];
	struct err err;

	if (snprintf(path, sizeof(path), "%s", store) >= (int)sizeof(path)) {
		mistake(c, "store.path", "the path is too long");
		return;
	}
	find_existing(path);
	if (access(path, W_OK | X_OK) == 0)
		return;
	(void)err_errno(
	    &err, ERR_CONFIG, "%s can't be written: %s", store, path);
	mistake(c, "store.path", err.text);
}

static void
check_releases(struct checker *c)
{
	const char *folder = c->config->releases_folder;
	struct err err;

	if (folder == NULL || access(folder, R_OK | X_OK) == 0)
		return;
	(void)err_errno(&err, ERR_CONFIG, "%s can't be read", folder);
	mistake(c, "releases.folder", err.text);
}

static int
run_check(const char *path)
{
	struct checker c = { NULL, 0 };
	struct config *config;
	struct err err;

	config = config_load_checked(path, &err);
	if (config == NULL) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_NO;
	}
	c.config = config;
	for (size_t i = 0; i < config->n_listens; i++)
		check_tls(&c, config->listens[i].address.text,
		    &config->listens[i].tls);
	check_admin(&c);
	check_layouts(&c);
	check_store(&c);
	check_releases(&c);
	if (c.n_mistakes == 0)
		printf("%s: ok, %zu upstream%s, %zu link%s, %zu listen "
		       "address%s\n",
		    config->path, config->n_upstreams,
		    config->n_upstreams == 1 ? "" : "s", config->n_links,
		    config->n_links == 1 ? "" : "s", config->n_listens,
		    config->n_listens == 1 ? "" : "es");
	config_unref(config);
	return c.n_mistakes == 0 ? EXIT_YES : EXIT_NO;
}

int
cli_check(int argc, char **argv)
{
	const char *path = CONFIG_DEFAULT_PATH;
	const struct option_row rows[] = {
		{ "config", OPTION_TEXT, &path, "FILE",
		    "the configuration (default: " CONFIG_DEFAULT_PATH ")" },
	};
	const struct option_table table = { "check",
		"Tests a configuration without starting.  Exit status: 0 it "
		"is right, 1 it is not.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_check(path);
}
