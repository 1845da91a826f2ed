/*
 * layout.c - the store's folders, its lock and its version.
 *
 * An OCI image layout with folders of ours beside it.  Nothing is made before
 * the lock is held and the version is known to be ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

#define VERSION 1

static const char oci_layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
static const char index_json[] =
    "{\"schemaVersion\":2,"
    "\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
    "\"manifests\":[]}\n";

/* clang-format off */
/* A parent stands before its children. */
static const struct {
	const char *name;
	int folder; /* -1: not kept open */
} folders[] = {
	{ "blobs",        -1 },
	{ "blobs/sha256", FOLDER_SHA256 },
	{ "blobs/sha512", FOLDER_SHA512 },
	{ "drafts",       FOLDER_DRAFTS },
	{ "quarantine",   FOLDER_QUARANTINE },
	{ "state",        FOLDER_STATE },
};

#define DENIED                                                                 \
	"permission denied; give the folder to the user that runs railhead"
static const struct {
	int error;
	enum err_code code;
	const char *why_and_what_to_do;
} advice[] = {
	{ EROFS,   ERR_DISK,      "it is on a disk mounted read-only; mount it "
	                          "writable, or name another folder in store.path" },
	{ EACCES,  ERR_DISK,      DENIED },
	{ EPERM,   ERR_DISK,      DENIED },
	{ ENOTDIR, ERR_DISK,      "it is not a folder; name a folder in store.path" },
	{ ENOENT,  ERR_DISK,      "the folder above it is missing; make that, or "
	                          "name another one in store.path" },
	{ ENOSPC,  ERR_DISK_FULL, "the disk is full; free some of it" },
	{ EDQUOT,  ERR_DISK_FULL, "the user's disk quota is used up; raise it" },
};
#undef DENIED
/* clang-format on */

int
layout_refuse(struct err *err, const char *path, const char *what)
{
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		if (advice[i].error != errno)
			continue;
		return err_set(err, advice[i].code,
		    "can't %s of the store at %s: %s", what, path,
		    advice[i].why_and_what_to_do);
	}
	return err_errno(
	    err, ERR_DISK, "can't %s of the store at %s", what, path);
}

/* ---- lock --------------------------------------------------------------- */

static int
refuse_in_use(const struct store *s, struct err *err)
{
	char text[24];
	ssize_t n = disk_read(s->lock_fd, 0, text, sizeof(text));
	struct str who = str_trim((struct str){ text, n > 0 ? (size_t)n : 0 });
	uint64_t pid;

	if (str_ends(who, STR("\n")))
		who.n--;
	if (!str_u64(who, &pid))
		return err_set(err, ERR_CONFIG,
		    "the store at %s is in use by another process: stop that "
		    "one, or name another folder in store.path",
		    s->path);
	return err_set(err, ERR_CONFIG,
	    "the store at %s is in use by process %llu: stop that one, or "
	    "name another folder in store.path",
	    s->path, (unsigned long long)pid);
}

static int
take_lock(struct store *s, struct err *err)
{
	char pid[24];
	int n;

	s->lock_fd = openat(s->folders[FOLDER_ROOT], "lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->lock_fd < 0)
		return layout_refuse(err, s->path, "open the lock");
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return refuse_in_use(s, err);
		return layout_refuse(err, s->path, "take the lock");
	}
	/* For people only; a full disk is no reason not to serve. */
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) == 0)
		(void)disk_write(s->lock_fd, 0, pid, (size_t)n);
	return 0;
}

/* ---- version ------------------------------------------------------------ */

static int
check_version(const struct store *s, struct err *err)
{
	char text[24];
	ssize_t n = disk_load(
	    s->folders[FOLDER_ROOT], "state/version", text, sizeof(text));
	struct str shown = { text, n > 0 ? (size_t)n : 0 };
	uint64_t version;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return layout_refuse(err, s->path, "read the version");
	if (str_ends(shown, STR("\n")))
		shown.n--;
	if (!str_u64(shown, &version) || version == 0)
		return err_set(err, ERR_CONFIG,
		    "state/version of the store at %s does not hold a version: "
		    "put it right, or name another folder in store.path",
		    s->path);
	if (version > VERSION)
		return err_set(err, ERR_CONFIG,
		    "the store at %s has version %llu, this railhead knows "
		    "versions up to %d: run a newer one, or name another "
		    "folder in store.path",
		    s->path, (unsigned long long)version, VERSION);
	return 0;
}

/* ---- folders and files -------------------------------------------------- */

static int
open_root(struct store *s, struct err *err)
{
	int fd;

	if (mkdir(s->path, 0755) != 0 && errno != EEXIST)
		return layout_refuse(err, s->path, "make the folder");
	fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return layout_refuse(err, s->path, "open the folder");
	s->folders[FOLDER_ROOT] = fd;
	return 0;
}

static int
make_folders(struct store *s, struct err *err)
{
	int root = s->folders[FOLDER_ROOT];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int fd;

		if (mkdirat(root, folders[i].name, 0755) != 0 &&
		    errno != EEXIST)
			return layout_refuse(err, s->path, "make a folder");
		fd = openat(
		    root, folders[i].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return layout_refuse(err, s->path, "open a folder");
		if (folders[i].folder < 0)
			(void)close(fd);
		else
			s->folders[folders[i].folder] = fd;
	}
	return 0;
}

static int
make_file(struct store *s, enum folder folder, const char *name,
    struct str bytes, struct err *err)
{
	if (faccessat(s->folders[folder], name, F_OK, 0) == 0)
		return 0;
	if (errno != ENOENT || disk_save(s->folders[folder], name, bytes) != 0)
		return layout_refuse(err, s->path, "write a file");
	return 0;
}

static int
make_files(struct store *s, struct err *err)
{
	char version[24];
	int n = snprintf(version, sizeof(version), "%d\n", VERSION);

	if (make_file(s, FOLDER_ROOT, "oci-layout",
		(struct str){ oci_layout, sizeof(oci_layout) - 1 }, err) != 0 ||
	    make_file(s, FOLDER_ROOT, "index.json",
		(struct str){ index_json, sizeof(index_json) - 1 }, err) != 0)
		return -1;
	return make_file(s, FOLDER_STATE, "version",
	    (struct str){ version, (size_t)n }, err);
}

int
folder_open(struct store *s, struct err *err)
{
	if (open_root(s, err) != 0 || take_lock(s, err) != 0 ||
	    check_version(s, err) != 0 || make_folders(s, err) != 0)
		return -1;
	return make_files(s, err);
}

void
layout_close(struct store *s)
{
	for (int i = 0; i < FOLDER_COUNT; i++) {
		if (s->folders[i] >= 0)
			(void)close(s->folders[i]);
		s->folders[i] = -1;
	}
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	s->lock_fd = -1;
}
