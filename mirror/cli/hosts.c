/*
 * hosts.c - railhead hosts: writes what clients are to be configured with.
 *
 * A hosts.toml that somebody else wrote is left alone: ours is known by its
 * first line.  Files are replaced by rename, so containerd, which reads them
 * at each pull, never sees half of one.
 */
#include "api/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "oci/name.h"

#define PATH_MAX_BYTES 4096

struct hosts_options {
	struct option_list mirrors;
	const char *out;
	const char *config;
	const char *site;
	const char *ca;
	int format;   /* enum hosts_format */
	int fallback; /* 0 yes, 1 no */
	bool is_forced;
};

/* ---- one file ----------------------------------------------------------- */

/* May PATH be written?  It is not there, or its first line is ours. */
static int
check_ours(const char *path, struct err *err)
{
	char line[sizeof(HOSTS_MARK) + 1] = "";
	FILE *f = fopen(path, "re");

	if (f == NULL && errno == ENOENT)
		return 0;
	if (f == NULL)
		return err_errno(err, ERR_DISK, "%s", path);
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	(void)fclose(f);
	if (strcmp(line, HOSTS_MARK "\n") == 0)
		return 0;
	return err_set(err, ERR_DENIED,
	    "%s was not written by railhead hosts; --force overwrites it",
	    path);
}

static int
write_all(int fd, struct str text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0)
			return -1;
		text = str_from(text, (size_t)n);
	}
	return fsync(fd);
}

static int
replace_file(const char *path, struct str text, struct err *err)
{
	char draft[PATH_MAX_BYTES + 8];
	int fd, failed;

	(void)snprintf(draft, sizeof(draft), "%s.XXXXXX", path);
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_DISK, "making %s", draft);
	failed = write_all(fd, text) != 0 || fchmod(fd, 0644) != 0;
	failed |= close(fd) != 0;
	if (!failed && rename(draft, path) == 0)
		return 0;
	(void)err_errno(err, ERR_DISK, "writing %s", path);
	(void)unlink(draft);
	return -1;
}

static int
make_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	return err_errno(err, ERR_DISK, "making the folder %s", path);
}

static int
write_hosts(const struct hosts_options *o, const char *upstream,
    struct str text, struct err *err)
{
	char path[PATH_MAX_BYTES];
	int n =
	    snprintf(path, sizeof(path), "%s/%s/hosts.toml", o->out, upstream);

	if (n >= (int)sizeof(path) || !name_is_registry(str_of(upstream)))
		return err_set(err, ERR_CONFIG,
		    "%s/%s can't be the name of a folder", o->out, upstream);
	path[n - (int)strlen("/hosts.toml")] = '\0';
	if (make_folder(o->out, err) != 0 || make_folder(path, err) != 0)
		return -1;
	path[n - (int)strlen("/hosts.toml")] = '/';
	if (!o->is_forced && check_ours(path, err) != 0)
		return -1;
	if (replace_file(path, text, err) != 0)
		return -1;
	printf("%s\n", path);
	return 0;
}

/* ---- the forms ---------------------------------------------------------- */

static int
put_containerd(const struct hosts_options *o, const struct hosts_spec *spec,
    const struct config_upstream *upstream, struct err *err)
{
	struct buf text;
	int failed = 0;

	buf_init(&text, HOSTS_TEXT_MAX);
	hosts_containerd(&text, spec, upstream);
	if (text.overflow)
		failed = err_set(err, ERR_NO_MEMORY,
		    "no memory for the hosts.toml of %s", upstream->name);
	else if (o->out != NULL)
		failed = write_hosts(o, upstream->name, buf_str(&text), err);
	else
		printf("# ---- %s/hosts.toml\n%.*s\n", upstream->name,
		    STR_ARG(buf_str(&text)));
	buf_done(&text);
	return failed;
}

