/*
 * test_store_rebuild.c - an index that is damaged or gone is made again.
 */
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static const char manifest[] =
    "{ \"schemaVersion\": 2, \"config\": {\"mediaType\": \"no\"},"
    "\"mediaType\" : \"application/vnd.docker.x+json\", \"layers\": []}";
static const char image_index[] =
    "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"no\"}]}";
static const char plain[] =
    "{\"schemaVersion\":2,\"note\":\"\\\"mediaType\\\"\"}";
static const char config[] = "{\"architecture\":{\"schemaVersion\":2}}";

struct stored {
	const char *bytes;
	const char *media_type; /* NULL: no manifest */
};

static const struct stored objects[] = {
	{ manifest, "application/vnd.docker.x+json" },
	{ image_index, "application/vnd.oci.image.index.v1+json" },
	{ plain, "application/vnd.oci.image.manifest.v1+json" },
	{ config, NULL },
	{ "a layer", NULL },
	{ "", NULL },
	{ "{\"schemaVersion", NULL },
	{ "{\"schemaVersion\":2,\"mediaType\":\"", "" },
};
#define N_OBJECTS (sizeof(objects) / sizeof(objects[0]))

/* And some that are no blobs. */
static void
put_files(struct fixture *f)
{
	for (size_t i = 0; i < N_OBJECTS; i++) {
		const char *bytes = objects[i].bytes;
		struct digest d = digest_for(bytes, strlen(bytes));

		write_file(blob_path(f, &d), bytes, strlen(bytes));
	}
	write_file(path_of(f, "blobs/sha256/README"), "x", 1);
	assert_int_equal(mkdir(path_of(f, "blobs/sha512/folder"), 0755), 0);
}

static uint64_t
n_objects(struct fixture *f)
{
	struct store_usage u;

	store_usage(f->store, &u);
	return u.n_objects;
}

/* Closes the store, as one whose rebuild has not come to its end. */
static void
forget_built(struct fixture *f)
{
	MDB_val key = { 5, "built" };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	close_store(f);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, path_of(f, "index"), 0, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "counters", 0, &dbi), 0);
	(void)mdb_del(txn, dbi, &key, NULL);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

/* A commit of nothing comes back when those before it are through. */
static void
await_rebuilt(struct fixture *f)
{
	while (n_objects(f) < N_OBJECTS)
		assert_null(commit(f, index_batch_new()));
	close_store(f); /* waits for its end */
	open_store(f);
	assert_int_equal(n_objects(f), N_OBJECTS);
}

static void
assert_found(struct fixture *f)
{
	struct err err;
	struct index_reader *r = index_reader_new(f->store, &err);

	for (size_t i = 0; i < N_OBJECTS; i++) {
		const char *bytes = objects[i].bytes;
		struct digest d = digest_for(bytes, strlen(bytes));
		struct manifest_row row;
		struct blob_row blob;

		assert_true(index_find_blob(r, &d, &blob));
		assert_int_equal(blob.size, strlen(bytes));
		assert_false(blob.is_public);
		if (objects[i].media_type == NULL) {
			assert_false(index_find_manifest(r, &d, &row));
			continue;
		}
		assert_true(index_find_manifest(r, &d, &row));
		assert_true(str_eqz(row.media_type, objects[i].media_type));
		assert_true(str_eqz(row.bytes, bytes));
	}
	index_reader_free(r);
}

static void
index_is_gone(void **state)
{
	struct fixture *f = *state;

	put_files(f);
	close_store(f);
	assert_int_equal(run("rm -r %s/index", f->store_path), 0);
	open_store(f);
	await_rebuilt(f);
	assert_found(f);
}

static void
a_layout_is_taken_over(void **state)
{
	struct fixture *f = *state;

	put_files(f);
	close_store(f);
	assert_int_equal(
	    run("cd %s && rm -r index state drafts quarantine lock",
		f->store_path),
	    0);
	open_store(f);
	await_rebuilt(f);
	assert_found(f);
}

/* Each leaves an index that can't be opened as it is. */
static const char *const damages[] = {
	"head -c 20000 /dev/urandom > %s/index/data.mdb",
	"yes | head -c 8192 | dd of=%s/index/data.mdb conv=notrunc 2>/dev/null",
	"truncate -s 100 %s/index/data.mdb",
	"truncate -s 5000 %s/index/data.mdb",
	"touch %s/index/distrusted",
};

