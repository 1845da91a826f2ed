/*
 * cli.h - the commands of the railhead binary, one file each.
 *
 * A command gets its arguments without the program's name (argv[0] is the
 * command) and returns the exit status: 0 yes, 1 no, 2 wrong use,
 * 3 unreachable.  Answers go to stdout; what people are told beside them, to
 * stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum exit_status {
	EXIT_YES = 0,
	EXIT_NO = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3
};

struct command {
	const char *name;
	const char *help; /* one line */
	int (*run)(int argc, char **argv);
};

int cli_check(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_links(int argc, char **argv);
int cli_sites(int argc, char **argv);
int cli_hosts(int argc, char **argv);
int cli_images(int argc, char **argv);
int cli_warm(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_gate(int argc, char **argv);
int cli_freeze(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Finds and runs ARGV[1]; COMMANDS ends with a NULL name. */
int cli_run(const struct command *commands, int argc, char **argv);

/* ---- options ------------------------------------------------------------ */

enum option_type {
	OPTION_FLAG,   /* --json:          to is a bool */
	OPTION_TEXT,   /* --config FILE:   to is a const char * */
	OPTION_LIST,   /* --mirror URL...: to is a struct option_list */
	OPTION_CHOICE, /* --fallback yes:  to is an int, the word's place */
};

#define OPTION_LIST_MAX 128
struct option_list {
	const char *values[OPTION_LIST_MAX];
	size_t n;
};

struct option_row {
	const char *name; /* of one letter: -f */
	enum option_type type;
	void *to;          /* holds the default before */
	const char *value; /* "FILE"; of a choice its words, "yes|no" */
	const char *help;
};

struct option_table {
	const char *command;
	const char *about; /* a sentence or two for --help */
	const struct option_row *rows;
	size_t n_rows;
};

/*
 * Reads the options of a command that takes nothing else.  False: that is all,
 * leave with *status: --help was printed (EXIT_YES), or what is wrong was
 * (EXIT_USAGE).
 */
bool cli_options(
    const struct option_table *, int argc, char **argv, int *status);
/* The same of a command that takes one thing beside its options, WHAT ("NAME"),
 * before or after them. */
bool cli_options_and(const struct option_table *, const char *what,
    const char **to, int argc, char **argv, int *status);
/* "railhead COMMAND: MESSAGE" on stderr; returns STATUS. */
int cli_fail(int status, const char *command, const char *message);

#endif
