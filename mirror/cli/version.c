/*
 * version.c - railhead version.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "common/version.h"

int
cli_version(int argc, char **argv)
{
	static const struct option_table table = {
		.command = "version",
		.about = "Prints the version and the commit it was built from.",
	};
	int status;

	if (!cli_options(&table, argc, argv, &status))
		return status;
	printf("railhead %s (%s)\n", version_number(), version_commit());
	return EXIT_YES;
}
