/*
 * draft_disk.c - a draft's files: opening, keeping, removing.  Work threads.
 *
 * Names are digests, so a draft that is being removed and the next one of its
 * digest may meet.  Hence: who drops a draft first spoils its map (at once,
 * draft_map_forget()); who opens one without a good map makes new files; who
 * removes files removes only the very ones it had opened.  `drafts_lock` makes
 * each of these one step.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft_int.h"

void
draft_names(struct draft *d)
{
	char hex[DIGEST_TEXT_MAX];
	const char *alg = digest_alg_name(&d->spec.digest);

	(void)digest_hex(&d->spec.digest, hex);
	if (d->spec.copy == 0)
		(void)snprintf(d->name, sizeof(d->name), "%s-%s", alg, hex);
	else
		(void)snprintf(d->name, sizeof(d->name), "%s-%s.%u", alg, hex,
		    d->spec.copy + 1);
	(void)snprintf(d->map_name, sizeof(d->map_name), "%s.map", d->name);
}

static int
failed(const struct draft *d, const char *what, struct err *err)
{
	return err_errno(err, ERR_DISK, "can't %s the draft %s/drafts/%s", what,
	    d->store->path, d->name);
}

/* ---- opening ------------------------------------------------------------ */

static int
open_old(const struct draft *d, const char *name)
{
	return openat(d->store->folders[FOLDER_DRAFTS], name,
	    O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static int
open_new(const struct draft *d, const char *name)
{
	int folder = d->store->folders[FOLDER_DRAFTS];

	if (disk_remove(folder, name) != 0)
		return -1;
	return openat(folder, name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
}

/* The file of an earlier draft, its map loaded; -1 when there is none. */
static int
open_resumed(struct draft *d)
{
	int fd = open_old(d, d->name);
	int map_fd = fd < 0 ? -1 : open_old(d, d->map_name);
	struct stat st;

	if (map_fd >= 0 && fstat(fd, &st) == 0 &&
	    draft_map_load(&d->map, map_fd, (uint64_t)st.st_size) == 0)
		return fd;
	draft_map_done(&d->map);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static int
open_fresh(struct draft *d, struct err *err)
{
	int fd = open_new(d, d->name);
	int map_fd;

	if (fd < 0)
		return failed(d, "make", err);
	if (d->spec.copy > 0)
		return fd;
	map_fd = open_new(d, d->map_name);
	if (map_fd < 0) {
		(void)failed(d, "make the map of", err);
		(void)close(fd);
		return -1;
	}
	draft_map_create(&d->map, map_fd);
	return fd;
}

int
draft_disk_open(struct draft *d, struct err *err)
{
	pthread_mutex_t *lock = &d->store->drafts_lock;
	int fd = -1;

	if (pass_init(&d->pass, d->spec.digest.alg, err) != 0)
		return -1;
	(void)pthread_mutex_lock(lock);
	if (d->spec.copy == 0)
		fd = open_resumed(d);
	d->was_resumed = fd >= 0;
	if (fd < 0)
		fd = open_fresh(d, err);
	(void)pthread_mutex_unlock(lock);
	if (fd < 0)
		return -1;
	d->fd = shared_fd_new(fd);
	if (d->fd == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory for a file");
	return 0;
}

/* ---- keeping ------------------------------------------------------------ */

/* Bytes behind the size are of an earlier, longer attempt. */
static int
trim(const struct draft *d, struct err *err)
{
	struct stat st;
	int fd = d->fd->fd;

	if (fstat(fd, &st) != 0)
		return failed(d, "look at", err);
	if ((uint64_t)st.st_size < d->map.size)
		return err_set(err, ERR_DISK,
		    "the draft %s/drafts/%s has %" PRIu64 " bytes, not %" PRIu64
		    ": something else changed it",
		    d->store->path, d->name, (uint64_t)st.st_size, d->map.size);
	if ((uint64_t)st.st_size > d->map.size &&
	    ftruncate(fd, (off_t)d->map.size) != 0)
		return failed(d, "trim", err);
	return 0;
}

/* Removes NAME if it is the file that is open as FD.  What can't be removed
 * is swept away at the next start. */
static void
remove_own(const struct draft *d, const char *name, int fd)
{
	int folder = d->store->folders[FOLDER_DRAFTS];

	if (fd >= 0 && disk_is(folder, name, fd))
		(void)disk_remove(folder, name);
}

/* Two drafts of one digest may have the same file open: then the first one to
 * come here has renamed it for both. */
static int
rename_to_blob(const struct draft *d, int blobs)
{
	int drafts = d->store->folders[FOLDER_DRAFTS];
	char hex[DIGEST_TEXT_MAX];
	int status = 0;

	(void)digest_hex(&d->spec.digest, hex);
	(void)pthread_mutex_lock(&d->store->drafts_lock);
	if (disk_is(drafts, d->name, d->fd->fd)) {
		status = disk_rename(drafts, d->name, blobs, hex);
	} else if (!disk_is(blobs, hex, d->fd->fd)) {
		errno = ENOENT;
		status = -1;
	}
	if (status == 0)
		remove_own(d, d->map_name, d->map.fd);
	(void)pthread_mutex_unlock(&d->store->drafts_lock);
	return status;
}

int
draft_disk_keep(struct draft *d, struct err *err)
{
	int blobs = store_folder_of(d->store, &d->spec.digest);

	if (trim(d, err) != 0)
		return -1;
	if (disk_sync_file(d->fd->fd) != 0)
		return failed(d, "sync", err);
	if (rename_to_blob(d, blobs) != 0)
		return failed(d, "rename", err);
	if (disk_sync_folder(blobs) != 0)
		return failed(d, "sync the new folder of", err);
	return 0;
}

/* ---- removing ----------------------------------------------------------- */

void
draft_disk_remove(struct draft *d)
{
	(void)pthread_mutex_lock(&d->store->drafts_lock);
	remove_own(d, d->name, d->fd->fd);
	remove_own(d, d->map_name, d->map.fd);
	(void)pthread_mutex_unlock(&d->store->drafts_lock);
}
