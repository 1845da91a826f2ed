/*
 * fixture.c - a store in a folder of its own, for tests.
 */
#include "fixture.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	assert_non_null(f);
	log_setup(LOG_ERROR, LOG_TEXT);
	metrics_init();
	(void)snprintf(f->path, sizeof(f->path), "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	(void)snprintf(
	    f->store_path, sizeof(f->store_path), "%s/store", f->path);
	f->loop = loop_new("test", &err);
	assert_non_null(f->loop);
	*state = f;
	open_store(f);
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	loop_free(f->loop);
	metrics_done();
	(void)umount2(f->store_path, MNT_DETACH); /* of a test that failed */
	assert_int_equal(run("rm -rf %s", f->path), 0);
	free(f);
	return 0;
}

static struct store *
try_to_open(struct fixture *f, struct err *err)
{
	struct store_spec spec = { .path = f->store_path, .capacity = 1 << 30 };

	return store_open(&spec, err);
}

void
open_store(struct fixture *f)
{
	struct err err = { .text = "" };

	f->store = try_to_open(f, &err);
	if (f->store == NULL)
		fail_msg("%s", err.text);
}

void
close_store(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	/* Its scrape function must not outlive it. */
	metrics_done();
	metrics_init();
}

void
assert_refused(struct fixture *f, const char *text)
{
	struct err err = { .text = "" };

	assert_null(try_to_open(f, &err));
	if (strstr(err.text, text) == NULL)
		fail_msg("not in the sentence: %s\n%s", text, err.text);
}

void
run_loop(struct fixture *f)
{
	assert_int_equal(event_base_loop(loop_base(f->loop), EVLOOP_ONCE), 0);
}

char *
make_bytes(size_t n, unsigned seed)
{
	uint64_t x = 0x9e3779b97f4a7c15u * (seed + 1);
	char *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (char)x;
	}
	return p;
}

struct digest
digest_for(const void *bytes, size_t n)
{
	struct digest d;

	digest_of(DIGEST_SHA256, bytes, n, &d);
	return d;
}

/* ---- files -------------------------------------------------------------- */

const char *
path_of(struct fixture *f, const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", f->store_path, name);
	return path;
}

const char *
blob_path(struct fixture *f, const struct digest *d)
{
	char hex[DIGEST_TEXT_MAX], name[DIGEST_TEXT_MAX + 16];

	(void)snprintf(name, sizeof(name), "blobs/%s/%s", digest_alg_name(d),
	    digest_hex(d, hex));
	return path_of(f, name);
}

bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

unsigned
count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

void
write_file(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

int
run(const char *format, ...)
{
	char line[1024];
	va_list ap;
	int status;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- batches ------------------------------------------------------------ */

static void
on_committed(void *arg, const struct err *err)
{
	struct fixture *f = arg;

	f->n_done++;
	if (err != NULL)
		f->done_error = *err;
}

const struct err *
commit(struct fixture *f, struct index_batch *b)
{
	unsigned before = f->n_done;

	f->done_error.code = ERR_NONE;
	index_commit(f->store, b, f->loop, on_committed, f);
	assert_int_equal(f->n_done, before); /* not before it has returned */
	AWAIT(f, f->n_done > before);
	return f->done_error.code == ERR_NONE ? NULL : &f->done_error;
}

/* ---- drafts ------------------------------------------------------------- */

struct blob
make_blob(size_t n, unsigned seed)
{
	struct blob b = { make_bytes(n, seed), n, { 0 } };

	b.digest = digest_for(b.bytes, n);
	return b;
}

unsigned
n_drafts(struct fixture *f)
{
	return count_files(path_of(f, "drafts"));
}

uint64_t
draft_bytes(struct fixture *f)
{
	struct store_usage u;

	store_usage(f->store, &u);
	return u.draft_bytes;
}

static void
on_event(void *arg)
{
	struct fixture *f = arg;

	f->n_events++;
}

struct draft *
start_draft(struct fixture *f, const struct digest *digest, unsigned copy)
{
	struct draft_spec spec = { .store = f->store,
		.loop = f->loop,
		.digest = *digest,
		.copy = copy,
		.on_event = on_event,
		.arg = f };
	struct err err;
	struct draft *d = draft_open(&spec, &err);

	assert_non_null(d);
	assert_int_equal(draft_state(d), DRAFT_OPENING);
	return d;
}

struct draft *
open_draft(struct fixture *f, const struct digest *digest)
{
	struct draft *d = start_draft(f, digest, 0);

	AWAIT(f, draft_state(d) != DRAFT_OPENING);
	if (draft_state(d) == DRAFT_BROKEN)
		fail_msg("%s", draft_error(d)->text);
	return d;
}

void
write_all(struct draft *d, uint64_t offset, const void *bytes, size_t n)
{
	struct err err = { .text = "" };

	if (draft_write(d, offset, bytes, n, &err) != 0)
		fail_msg("%s", err.text);
}

void
keep_draft(struct fixture *f, struct draft *d)
{
	AWAIT(f, draft_is_hashed(d));
	assert_true(draft_matches(d));
	draft_keep(d, false, index_batch_new());
	AWAIT(f, draft_state(d) != DRAFT_KEEPING);
	if (draft_state(d) == DRAFT_BROKEN)
		fail_msg("%s", draft_error(d)->text);
	assert_int_equal(draft_state(d), DRAFT_KEPT);
}

void
assert_stored(struct fixture *f, const void *bytes, size_t n)
{
	struct digest d = digest_for(bytes, n);
	struct err err = { .text = "" };
	struct shared_fd *fd = blob_open(f->store, &d, n, &err);
	struct index_reader *r = index_reader_new(f->store, &err);
	struct blob_row row;
	char *got = malloc(n + 1);

	assert_non_null(r);
	assert_true(index_find_blob(r, &d, &row));
	assert_int_equal(row.size, n);
	index_reader_free(r);
	if (fd == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(pread(fd->fd, got, n + 1, 0), n);
	assert_memory_equal(got, bytes, n);
	free(got);
	shared_fd_unref(fd);
}
