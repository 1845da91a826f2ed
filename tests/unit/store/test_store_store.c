/*
 * test_store_store.c - opening and refusing, puts, quarantine, full disks.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static void
assert_file(const char *path, const char *want)
{
	char got[256] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	(void)!fread(got, 1, sizeof(got) - 1, file);
	(void)fclose(file);
	assert_string_equal(got, want);
}

/* ---- opening ------------------------------------------------------------ */

static void
is_an_image_layout(void **state)
{
	struct fixture *f = *state;
	char pid[32];

	assert_file(
	    path_of(f, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}\n");
	assert_file(path_of(f, "index.json"),
	    "{\"schemaVersion\":2,\"mediaType\":"
	    "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}\n");
	assert_file(path_of(f, "state/version"), "1\n");
	(void)snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	assert_file(path_of(f, "lock"), pid);
	assert_true(is_there(path_of(f, "blobs/sha256")));
	assert_true(is_there(path_of(f, "blobs/sha512")));
	assert_true(is_there(path_of(f, "quarantine")));
}

static void
what_is_there_stays(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	write_file(path_of(f, "index.json"), "{}", 2);
	open_store(f);
	assert_file(path_of(f, "index.json"), "{}");
	assert_false(is_there(path_of(f, "index.json.new")));
}

static void
one_process_at_a_time(void **state)
{
	struct fixture *f = *state;
	char sentence[64];
	int ready[2], go[2];
	char byte;
	pid_t pid;

	close_store(f);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		open_store(f);
		(void)!write(ready[1], "r", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)snprintf(sentence, sizeof(sentence),
	    "is in use by process %d: stop", (int)pid);
	assert_refused(f, sentence);
	assert_refused(f, f->store_path);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	open_store(f); /* it died with the lock */
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(go[i]);
	}
}

static void
versions(void **state)
{
	static const struct {
		const char *text, *sentence;
	} refused[] = {
		{ "2\n",
		    "has version 2, this railhead knows versions up to 1" },
		{ "18446744073709551615", "has version" },
		{ "0\n", "does not hold a version" },
		{ "one\n", "does not hold a version" },
		{ "", "does not hold a version" },
		{ "1 and very much more than that", "read the version" },
	};
	struct fixture *f = *state;

	close_store(f);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		write_file(path_of(f, "state/version"), refused[i].text,
		    strlen(refused[i].text));
		assert_refused(f, refused[i].sentence);
	}
	write_file(path_of(f, "state/version"), "1", 1);
	open_store(f);
}

/* A store of a newer version is not touched. */
static void
nothing_is_made_before_the_version_is_known(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	assert_int_equal(run("cd %s && rm -r blobs drafts index oci-layout && "
			     "echo 7 > state/version",
			     f->store_path),
	    0);
	assert_refused(f, "version 7");
	assert_false(is_there(path_of(f, "blobs")));
	assert_false(is_there(path_of(f, "oci-layout")));
	write_file(path_of(f, "state/version"), "1", 1);
	open_store(f);
}

static void
places_that_wont_do(void **state)
{
	struct fixture *f = *state;
	char *path = strdup(f->store_path);

	close_store(f);
	(void)snprintf(
	    f->store_path, sizeof(f->store_path), "%s/none/such", f->path);
	assert_refused(f, "the folder above it is missing; make that");
	(void)snprintf(
	    f->store_path, sizeof(f->store_path), "%s/file", f->path);
	write_file(f->store_path, "x", 1);
	assert_refused(f, "it is not a folder; name a folder in store.path");
	(void)snprintf(f->store_path, sizeof(f->store_path), "%s", path);
	open_store(f);
	free(path);
}

