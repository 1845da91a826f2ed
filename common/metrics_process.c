/*
 * metrics_process.c - process_*, as Prometheus' own libraries name them.
 *
 * All comes from /proc/self and getrusage() while it is asked for.  What
 * can't be read is left out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/str.h"
#include "metrics_int.h"

#define PROC_FILE_MAX 4096 /* bytes that we read of a file in /proc */

/* The start of a file in /proc, terminated; "" when it can't be read. */
static const char *
proc_read(const char *path, char text[PROC_FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, PROC_FILE_MAX - 1);

	if (fd >= 0)
		(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static bool
cpu_us(int64_t *out)
{
	struct rusage r;

	if (getrusage(RUSAGE_SELF, &r) != 0)
		return false;
	*out = ((int64_t)r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	    r.ru_utime.tv_usec + r.ru_stime.tv_usec;
	return true;
}

/* Field N (from 0) of statm, which is in pages. */
static bool
statm_bytes(size_t n, int64_t *out)
{
	char text[PROC_FILE_MAX];
	struct str rest = str_of(proc_read("/proc/self/statm", text));
	struct str field;
	uint64_t pages;

	for (size_t i = 0; i <= n; i++)
		if (!str_cut(&rest, ' ', &field))
			return false;
	if (!str_u64(field, &pages))
		return false;
	*out = (int64_t)pages * sysconf(_SC_PAGESIZE);
	return true;
}

static bool
virtual_bytes(int64_t *out)
{
	return statm_bytes(0, out);
}

static bool
resident_bytes(int64_t *out)
{
	return statm_bytes(1, out);
}

static bool
anonymous_bytes(int64_t *out)
{
	char text[PROC_FILE_MAX];
	const char *row =
	    strstr(proc_read("/proc/self/status", text), "\nRssAnon:");
	long long kib;

	if (row == NULL || sscanf(row, "\nRssAnon: %lld kB", &kib) != 1)
		return false;
	*out = kib * 1024;
	return true;
}

/* The kernel knows when we started since its boot, in ticks: the 20th number
 * behind the program's name, which may itself have spaces. */
static bool
start_ms(int64_t *out)
{
	static int64_t started_ms; /* once: the clocks drift */
	char text[PROC_FILE_MAX];
	const char *rest = strrchr(proc_read("/proc/self/stat", text), ')');
	struct timespec boot;
	long long ticks;

	if (started_ms == 0) {
		if (rest == NULL ||
		    sscanf(rest,
			") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			"%*s %*s %*s %*s %*s %*s %lld",
			&ticks) != 1 ||
		    clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
			return false;
		started_ms = clock_wall_ms() - (int64_t)boot.tv_sec * 1000 -
		    boot.tv_nsec / 1000000 +
		    ticks * 1000 / sysconf(_SC_CLK_TCK);
	}
	*out = started_ms;
	return true;
}

static bool
open_fds(int64_t *out)
{
	DIR *dir = opendir("/proc/self/fd");
	int64_t n = -3; /* ".", ".." and the folder itself */

	if (dir == NULL)
		return false;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	*out = n;
	return true;
}

static bool
max_fds(int64_t *out)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	*out = (int64_t)limit.rlim_cur;
	return true;
}

/* clang-format off */
static const struct {
	const char *name;
	const char *kind;
	uint64_t per_unit;
	bool (*read)(int64_t *out);
	const char *help;
} rows[] = {
	{ "process_cpu_seconds_total", "counter", 1000000, cpu_us,
	  "Processor time spent, user and system." },
	{ "process_resident_memory_bytes", "gauge", 1, resident_bytes,
	  "Resident memory, the page cache's mapped pages included." },
	{ "process_anonymous_memory_bytes", "gauge", 1, anonymous_bytes,
	  "Resident memory that no file backs." },
	{ "process_virtual_memory_bytes", "gauge", 1, virtual_bytes,
	  "Address space in use." },
	{ "process_start_time_seconds", "gauge", 1000, start_ms,
	  "When the process started, in seconds since 1970." },
	{ "process_open_fds", "gauge", 1, open_fds,
	  "Open file descriptors." },
	{ "process_max_fds", "gauge", 1, max_fds,
	  "Limit on open file descriptors." },
};
/* clang-format on */

void
metrics_put_process(struct buf *out)
{
	int64_t value;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].read(&value))
			continue;
		metrics_put_head(out, rows[i].name, rows[i].kind, rows[i].help);
		buf_printf(out, "%s ", rows[i].name);
		metrics_put_scaled(out, value, rows[i].per_unit);
		buf_addz(out, "\n");
	}
}
