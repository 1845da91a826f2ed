/*
 * file.c - reading files to their end, and replacing them.
 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 4096u

static int
read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	ssize_t n;
	char *room;

	do {
		room = buf_room(out, PIECE_BYTES);
		if (room == NULL)
			return err_set(err, ERR_TOO_LARGE,
			    "%s has more than %zu bytes", path,
			    out->max - PIECE_BYTES);
		n = read(fd, room, PIECE_BYTES);
		if (n < 0 && errno != EINTR)
			return err_errno(err, ERR_DISK, "reading %s", path);
		out->n += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	return 0;
}

int
file_read(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return err_errno(err,
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_DISK, "opening %s",
		    path);
	rc = read_all(fd, path, out, err);
	(void)close(fd);
	return rc;
}

int
file_read_at(int fd, const char *path, void *out, size_t n, uint64_t offset,
    struct err *err)
{
	char *p = out;
	ssize_t got;

	for (size_t at = 0; at<n; at += got> 0 ? (size_t)got : 0) {
		got = pread(fd, p + at, n - at, (off_t)(offset + at));
		if (got < 0 && errno != EINTR)
			return err_errno(err, ERR_DISK, "reading %s", path);
		if (got == 0)
			return err_set(err, ERR_DISK,
			    "%s ends where more was to come", path);
	}
	return 0;
}

/* ---- replacing ---------------------------------------------------------- */

static int
write_whole(const char *path, struct str bytes)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	ssize_t n;
	int rc;

	if (fd < 0)
		return -1;
	while (bytes.n > 0) {
		n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno != EINTR)
			break;
		bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
	}
	rc = bytes.n == 0 ? fsync(fd) : -1;
	return close(fd) == 0 ? rc : -1;
}

static int
sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[1024] = ".";
	int fd, rc;

	if (slash != NULL)
		(void)snprintf(folder, sizeof(folder), "%.*s",
		    (int)(slash - path + 1), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	(void)close(fd);
	return rc;
}

int
file_replace(const char *path, struct str bytes, struct err *err)
{
	char new[1024];

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return err_set(err, ERR_DISK, "%s is too long a name", path);
	if (write_whole(new, bytes) != 0 || rename(new, path) != 0 ||
	    sync_folder_of(path) != 0)
		return err_errno(err, ERR_DISK, "writing %s", path);
	return 0;
}

int
file_remove(const char *path, struct err *err)
{
	if ((unlink(path) != 0 && errno != ENOENT) || sync_folder_of(path) != 0)
		return err_errno(err, ERR_DISK, "removing %s", path);
	return 0;
}