static void
no_permission(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	close_store(f);
	assert_int_equal(chmod(f->path, 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (seteuid(65534) != 0)
			_exit(2);
		assert_refused(f, "give the folder to the user");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_store(f);
}

/* ---- puts --------------------------------------------------------------- */

struct put {
	struct store_put put;
	struct fixture *f;
	unsigned n_done;
};

static void
on_put(struct store_put *p)
{
	struct put *put = (struct put *)(void *)p;

	put->n_done++;
}

static void
put_bytes(struct fixture *f, struct put *p, struct str bytes, bool is_public)
{
	*p = (struct put){ .f = f };
	p->put.digest = digest_for(bytes.p, bytes.n);
	p->put.bytes = bytes;
	p->put.batch = index_batch_new();
	p->put.home = f->loop;
	p->put.done = on_put;
	p->put.is_public = is_public;
	index_batch_manifest(p->put.batch, &p->put.digest, STR("type"), bytes);
	store_put(f->store, &p->put);
	assert_int_equal(p->n_done, 0);
}

static void
many_puts(void **state)
{
	enum { N = 20 };
	struct fixture *f = *state;
	char *bytes = make_bytes(N * 100, 1);
	struct put all[N];
	struct index_reader *r;
	struct manifest_row row;
	struct blob_row blob;
	struct err err;

	for (unsigned i = 0; i < N; i++)
		put_bytes(f, &all[i], (struct str){ bytes, i * 100 }, i % 2);
	for (unsigned i = 0; i < N; i++) {
		AWAIT(f, all[i].n_done == 1);
		assert_int_equal(all[i].put.status, 0);
	}
	r = index_reader_new(f->store, &err);
	for (unsigned i = 0; i < N; i++) {
		assert_stored(f, bytes, i * 100);
		assert_true(index_find_blob(r, &all[i].put.digest, &blob));
		assert_int_equal(blob.is_public, i % 2);
		assert_true(index_find_manifest(r, &all[i].put.digest, &row));
	}
	index_reader_free(r);
	assert_int_equal(count_files(path_of(f, "drafts")), 0);
	assert_int_equal(metric_value(metric_get(M_store_commits_total)), N);
	free(bytes);
}

static void
a_put_that_fails(void **state)
{
	struct fixture *f = *state;
	struct index_reader *r;
	struct blob_row blob;
	struct put p;
	struct err err;

	assert_int_equal(run("rm -r %s/blobs/sha256", f->store_path), 0);
	put_bytes(f, &p, STR("bytes"), false);
	AWAIT(f, p.n_done == 1);
	assert_int_equal(p.put.status, -1);
	assert_int_equal(p.put.error.code, ERR_DISK);
	assert_non_null(strstr(p.put.error.text, "sha256:"));
	r = index_reader_new(f->store, &err);
	assert_false(index_find_blob(r, &p.put.digest, &blob));
	index_reader_free(r);
	assert_int_equal(count_files(path_of(f, "drafts")), 0);
}

static void
a_put_whose_rows_are_refused(void **state)
{
	struct fixture *f = *state;
	char scope[300];
	struct put p = { .f = f };

	memset(scope, 'a', sizeof(scope));
	p.put.digest = digest_for("x", 1);
	p.put.bytes = STR("x");
	p.put.batch = index_batch_new();
	p.put.home = f->loop;
	p.put.done = on_put;
	index_batch_member(p.put.batch, (struct str){ scope, sizeof(scope) },
	    &p.put.digest, 1);
	store_put(f->store, &p.put);
	AWAIT(f, p.n_done == 1);
	assert_int_equal(p.put.status, -1);
	assert_int_equal(p.put.error.code, ERR_NAME_INVALID);
}

static void
closing_finishes_puts(void **state)
{
	struct fixture *f = *state;
	struct put p;

	put_bytes(f, &p, STR("bytes"), false);
	close_store(f);
	while (loop_drain(f->loop) > 0)
		;
	assert_int_equal(p.n_done, 1);
	assert_int_equal(p.put.status, 0);
	open_store(f);
	assert_stored(f, "bytes", 5);
}

/* ---- blobs -------------------------------------------------------------- */

static void
files_that_are_not_blobs(void **state)
{
	struct fixture *f = *state;
	struct digest d = digest_for("bytes", 5), other = digest_for("x", 1);
	struct shared_fd *fd;
	struct err err;

	write_file(blob_path(f, &d), "bytes", 5);
	fd = blob_open(f->store, &d, 5, &err);
	assert_non_null(fd);
	shared_fd_unref(fd);
	assert_null(blob_open(f->store, &d, 6, &err));
	assert_non_null(strstr(err.text, "has 5 bytes, not 6"));
	assert_null(blob_open(f->store, &d, 4, &err));
	assert_null(blob_open(f->store, &other, 1, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(mkdir(blob_path(f, &other), 0755), 0);
	assert_null(blob_open(f->store, &other, 1, &err));
	assert_int_equal(rmdir(blob_path(f, &other)), 0);
	assert_int_equal(symlink("/etc/passwd", blob_path(f, &other)), 0);
	assert_null(blob_open(f->store, &other, 1, &err));
	assert_int_equal(unlink(blob_path(f, &other)), 0);
	assert_int_equal(mkfifo(blob_path(f, &other), 0644), 0);
	assert_null(blob_open(f->store, &other, 0, &err)); /* nor hangs */
}

static void
quarantine(void **state)
{
	struct fixture *f = *state;
	struct index_reader *r;
	struct blob_row blob;
	struct put p;
	struct err err;

	put_bytes(f, &p, STR("bytes"), false);
	AWAIT(f, p.n_done == 1);
	store_quarantine(f->store, &p.put.digest, 5, "it was short");
	assert_null(commit(f, index_batch_new()));
	assert_stored(f, "bytes", 5); /* it has come anew meanwhile */
	store_quarantine(f->store, &p.put.digest, 99, "it is short");
	assert_null(commit(f, index_batch_new()));
	r = index_reader_new(f->store, &err);
	assert_false(index_find_blob(r, &p.put.digest, &blob));
	index_reader_free(r);
	assert_false(is_there(blob_path(f, &p.put.digest)));
	assert_int_equal(count_files(path_of(f, "quarantine")), 1);
	store_quarantine(f->store, &p.put.digest, 5, "it is missing");
	assert_null(commit(f, index_batch_new()));
	assert_int_equal(metric_value(metric_get(M_corrupt_total)), 2);
	assert_int_equal(count_files(path_of(f, "quarantine")), 1);
	put_bytes(f, &p, STR("bytes"), false); /* comes back */
	AWAIT(f, p.n_done == 1);
	assert_stored(f, "bytes", 5);
}

/* ---- numbers ------------------------------------------------------------ */

static void
gauges(void **state)
{
	static const char *const used = "used", *const draft = "draft";
	struct fixture *f = *state;
	struct digest d = digest_for("x", 1);
	struct draft *open;
	struct put p;
	struct buf text;

	put_bytes(f, &p, STR("bytes"), false);
	AWAIT(f, p.n_done == 1);
	open = open_draft(f, &d);
	write_all(open, 0, "abc", 3);
	buf_init(&text, 1 << 20);
	metrics_render(&text);
	buf_done(&text);
	assert_int_equal(metric_value(metric_cell(M_store_bytes, &used)), 5);
	assert_int_equal(metric_value(metric_cell(M_store_bytes, &draft)), 3);
	assert_int_equal(metric_value(metric_get(M_store_objects)), 1);
	assert_int_equal(
	    metric_value(metric_get(M_store_capacity_bytes)), 1 << 30);
	draft_drop(open);
}

static void
room(void **state)
{
	struct fixture *f = *state;
	struct store_spec spec = { f->store_path, 100, UINT64_MAX };
	struct store_usage u;
	struct err err;

	assert_int_equal(store_has_room(f->store, 1, &err), 0);
	assert_int_equal(store_has_room(f->store, UINT64_MAX, &err), -1);
	assert_int_equal(err.code, ERR_DISK_FULL);
	store_usage(f->store, &u);
	assert_true(u.free_bytes > 0);
	close_store(f);
	f->store = store_open(&spec, &err);
	assert_non_null(f->store);
	assert_int_equal(store_has_room(f->store, 0, &err), 0);
	assert_int_equal(store_has_room(f->store, 1, &err), -1);
	assert_non_null(strstr(err.text, "min_free"));
}

/* ---- a disk of its own -------------------------------------------------- */

/* The store lives on a tmpfs of SIZE; false (and why) where there is none. */
static bool
mount_disk(struct fixture *f, const char *size)
{
	char options[64];

	close_store(f);
	(void)snprintf(options, sizeof(options), "size=%s,mode=755", size);
	if (mount("tmpfs", f->store_path, "tmpfs", 0, options) == 0)
		return true;
	print_message("no tmpfs can be mounted here\n");
	open_store(f);
	return false;
}

static void
unmount_disk(struct fixture *f)
{
	close_store(f);
	while (loop_drain(f->loop) > 0)
		;
	assert_int_equal(umount(f->store_path), 0);
}

static void
fill_disk(struct fixture *f)
{
	(void)run(
	    "dd if=/dev/zero of=%s/ballast bs=4096 2>/dev/null", f->store_path);
}

static void
full_disk(void **state)
{
	struct fixture *f = *state;
	const size_t n = 1u << 20;
	char *bytes = make_bytes(n, 1);
	struct digest digest = digest_for(bytes, n);
	struct index_batch *b;
	struct draft *d;
	struct put p;
	struct err err;
	uint64_t front;

	if (!mount_disk(f, "4m"))
		skip();
	open_store(f);
	d = open_draft(f, &digest);
	draft_set_size(d, n);
	write_all(d, 0, bytes, n / 2);
	fill_disk(f);
	assert_int_equal(draft_write(d, n / 2, bytes + n / 2, n / 2, &err), -1);
	assert_int_equal(err.code, ERR_DISK_FULL);
	front = draft_front(d);
	assert_int_equal(front, n / 2);
	put_bytes(f, &p, (struct str){ bytes, n / 4 }, false);
	AWAIT(f, p.n_done == 1);
	assert_int_equal(p.put.status, -1);
	assert_int_equal(p.put.error.code, ERR_DISK_FULL);
	assert_int_equal(count_files(path_of(f, "drafts")), 2);
	b = index_batch_new();
	for (unsigned i = 0; i < 5000; i++) {
		struct digest many = digest_for(&i, sizeof(i));

		index_batch_blob(b, &many, 1, false);
	}
	assert_int_equal(commit(f, b)->code, ERR_DISK_FULL);
	/* With room again all goes on, in the same process. */
	assert_int_equal(unlink(path_of(f, "ballast")), 0);
	assert_null(commit(f, index_batch_new()));
	write_all(d, front, bytes + front, n - front);
	keep_draft(f, d);
	draft_leave(d);
	assert_stored(f, bytes, n);
	put_bytes(f, &p, (struct str){ bytes, n / 4 }, false);
	AWAIT(f, p.n_done == 1);
	assert_int_equal(p.put.status, 0);
	unmount_disk(f);
	free(bytes);
}

static void
a_full_disk_still_serves(void **state)
{
	struct fixture *f = *state;
	struct put p;

	if (!mount_disk(f, "4m"))
		skip();
	open_store(f);
	put_bytes(f, &p, STR("bytes"), false);
	AWAIT(f, p.n_done == 1);
	fill_disk(f);
	close_store(f);
	open_store(f);
	assert_stored(f, "bytes", 5);
	unmount_disk(f);
}

static void
a_full_disk_can_hold_no_new_store(void **state)
{
	struct fixture *f = *state;

	if (!mount_disk(f, "64k"))
		skip();
	fill_disk(f);
	assert_refused(f, "the disk is full; free some of it");
	unmount_disk(f);
}

static void
read_only_disk(void **state)
{
	struct fixture *f = *state;

	if (!mount_disk(f, "4m"))
		skip();
	assert_int_equal(
	    mount(NULL, f->store_path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_refused(f, "mounted read-only");
	unmount_disk(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_an_image_layout),
		TEST(what_is_there_stays),
		TEST(one_process_at_a_time),
		TEST(versions),
		TEST(nothing_is_made_before_the_version_is_known),
		TEST(places_that_wont_do),
		TEST(no_permission),
		TEST(many_puts),
		TEST(a_put_that_fails),
		TEST(a_put_whose_rows_are_refused),
		TEST(closing_finishes_puts),
		TEST(files_that_are_not_blobs),
		TEST(quarantine),
		TEST(gauges),
		TEST(room),
		TEST(full_disk),
		TEST(a_full_disk_still_serves),
		TEST(a_full_disk_can_hold_no_new_store),
		TEST(read_only_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
