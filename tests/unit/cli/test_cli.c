/*
 * test_cli.c - finding commands and reading options; what is wrong with them
 * goes to stderr, which is noise here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

#define ARGC_MAX 300

/* A literal's bytes as argv wants them. */
struct arguments {
	int n;
	char *v[ARGC_MAX + 1];
	char bytes[8192];
};

/* WORDS are separated by spaces. */
static struct arguments *
split(const char *words)
{
	static struct arguments a;
	char *save = NULL;

	memset(&a, 0, sizeof(a));
	assert_true(strlen(words) < sizeof(a.bytes));
	(void)snprintf(a.bytes, sizeof(a.bytes), "%s", words);
	for (char *word = strtok_r(a.bytes, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(a.n < ARGC_MAX);
		a.v[a.n++] = word;
	}
	return &a;
}

/* ---- commands ----------------------------------------------------------- */

static int last_argc;
static const char *last_name;

static int
note(int argc, char **argv)
{
	last_argc = argc;
	last_name = argv[0];
	return 17;
}

static const struct command commands[] = {
	{ "status", "shows", note },
	{ "hosts", "writes", note },
	{ "version", "prints", note },
	{ NULL, NULL, NULL },
};

static int
run(const char *words)
{
	struct arguments *a = split(words);

	last_argc = 0;
	last_name = NULL;
	return cli_run(commands, a->n, a->v);
}

static void
a_command_is_found(void **state)
{
	(void)state;
	assert_int_equal(run("railhead hosts --mirror x"), 17);
	assert_int_equal(last_argc, 3);
	assert_string_equal(last_name, "hosts");
	assert_int_equal(run("railhead --version"), 17);
	assert_non_null(last_name);
}

static void
help_is_no_mistake(void **state)
{
	(void)state;
	assert_int_equal(run("railhead --help"), EXIT_YES);
	assert_int_equal(run("railhead -h"), EXIT_YES);
	assert_int_equal(run("railhead help"), EXIT_YES);
	assert_null(last_name);
}

static void
no_command_is(void **state)
{
	static const char *const wrong[] = { "railhead", "railhead hots",
		"railhead HOSTS", "railhead --hosts", "railhead x",
		"railhead -", "railhead hostss",
		"railhead a-very-long-name-that-is-no-command-at-all" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(run(wrong[i]), EXIT_USAGE);
		assert_null(last_name);
	}
}

/* ---- options ------------------------------------------------------------ */

static struct {
	bool json;
	const char *config;
	struct option_list mirrors;
	int format;
} got;

static bool
read_options(const char *words, int *status)
{
	static const struct option_row rows[] = {
		{ "json", OPTION_FLAG, &got.json, NULL, "as JSON" },
		{ "config", OPTION_TEXT, &got.config, "FILE", "a file" },
		{ "mirror", OPTION_LIST, &got.mirrors, "URL", "a mirror" },
		{ "format", OPTION_CHOICE, &got.format, "one|two|three", "x" },
	};
	static const struct option_table table = { "test", "Tests.", rows, 4 };
	struct arguments *a = split(words);

	memset(&got, 0, sizeof(got));
	got.config = "default";
	got.format = 1;
	return cli_options(&table, a->n, a->v, status);
}

static void
defaults_stay(void **state)
{
	int status;

	(void)state;
	assert_true(read_options("test", &status));
	assert_false(got.json);
	assert_string_equal(got.config, "default");
	assert_int_equal(got.mirrors.n, 0);
	assert_int_equal(got.format, 1);
}

static void
all_types(void **state)
{
	int status;

	(void)state;
	assert_true(read_options("test --mirror a --json --config=f "
				 "--mirror=b --format three",
	    &status));
	assert_true(got.json);
	assert_string_equal(got.config, "f");
	assert_int_equal(got.mirrors.n, 2);
	assert_string_equal(got.mirrors.values[0], "a");
	assert_string_equal(got.mirrors.values[1], "b");
	assert_int_equal(got.format, 2);
	/* And again: nothing is kept from the last time. */
	assert_true(read_options("test --format one", &status));
	assert_int_equal(got.format, 0);
	assert_false(got.json);
}

static void
wrong_options(void **state)
{
	static const char *const wrong[] = { "test --nothing", "test x",
		"test --json x", "test --json=yes", "test --config",
		"test --format", "test --format four", "test --format on",
		"test --format one|two", "test -x", "test -- x",
		"test --json --config" };
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		status = -1;
		assert_false(read_options(wrong[i], &status));
		assert_int_equal(status, EXIT_USAGE);
	}
}

/* A name beside the options, and options of one letter. */
static void
names_and_letters(void **state)
{
	static const char *file;
	static bool waits;
	static const struct option_row rows[] = {
		{ "f", OPTION_TEXT, &file, "FILE", "a file" },
		{ "wait", OPTION_FLAG, &waits, NULL, "waits" },
	};
	static const struct option_table table = { "test", "Tests.", rows, 2 };
	static const char *const right[] = { "test r7 -f x --wait",
		"test -f x r7 --wait", "test -fx --wait r7" };
	static const char *const wrong[] = { "test -f x", "test r7 r8",
		"test r7 -f", "test r7 -w", "test r7 -x y" };
	const char *name;
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct arguments *a = split(right[i]);

		file = name = NULL;
		waits = false;
		assert_true(cli_options_and(
		    &table, "NAME", &name, a->n, a->v, &status));
		assert_string_equal(name, "r7");
		assert_string_equal(file, "x");
		assert_true(waits);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct arguments *a = split(wrong[i]);

		assert_false(cli_options_and(
		    &table, "NAME", &name, a->n, a->v, &status));
		assert_int_equal(status, EXIT_USAGE);
	}
}

static void
too_many_of_a_list(void **state)
{
	char words[4096] = "test";
	int status;

	(void)state;
	for (int i = 0; i < OPTION_LIST_MAX; i++)
		(void)snprintf(words + strlen(words),
		    sizeof(words) - strlen(words), " --mirror=%d", i);
	assert_true(read_options(words, &status));
	assert_int_equal(got.mirrors.n, OPTION_LIST_MAX);
	(void)snprintf(words + strlen(words), sizeof(words) - strlen(words),
	    " --mirror=x");
	assert_false(read_options(words, &status));
	assert_int_equal(status, EXIT_USAGE);
}

static void
help(void **state)
{
	int status;

	(void)state;
	assert_false(read_options("test --json --help", &status));
	assert_int_equal(status, EXIT_YES);
	assert_false(read_options("test -h", &status));
	assert_int_equal(status, EXIT_YES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_found),
		cmocka_unit_test(help_is_no_mistake),
		cmocka_unit_test(no_command_is),
		cmocka_unit_test(defaults_stay),
		cmocka_unit_test(all_types),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test(names_and_letters),
		cmocka_unit_test(too_many_of_a_list),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
