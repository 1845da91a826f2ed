/*
 * test_hosts_command.c - railhead hosts on a real folder: what is written,
 * what is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

#define MIRROR "--mirror=http://m.test:5000"
#define TEXT_MAX 1024

static char folder[64];
static char config[128], out[128]; /* "--config=...", "--out=..." */

static const char *
path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	(void)fclose(f);
}

static const char *
read_file(const char *name)
{
	static char text[TEXT_MAX];
	FILE *f = fopen(path_of(name), "r");
	size_t n;

	if (f == NULL)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

/* Up to three more arguments; NULL ends them. */
static int
run(const char *a, const char *b, const char *c)
{
	const char *words[] = { "hosts", config, a, b, c, NULL };
	char *argv[6] = { NULL };
	int argc = 0, status;

	while (words[argc] != NULL) {
		argv[argc] = strdup(words[argc]);
		argc++;
	}
	status = cli_hosts(argc, argv);
	while (argc-- > 0)
		free(argv[argc]);
	return status;
}

static void
files_are_written(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(run(MIRROR, out, NULL), EXIT_YES);
	assert_string_equal(read_file("out/docker.io/hosts.toml"),
	    "# Written by `railhead hosts`; it will be overwritten.\n"
	    "server = \"https://registry-1.docker.io\"\n"
	    "\n"
	    "[host.\"http://m.test:5000\"]\n"
	    "  capabilities = [\"pull\", \"resolve\"]\n");
	assert_non_null(read_file("out/reg.test:5000/hosts.toml"));
	assert_int_equal(stat(path_of("out/docker.io/hosts.toml"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	/* Ours is written again, and differently. */
	assert_int_equal(run(MIRROR, out, "--fallback=no"), EXIT_YES);
	assert_non_null(strstr(read_file("out/docker.io/hosts.toml"),
	    "server = \"http://m.test:5000\"\n"));
}

static void
others_are_left_alone(void **state)
{
	static const char *const theirs[] = { "server = \"x\"\n", "",
		"# Written by `railhead hosts`; it will be overwritten.",
		"\n# Written by `railhead hosts`; it will be overwritten.\n" };

	(void)state;
	assert_int_equal(run(MIRROR, out, NULL), EXIT_YES);
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
		write_file("out/docker.io/hosts.toml", theirs[i]);
		assert_int_equal(run(MIRROR, out, NULL), EXIT_NO);
		assert_string_equal(
		    read_file("out/docker.io/hosts.toml"), theirs[i]);
	}
	assert_int_equal(run(MIRROR, out, "--force"), EXIT_YES);
	assert_non_null(strstr(
	    read_file("out/docker.io/hosts.toml"), "http://m.test:5000"));
}

static int n_files;

static int
count_file(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)path;
	(void)st;
	(void)f;
	n_files += type == FTW_F;
	return 0;
}

static void
nothing_is_left_behind(void **state)
{
	(void)state;
	assert_int_equal(run(MIRROR, out, NULL), EXIT_YES);
	assert_int_equal(run(MIRROR, out, NULL), EXIT_YES);
	n_files = 0;
	assert_int_equal(nftw(path_of("out"), count_file, 8, FTW_PHYS), 0);
	assert_int_equal(n_files, 2);
}

static void
a_folder_that_cannot_be(void **state)
{
	(void)state;
	write_file("out", "a file");
	assert_int_equal(run(MIRROR, out, NULL), EXIT_NO);
	assert_string_equal(read_file("out"), "a file");
	/* The file's place is taken by a folder. */
	assert_int_equal(unlink(path_of("out")), 0);
	assert_int_equal(mkdir(path_of("out"), 0755), 0);
	assert_int_equal(mkdir(path_of("out/docker.io"), 0755), 0);
	assert_int_equal(mkdir(path_of("out/docker.io/hosts.toml"), 0755), 0);
	assert_int_equal(run(MIRROR, out, NULL), EXIT_NO);
	assert_int_equal(run(MIRROR, out, "--force"), EXIT_NO);
	n_files = 0;
	assert_int_equal(nftw(path_of("out"), count_file, 8, FTW_PHYS), 0);
	assert_int_equal(n_files, 0);
}

static void
wrong_use(void **state)
{
	(void)state;
	assert_int_equal(run(NULL, NULL, NULL), EXIT_USAGE);
	assert_int_equal(run("--mirror=m.test", NULL, NULL), EXIT_USAGE);
	assert_int_equal(run(MIRROR, "--site=", NULL), EXIT_USAGE);
	assert_int_equal(run(MIRROR, "--ca=", NULL), EXIT_USAGE);
	assert_int_equal(run(MIRROR, out, "--format=docker"), EXIT_USAGE);
	assert_int_equal(run(MIRROR, out, "--format=podman"), EXIT_USAGE);
	assert_null(read_file("out/docker.io/hosts.toml"));
	assert_int_equal(run(MIRROR, "--config=/nowhere", NULL), EXIT_NO);
}

static void
printed_forms(void **state)
{
	(void)state;
	assert_int_equal(run(MIRROR, NULL, NULL), EXIT_YES);
	assert_int_equal(run(MIRROR, "--format=registries", NULL), EXIT_YES);
	assert_int_equal(run(MIRROR, "--format=docker", NULL), EXIT_YES);
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/test_hosts.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(config, sizeof(config), "--config=%s/r.yaml", folder);
	(void)snprintf(out, sizeof(out), "--out=%s/out", folder);
	write_file("r.yaml",
	    "upstreams:\n"
	    "  docker.io: {endpoints: "
	    "[{url: \"https://registry-1.docker.io\"}]}\n"
	    "  \"reg.test:5000\": {endpoints: [{url: \"http://r:5000\"}]}\n");
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_written),
		TEST(others_are_left_alone),
		TEST(nothing_is_left_behind),
		TEST(a_folder_that_cannot_be),
		TEST(wrong_use),
		TEST(printed_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
