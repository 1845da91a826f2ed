/*
 * test_store_open_blobs.c - files that are kept open, and when they are not used
 * again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "store/open_blobs.h"

#define SIZE 5000u

struct kept {
	struct open_blobs *open;
	struct blob blob;
	ino_t inode; /* of the file that is kept */
};

int64_t __real_clock_wall_s(void);
int64_t __wrap_clock_wall_s(void);
static int64_t later_s; /* how much later it is taken to be */

int64_t
__wrap_clock_wall_s(void)
{
	return __real_clock_wall_s() + later_s;
}

static struct shared_fd *
get(struct kept *k)
{
	struct err err;

	return open_blobs_get(k->open, &k->blob.digest, SIZE, &err);
}

static ino_t
inode_of(const struct shared_fd *file)
{
	struct stat st;

	assert_int_equal(fstat(file->fd, &st), 0);
	return st.st_ino;
}

/* One blob in the store, got once. */
static void
keep_one(struct fixture *f, struct kept *k)
{
	struct shared_fd *file;
	struct draft *draft;
	struct err err;

	k->blob = make_blob(SIZE, 1);
	draft = open_draft(f, &k->blob.digest);
	draft_set_size(draft, SIZE);
	write_all(draft, 0, k->blob.bytes, SIZE);
	keep_draft(f, draft);
	draft_leave(draft);
	later_s = 10;
	k->open = open_blobs_new(f->store, f->loop, &err);
	assert_non_null(k->open);
	file = get(k);
	assert_non_null(file);
	k->inode = inode_of(file);
	shared_fd_unref(file);
}

static void
done(struct kept *k)
{
	open_blobs_free(k->open);
	free(k->blob.bytes);
}

static void
is_opened_once(void **state)
{
	struct kept k;
	struct shared_fd *first, *second;

	keep_one(*state, &k);
	first = get(&k);
	second = get(&k);
	assert_ptr_equal(first, second);
	done(&k); /* before those who hold it */
	assert_int_equal(inode_of(first), k.inode);
	shared_fd_unref(first);
	shared_fd_unref(second);
}

static void
removed(void **state)
{
	struct kept k;
	struct err err;

	keep_one(*state, &k);
	assert_int_equal(unlink(blob_path(*state, &k.blob.digest)), 0);
	assert_null(open_blobs_get(k.open, &k.blob.digest, SIZE, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	done(&k);
}

/* The blob's file changes its name from or to PATH/store/NAME. */
static void
rename_file(
    struct fixture *f, const struct kept *k, const char *name, bool is_to)
{
	char other[128], path[128];

	(void)snprintf(other, sizeof(other), "%s", path_of(f, name));
	(void)snprintf(path, sizeof(path), "%s", blob_path(f, &k->blob.digest));
	assert_int_equal(is_to ? rename(path, other) : rename(other, path), 0);
}

static void
moved_aside(void **state)
{
	struct kept k;

	keep_one(*state, &k);
	rename_file(*state, &k, "quarantine/x", true);
	assert_null(get(&k));
	done(&k);
}

static void
replaced(void **state)
{
	struct kept k;
	struct shared_fd *file;

	keep_one(*state, &k);
	write_file(path_of(*state, "new"), k.blob.bytes, SIZE);
	rename_file(*state, &k, "new", false);
	file = get(&k);
	assert_non_null(file);
	assert_true(inode_of(file) != k.inode);
	shared_fd_unref(file);
	done(&k);
}

static void
cut_short(void **state)
{
	struct kept k;
	struct err err;

	keep_one(*state, &k);
	assert_int_equal(truncate(blob_path(*state, &k.blob.digest), 17), 0);
	assert_null(open_blobs_get(k.open, &k.blob.digest, SIZE, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	done(&k);
}

/* Descriptors of ours that lead to the blob's file. */
static unsigned
n_open(const struct kept *k)
{
	struct stat st;
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fstat(fd, &st) == 0 && st.st_ino == k->inode &&
		    st.st_size == SIZE;
	return n;
}

/* Its next change could have the same time. */
static void
just_changed(void **state)
{
	struct kept k;
	struct shared_fd *file;

	keep_one(*state, &k);
	assert_int_equal(chmod(blob_path(*state, &k.blob.digest), 0600), 0);
	later_s = 0;
	file = get(&k);
	assert_int_equal(n_open(&k), 1);
	shared_fd_unref(file);
	assert_int_equal(n_open(&k), 0);
	done(&k);
}

static void
is_closed_when_nobody_asks(void **state)
{
	struct kept k;

	keep_one(*state, &k);
	assert_int_equal(n_open(&k), 1);
	AWAIT((struct fixture *)*state, n_open(&k) == 0);
	done(&k);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_opened_once),
		TEST(removed),
		TEST(moved_aside),
		TEST(replaced),
		TEST(cut_short),
		TEST(just_changed),
		TEST(is_closed_when_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
