/*
 * sweep.c - what lies in drafts/ at start.
 *
 * What can be resumed stays: a file named by its digest, with a map that says
 * which of its bytes are good.  Second copies, files half put and maps without
 * a file go.  Names that are not of ours are left alone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft_int.h"

enum kind { FOREIGN, DRAFT, COPY, MAP, PUT };

static bool
is_digest(struct str name)
{
	char text[DRAFT_NAME_MAX];
	struct digest d;
	struct err err;
	size_t dash = str_index(name, '-');

	if (dash == name.n || name.n >= sizeof(text))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s:%.*s", (int)dash, name.p,
	    STR_ARG(str_from(name, dash + 1)));
	return digest_parse(&d, str_of(text), &err) == 0;
}

static enum kind
kind_of(struct str name)
{
	size_t dot = str_index(name, '.');
	struct str tail = str_from(name, dot);
	uint64_t n;

	if (str_starts(name, STR("put-")))
		return PUT;
	if (!is_digest((struct str){ name.p, dot }))
		return FOREIGN;
	if (tail.n == 0)
		return DRAFT;
	if (str_eq(tail, STR(".map")))
		return MAP;
	return str_u64(str_from(tail, 1), &n) ? COPY : FOREIGN;
}

static uint64_t
resumable(int folder, const char *name, const char *map_name)
{
	int fd = openat(folder, map_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct draft_map m;
	struct stat st;
	uint64_t n = 0;

	if (fd < 0)
		return 0;
	draft_map_init(&m);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		(void)close(fd);
	else if (draft_map_load(&m, fd, (uint64_t)st.st_size) == 0)
		n = m.n_bytes;
	draft_map_done(&m);
	return n;
}

static uint64_t
sweep_draft(int folder, const char *name)
{
	char map_name[DRAFT_NAME_MAX + 4];
	uint64_t n;

	(void)snprintf(map_name, sizeof(map_name), "%s.map", name);
	n = resumable(folder, name, map_name);
	if (n == 0) {
		(void)disk_remove(folder, name);
		(void)disk_remove(folder, map_name);
	}
	return n;
}

static void
sweep_map(int folder, const char *map_name)
{
	char name[DRAFT_NAME_MAX];
	size_t n = strlen(map_name) - strlen(".map");

	(void)snprintf(name, sizeof(name), "%.*s", (int)n, map_name);
	if (faccessat(folder, name, F_OK, 0) != 0)
		(void)disk_remove(folder, map_name);
}

static uint64_t
sweep_entry(int folder, const char *name)
{
	switch (kind_of(str_of(name))) {
	case FOREIGN:
		return 0;
	case DRAFT:
		return sweep_draft(folder, name);
	case MAP:
		sweep_map(folder, name);
		return 0;
	case COPY:
	case PUT:
		(void)disk_remove(folder, name);
		return 0;
	}
	return 0;
}

uint64_t
sweep_drafts(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t bytes = 0;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL)
		bytes += sweep_entry(folder, entry->d_name);
	(void)closedir(dir);
	return bytes;
}