static int
print_text(const struct hosts_options *o, const struct hosts_spec *spec,
    const struct config *config, struct err *err)
{
	struct buf text;
	int failed = 0;

	buf_init(&text, HOSTS_TEXT_MAX);
	if (o->format == HOSTS_DOCKER)
		hosts_docker(&text, spec);
	else
		hosts_registries(&text, spec, config);
	if (text.overflow)
		failed = err_set(err, ERR_NO_MEMORY, "no memory for the text");
	else
		printf("%.*s", STR_ARG(buf_str(&text)));
	buf_done(&text);
	if (!failed && o->format == HOSTS_DOCKER)
		fputs("note: " HOSTS_DOCKER_NOTE "\n", stderr);
	return failed;
}

static int
put_all(const struct hosts_options *o, const struct hosts_spec *spec,
    struct err *err)
{
	struct config *config = config_load(o->config, err);
	int failed = 0;

	if (config == NULL)
		return -1;
	if (o->format != HOSTS_CONTAINERD)
		failed = print_text(o, spec, config, err);
	else
		for (size_t i = 0; i < config->n_upstreams && !failed; i++)
			failed =
			    put_containerd(o, spec, &config->upstreams[i], err);
	config_unref(config);
	return failed;
}

/* ---- the command -------------------------------------------------------- */

static int
make_spec(
    const struct hosts_options *o, struct hosts_spec *spec, struct err *err)
{
	if (o->mirrors.n == 0)
		return err_set(err, ERR_BAD_REQUEST,
		    "name the mirror as its clients see it: "
		    "--mirror http://host:5000");
	if (o->out != NULL && o->format != HOSTS_CONTAINERD)
		return err_set(err, ERR_BAD_REQUEST,
		    "--out goes with --format containerd; this form is "
		    "printed");
	spec->has_fallback = o->fallback == 0;
	for (size_t i = 0; i < o->mirrors.n; i++)
		if (hosts_add_mirror(spec, str_of(o->mirrors.values[i]), err) !=
		    0)
			return -1;
	if (o->site != NULL && hosts_set_site(spec, str_of(o->site), err) != 0)
		return -1;
	if (o->ca != NULL && hosts_set_ca(spec, str_of(o->ca), err) != 0)
		return -1;
	return 0;
}

static int
run_hosts(const struct hosts_options *o)
{
	struct hosts_spec spec = { .n_mirrors = 0 };
	struct err err;

	if (make_spec(o, &spec, &err) != 0)
		return cli_fail(EXIT_USAGE, "hosts", err.text);
	if (put_all(o, &spec, &err) != 0)
		return cli_fail(EXIT_NO, "hosts", err.text);
	return EXIT_YES;
}

int
cli_hosts(int argc, char **argv)
{
	struct hosts_options o = { .config = CONFIG_DEFAULT_PATH };
	/* clang-format off */
	const struct option_row rows[] = {
		{ "mirror",   OPTION_LIST,   &o.mirrors,   "URL",         "this mirror as its clients see it; again for the next to be tried" },
		{ "out",      OPTION_TEXT,   &o.out,       "DIR",         "where to write UPSTREAM/hosts.toml (default: print them)" },
		{ "config",   OPTION_TEXT,   &o.config,    "FILE",        "the mirror's configuration (default: " CONFIG_DEFAULT_PATH ")" },
		{ "format",   OPTION_CHOICE, &o.format,    HOSTS_FORMATS, "whose configuration (default: containerd)" },
		{ "fallback", OPTION_CHOICE, &o.fallback,  "yes|no",      "may clients go to the upstream when the mirror fails? (default: yes)" },
		{ "site",     OPTION_TEXT,   &o.site,      "NAME",        "sent along as X-Railhead-Site (containerd only)" },
		{ "ca",       OPTION_TEXT,   &o.ca,        "FILE",        "the CA of the mirror's certificate, on the clients' machines" },
		{ "force",    OPTION_FLAG,   &o.is_forced, NULL,          "overwrite a hosts.toml that somebody else wrote" },
	};
	/* clang-format on */
	const struct option_table table = { "hosts",
		"Writes what clients need to pull through this mirror: "
		"containerd's hosts.toml for\neach upstream, the "
		"registries.conf of CRI-O, Podman, Buildah and skopeo, or "
		"dockerd's\ndaemon.json.",
		rows, sizeof(rows) / sizeof(rows[0]) };
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	return run_hosts(&o);
}
