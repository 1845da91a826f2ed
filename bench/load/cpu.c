/*
 * cpu.c - processor time of the server's processes, from /proc/PID/stat.
 */
#include "cpu.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static double
cpu_of_one(pid_t pid)
{
	char path[64], line[LINE_MAX_BYTES] = "";
	unsigned long user = 0, system = 0;
	const char *name_end;
	FILE *in;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	in = fopen(path, "r");
	if (in == NULL)
		return 0;
	if (fgets(line, sizeof(line), in) == NULL)
		line[0] = '\0';
	(void)fclose(in);
	/* The name may hold anything; utime and stime are fields 14 and 15. */
	name_end = strrchr(line, ')');
	if (name_end == NULL ||
	    sscanf(name_end + 1,
		" %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user,
		&system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double
cpu_of(const pid_t *pids, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += cpu_of_one(pids[i]);
	return sum;
}