static void
index_is_damaged(void **state)
{
	struct fixture *f = *state;

	put_files(f);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char line[512];

		close_store(f);
		(void)snprintf(line, sizeof(line), "%.*s%s%s",
		    (int)(strstr(damages[i], "%s") - damages[i]), damages[i],
		    f->store_path, strstr(damages[i], "%s") + 2);
		assert_int_equal(run("%s", line), 0);
		open_store(f);
		assert_int_equal(
		    run("ls -d %s.damaged-* > /dev/null", path_of(f, "index")),
		    0);
		await_rebuilt(f);
		assert_found(f);
		assert_int_equal(
		    run("rm -r %s.damaged-*", path_of(f, "index")), 0);
	}
}

/* Cut anywhere: it must open, and be whole at the latest when it was opened
 * once more. */
static void
index_is_cut(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	put_files(f);
	forget_built(f);
	open_store(f);
	await_rebuilt(f);
	close_store(f);
	assert_int_equal(stat(path_of(f, "index/data.mdb"), &st), 0);
	assert_int_equal(
	    run("cp %s/index/data.mdb %s/whole", f->store_path, f->path), 0);
	for (off_t n = st.st_size - 4096; n >= 2 * 4096; n -= 4096) {
		assert_int_equal(run("cp %s/whole %s/index/data.mdb", f->path,
				     f->store_path),
		    0);
		assert_int_equal(truncate(path_of(f, "index/data.mdb"), n), 0);
		open_store(f);
		for (size_t i = 0; i < N_OBJECTS; i++) {
			struct digest d = digest_for(
			    objects[i].bytes, strlen(objects[i].bytes));
			struct err err;
			struct index_reader *r =
			    index_reader_new(f->store, &err);
			struct blob_row row;

			(void)index_find_blob(r, &d, &row);
			index_reader_free(r);
		}
		close_store(f);
	}
	open_store(f);
}

/* What was stored meanwhile, with the type that the upstream named, stays. */
static void
an_unfinished_rebuild_goes_on(void **state)
{
	struct fixture *f = *state;
	struct index_batch *b = index_batch_new();
	struct digest d = digest_for(manifest, strlen(manifest));
	struct index_reader *r;
	struct manifest_row row;
	struct blob_row blob;
	struct err err;

	index_batch_manifest(b, &d, STR("as/received"), STR("{}"));
	index_batch_blob(b, &d, strlen(manifest), true);
	assert_null(commit(f, b));
	put_files(f);
	forget_built(f);
	open_store(f);
	await_rebuilt(f);
	r = index_reader_new(f->store, &err);
	assert_true(index_find_manifest(r, &d, &row));
	assert_true(str_eqz(row.media_type, "as/received"));
	assert_true(index_find_blob(r, &d, &blob));
	assert_true(blob.is_public);
	index_reader_free(r);
	/* It came to its end: what appears in the folder now is not seen. */
	close_store(f);
	write_file(
	    blob_path(f, &(struct digest){ .alg = DIGEST_SHA256 }), "", 0);
	open_store(f);
	close_store(f);
	open_store(f);
	assert_int_equal(n_objects(f), N_OBJECTS);
}

static void
many_files(void **state)
{
	enum { N = 1000 };
	struct fixture *f = *state;
	struct store_usage u;

	close_store(f);
	assert_int_equal(run("rm -r %s/index", f->store_path), 0);
	for (unsigned i = 0; i < N; i++) {
		struct digest d = digest_for(&i, sizeof(i));

		write_file(blob_path(f, &d), &i, sizeof(i));
	}
	open_store(f);
	do {
		assert_null(commit(f, index_batch_new()));
		store_usage(f->store, &u);
	} while (u.n_objects < N);
	assert_int_equal(u.used_bytes, N * sizeof(unsigned));
	for (int i = 0; i < 3; i++) { /* closed in the midst of it */
		close_store(f);
		assert_int_equal(run("rm -r %s/index", f->store_path), 0);
		open_store(f);
		close_store(f);
		open_store(f);
		do {
			assert_null(commit(f, index_batch_new()));
			store_usage(f->store, &u);
		} while (u.n_objects < N);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(index_is_gone),
		TEST(a_layout_is_taken_over),
		TEST(index_is_damaged),
		TEST(index_is_cut),
		TEST(an_unfinished_rebuild_goes_on),
		TEST(many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
