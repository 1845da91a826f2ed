/*
 * file.c - reading files to their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file_int.h"

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
