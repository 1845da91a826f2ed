/*
 * cli.c - finds the command, and reads every command's options.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/str.h"

#define OPTIONS_MAX 32
#define NAME_MAX_LENGTH 32

/* ---- commands ----------------------------------------------------------- */

static void
print_commands(FILE *to, const struct command *commands)
{
	fputs("usage: railhead COMMAND [OPTIONS]\n\n", to);
	for (; commands->name != NULL; commands++)
		fprintf(to, "  %-10s %s\n", commands->name, commands->help);
	fputs("\nrailhead COMMAND --help tells a command's options.\n", to);
}

static const struct command *
find_command(const struct command *commands, const char *name)
{
	for (; commands->name != NULL; commands++)
		if (strcmp(commands->name, name) == 0)
			return commands;
	return NULL;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be changed, added or taken away (Levenshtein). */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LENGTH + 1];
	size_t n = strlen(b);

	if (n > NAME_MAX_LENGTH)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t swap = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = least(least(row[j], row[j - 1]) + 1, swap);
		}
	}
	return row[n];
}

/* The command that NAME may have been meant to be; NULL: none is near. */
static const struct command *
nearest_command(const struct command *commands, const char *name)
{
	const struct command *best = NULL;
	size_t best_distance = 3;

	for (; commands->name != NULL; commands++) {
		size_t d = distance(commands->name, name);

		if (d < best_distance && d < strlen(commands->name)) {
			best = commands;
			best_distance = d;
		}
	}
	return best;
}

static int
unknown_command(const struct command *commands, const char *name)
{
	const struct command *near = nearest_command(commands, name);
	char shown[64];

	str_printable(str_of(name), shown, sizeof(shown));
	if (near != NULL)
		fprintf(stderr,
		    "railhead: there is no command \"%s\"; did you mean %s?\n",
		    shown, near->name);
	else
		fprintf(stderr,
		    "railhead: there is no command \"%s\"; see railhead "
		    "--help\n",
		    shown);
	return EXIT_USAGE;
}

int
cli_run(const struct command *commands, int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_commands(stderr, commands);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_commands(stdout, commands);
		return EXIT_YES;
	}
	command = find_command(
	    commands, strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
	if (command == NULL)
		return unknown_command(commands, argv[1]);
	return command->run(argc - 1, argv + 1);
}

/* ---- options ------------------------------------------------------------ */

static void
print_options(const struct option_table *t, const char *what)
{
	printf("usage: railhead %s%s%s%s\n\n%s\n", t->command,
	    what != NULL ? " " : "", what != NULL ? what : "",
	    t->n_rows > 0 ? " [OPTIONS]" : "", t->about);
	if (t->n_rows > 0)
		printf("\n");
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct option_row *row = &t->rows[i];
		const char *value = row->value != NULL ? row->value : "";
		const char *dashes = row->name[1] != '\0' ? "--" : "-";
		int width =
		    (int)(strlen(dashes) + strlen(row->name) + strlen(value));

		printf("  %s%s %s%*s %s\n", dashes, row->name, value,
		    width < 38 ? 38 - width : 0, "", row->help);
	}
}

/* The words' place of VALUE; -1: it is none of them. */
static int
find_word(const char *words, const char *value)
{
	struct str rest = str_of(words), word;

	for (int i = 0; str_cut(&rest, '|', &word); i++)
		if (str_eqz(word, value))
			return i;
	return -1;
}

static int
set_option(const struct option_row *row, const char *value)
{
	struct option_list *list = row->to;
	int word;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)row->to = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)row->to = value;
		return 0;
	case OPTION_LIST:
		if (list->n == OPTION_LIST_MAX)
			return -1;
		list->values[list->n++] = value;
		return 0;
	case OPTION_CHOICE:
		word = find_word(row->value, value);
		if (word >= 0)
			*(int *)row->to = word;
		return word >= 0 ? 0 : -1;
	}
	unreachable("option type");
}

static int
wrong_use(const struct option_table *t, const char *what, const char *which)
{
	char shown[128];

	fprintf(stderr, "railhead %s: %s %s; see railhead %s --help\n",
	    t->command, what,
	    str_printable(str_of(which), shown, sizeof(shown)), t->command);
	return EXIT_USAGE;
}

