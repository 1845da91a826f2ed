/*
 * check.c - the last words of a process with a bug.
 *
 * One write, without stdio: another thread may hold its lock.
 */
#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void
check_failed(const char *what, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
	    "railhead: %s:%d: this must not happen: %s\n", file, line, what);

	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(127); /* nobody listens, and we must end anyway */
	abort();
}
