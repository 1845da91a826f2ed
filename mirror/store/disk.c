/*
 * disk.c - the system calls of the store that change or read its files.
 *
 * All of them in one place, so that what a disk may do to us (short writes,
 * signals, no room) is dealt with once, and can be brought about on purpose.
 * They block: work threads, and pwrite() into the page cache from loops.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

int
disk_write(int fd, uint64_t offset, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t put = pwrite(fd, p, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
		offset += (uint64_t)put;
	}
	return 0;
}

ssize_t
disk_read(int fd, uint64_t offset, void *bytes, size_t n)
{
	char *p = bytes;
	size_t have = 0;

	while (have < n) {
		ssize_t got =
		    pread(fd, p + have, n - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

int
disk_sync_file(int fd)
{
	return fdatasync(fd);
}

int
disk_sync_folder(int fd)
{
	return fsync(fd);
}

int
disk_rename(int from, const char *name, int to, const char *to_name)
{
	return renameat(from, name, to, to_name);
}

int
disk_remove(int folder, const char *name)
{
	if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
		return -1;
	return 0;
}

bool
disk_is(int folder, const char *name, int fd)
{
	struct stat named, open;

	return fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(fd, &open) == 0 && named.st_ino == open.st_ino &&
	    named.st_dev == open.st_dev;
}

ssize_t
disk_load(int folder, const char *name, void *bytes, size_t cap)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		if ((uint64_t)st.st_size > cap)
			errno = EFBIG;
		else
			n = disk_read(fd, 0, bytes, cap);
	}
	(void)close(fd);
	return n;
}

static int
write_new(int folder, const char *name, struct str bytes)
{
	int fd = openat(
	    folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int status;

	if (fd < 0)
		return -1;
	status = disk_write(fd, 0, bytes.p, bytes.n);
	if (status == 0)
		status = disk_sync_file(fd);
	(void)close(fd);
	return status;
}

int
disk_save(int folder, const char *name, struct str bytes)
{
	char temporary[64];

	(void)snprintf(temporary, sizeof(temporary), "%s.new", name);
	if (write_new(folder, temporary, bytes) != 0 ||
	    disk_rename(folder, temporary, folder, name) != 0) {
		int error = errno;

		(void)disk_remove(folder, temporary);
		errno = error;
		return -1;
	}
	return disk_sync_folder(folder);
}