static int
wrong_value(const struct option_table *t, const struct option_row *row,
    const char *value)
{
	char shown[128];

	str_printable(str_of(value), shown, sizeof(shown));
	if (row->type == OPTION_LIST)
		fprintf(stderr, "railhead %s: --%s may be given %d times\n",
		    t->command, row->name, OPTION_LIST_MAX);
	else
		fprintf(stderr, "railhead %s: --%s is %s, not \"%s\"\n",
		    t->command, row->name, row->value, shown);
	return EXIT_USAGE;
}

static void
fill_long_options(const struct option_table *t, struct option *options)
{
	check(t->n_rows < OPTIONS_MAX);
	for (size_t i = 0; i < t->n_rows; i++) {
		bool is_flag = t->rows[i].type == OPTION_FLAG;

		options[i] = (struct option){ t->rows[i].name,
			is_flag ? no_argument : required_argument, NULL, 0 };
	}
	options[t->n_rows] = (struct option){ "help", no_argument, NULL, 'h' };
}

/* ":hf:" of a table with a row "f". */
static void
fill_letters(const struct option_table *t, char letters[2 * OPTIONS_MAX + 3])
{
	size_t n = 0;

	letters[n++] = ':';
	letters[n++] = 'h';
	for (size_t i = 0; i < t->n_rows; i++) {
		if (t->rows[i].name[1] != '\0')
			continue;
		letters[n++] = t->rows[i].name[0];
		if (t->rows[i].type != OPTION_FLAG)
			letters[n++] = ':';
	}
	letters[n] = '\0';
}

/* The row that getopt_long() found; NULL: it found none. */
static const struct option_row *
found_row(const struct option_table *t, int c, int which)
{
	if (c == 0)
		return &t->rows[which];
	for (size_t i = 0; i < t->n_rows && c > 0 && c != 'h'; i++)
		if (t->rows[i].name[0] == c && t->rows[i].name[1] == '\0')
			return &t->rows[i];
	return NULL;
}

/* What getopt_long() said at the end: -1, unless something is wrong. */
static int
read_options(const struct option_table *t, int argc, char **argv, int *status)
{
	struct option options[OPTIONS_MAX + 1] = { { NULL, 0, NULL, 0 } };
	char letters[2 * OPTIONS_MAX + 3];
	const struct option_row *row;
	int which = 0, c;

	fill_long_options(t, options);
	fill_letters(t, letters);
	optind = 0; /* glibc: start anew */
	opterr = 0;
	for (;;) {
		c = getopt_long(argc, argv, letters, options, &which);
		row = found_row(t, c, which);
		if (row == NULL)
			return c;
		if (set_option(row, optarg) != 0) {
			*status = wrong_value(t, row, optarg);
			return 0;
		}
	}
}

bool
cli_options_and(const struct option_table *t, const char *what, const char **to,
    int argc, char **argv, int *status)
{
	int c;

	*status = EXIT_USAGE;
	c = read_options(t, argc, argv, status);
	if (c == 'h') {
		print_options(t, what);
		*status = EXIT_YES;
	} else if (c == ':') {
		*status =
		    wrong_use(t, "a value is missing after", argv[optind - 1]);
	} else if (c != -1 && c != 0) {
		*status = wrong_use(t, "there is no option", argv[optind - 1]);
	} else if (c == -1 && what != NULL && optind == argc) {
		*status = wrong_use(t, "this takes a", what);
	} else if (c == -1 && optind + (what != NULL) < argc) {
		*status =
		    wrong_use(t, "no use for", argv[optind + (what != NULL)]);
	} else if (c == -1) {
		if (what != NULL)
			*to = argv[optind];
		return true;
	}
	return false;
}

bool
cli_options(const struct option_table *t, int argc, char **argv, int *status)
{
	return cli_options_and(t, NULL, NULL, argc, argv, status);
}

int
cli_fail(int status, const char *command, const char *message)
{
	fprintf(stderr, "railhead %s: %s\n", command, message);
	return status;
}
