/*
 * cli.h - the commands of the railhead binary, one file each.
 *
 * A command gets its arguments without the program's name (argv[0] is the
 * command) and returns the exit status: 0 yes, 1 no, 2 wrong use, 3 unreachable.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum exit_status { EXIT_YES = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct command {
	const char *name;
	const char *help; /* one line */
	int (*run)(int argc, char **argv);
};

int cli_check(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_hosts(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Finds and runs ARGV[1]; COMMANDS ends with a NULL name. */
int cli_run(const struct command *commands, int argc, char **argv);

#endif
