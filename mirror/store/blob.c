/*
 * blob.c - the file of a stored blob.
 */
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

/* Serving must not write access times; only a file's owner may ask for that. */
static int
open_file(const struct store *s, const struct digest *d)
{
	char name[DIGEST_TEXT_MAX];
	int folder = store_folder_of(s, d);
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd = openat(folder, digest_hex(d, name), flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = openat(folder, name, flags);
	return fd;
}

static int
check_file(int fd, const struct digest *d, uint64_t size, struct err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, ERR_DISK, "can't look at the file of %s",
		    digest_text(d, text));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_NOT_FOUND,
		    "the file of %s is not a file", digest_text(d, text));
	if ((uint64_t)st.st_size != size)
		return err_set(err, ERR_NOT_FOUND,
		    "the file of %s has %" PRIu64 " bytes, not %" PRIu64,
		    digest_text(d, text), (uint64_t)st.st_size, size);
	return 0;
}

struct shared_fd *
blob_open(
    struct store *s, const struct digest *d, uint64_t size, struct err *err)
{
	char text[DIGEST_TEXT_MAX];
	struct shared_fd *shared;
	int fd = open_file(s, d);

	if (fd < 0) {
		(void)err_errno(err,
		    errno == ENOENT || errno == ELOOP ? ERR_NOT_FOUND
						      : ERR_DISK,
		    "can't open the file of %s", digest_text(d, text));
		return NULL;
	}
	if (check_file(fd, d, size, err) != 0) {
		(void)close(fd);
		return NULL;
	}
	shared = shared_fd_new(fd);
	if (shared == NULL)
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for a file");
	return shared;
}
