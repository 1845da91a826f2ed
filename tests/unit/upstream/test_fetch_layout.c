/*
 * test_fetch_layout.c - fetches from OCI layouts: a folder, and tars of it as
 * different programs write them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"
#include "far.h"
#include "rig.h"

#define BIG_BYTES (700u << 10) /* three pieces */
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

extern char **environ;

static struct rig rig;
static char big[BIG_BYTES];
static char big_digest[DIGEST_TEXT_MAX];
static char small[256], small_digest[DIGEST_TEXT_MAX]; /* named, by tag 1.0 */
static char child[256], child_digest[DIGEST_TEXT_MAX]; /* not in index.json */
static char sbom[512], sbom_digest[DIGEST_TEXT_MAX];   /* refers to small */

/* ---- making layouts ---------------------------------------------------- */

static void
put_blob(const void *p, size_t n, char digest[DIGEST_TEXT_MAX])
{
	char name[256], path[256];
	struct digest d;

	digest_of(DIGEST_SHA256, p, n, &d);
	(void)digest_text(&d, digest);
	(void)snprintf(
	    name, sizeof(name), "layout/blobs/sha256/%s", digest + 7);
	rig_file(&rig, name, p, n, path);
}

static void
put_index(const char *tag)
{
	char json[2048], path[256];

	(void)snprintf(json, sizeof(json),
	    "{\"schemaVersion\":2,\"manifests\":["
	    "{\"mediaType\":\"type/given\",\"digest\":\"%s\",\"size\":%zu,"
	    "\"annotations\":{\"org.opencontainers.image.ref.name\":"
	    "\"team/app:%s\"}},"
	    "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"%s\","
	    "\"size\":%zu},"
	    "{\"mediaType\":\"x\",\"digest\":\"" A_DIGEST "\",\"size\":1}]}",
	    small_digest, strlen(small), tag, sbom_digest, strlen(sbom));
	rig_file(&rig, "layout/index.json", json, strlen(json), path);
}

static void
make_layout(void)
{
	static const char *const folders[] = { "layout", "layout/blobs",
		"layout/blobs/sha256" };
	char path[256];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", rig.folder, folders[i]);
		check(mkdir(path, 0755) == 0);
	}
	rig_file(&rig, "layout/oci-layout",
	    "{\"imageLayoutVersion\":\"1.0.0\"}", 30, path);
	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(i % 249);
	put_blob(big, sizeof(big), big_digest);
	(void)snprintf(small, sizeof(small),
	    "{\"config\":{\"digest\":\"%s\",\"size\":%u}}", big_digest,
	    BIG_BYTES);
	put_blob(small, strlen(small), small_digest);
	(void)snprintf(child, sizeof(child), "{\"manifests\":[]}");
	put_blob(child, strlen(child), child_digest);
	(void)snprintf(sbom, sizeof(sbom),
	    "{\"artifactType\":\"x/sbom\",\"config\":{\"digest\":\"%s\","
	    "\"size\":1},\"subject\":{\"digest\":\"%s\",\"size\":%zu}}",
	    big_digest, small_digest, strlen(small));
	put_blob(sbom, strlen(sbom), sbom_digest);
	put_index("1.0");
}

static void
run(const char *const argv[])
{
	pid_t pid;
	int status;

	check(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv,
		  environ) == 0);
	check(waitpid(pid, &status, 0) == pid && status == 0);
}

/* A tar of the layout, by tar(1) in FORMAT. */
static void
make_tar(const char *format, const char *what, char path[256])
{
	char folder[256], option[32];
	const char *const argv[] = { "tar", "-C", folder, "-cf", path, option,
		what, NULL };

	(void)snprintf(folder, sizeof(folder), "%s/layout", rig.folder);
	(void)snprintf(path, 256, "%s/%s.tar", rig.folder, format);
	(void)snprintf(option, sizeof(option), "--format=%s", format);
	run(argv);
}

static void
use_layout(const char *path)
{
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{layout: \"%s\"}]}\n",
	    path);
}

static int
set_up(void **state)
{
	(void)state;
	rig_start(&rig);
	make_layout();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* ---- asking ------------------------------------------------------------ */

static void
ask(struct get *g, enum fetch_target target, const char *reference)
{
	get_init(g, &rig, target, "team/app", reference);
	(void)get_run(g);
}

static void
assert_body(struct get *g, const char *type, const void *p, size_t n)
{
	if (g->result != FETCH_DONE)
		fail_msg("%d: %s", g->result, g->err.text);
	assert_int_equal(g->head.status, 200);
	assert_int_equal(g->head.length, n);
	assert_int_equal(g->head.total, n);
	assert_string_equal(g->content_type, type);
	assert_int_equal(g->body.n, n);
	assert_memory_equal(g->body.p, p, n);
	get_done(g);
}

static void
assert_no(enum fetch_target target, const char *reference,
    enum fetch_result result, const char *what)
{
	struct get g;

	ask(&g, target, reference);
	if (g.result != result || strstr(g.err.text, what) == NULL)
		fail_msg(
		    "%d: \"%s\" is not \"%s\"", g.result, g.err.text, what);
	assert_int_equal(g.n_heads, 0);
	get_done(&g);
}

static void
assert_referrers(void)
{
	char want[1024];
	struct get g;

	(void)snprintf(want, sizeof(want),
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\","
	    "\"manifests\":[{\"mediaType\":\"" OCI_MANIFEST "\","
	    "\"digest\":\"%s\",\"size\":%zu,\"artifactType\":\"x/sbom\"}]}",
	    sbom_digest, strlen(sbom));
	ask(&g, FETCH_REFERRERS, small_digest);
	assert_body(&g, OCI_INDEX, want, strlen(want));
	(void)snprintf(want, sizeof(want),
	    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\","
	    "\"manifests\":[]}");
	ask(&g, FETCH_REFERRERS, big_digest);
	assert_body(&g, OCI_INDEX, want, strlen(want));
}

/* All that can be asked of the layout that is in use. */
static void
assert_all_is_there(void)
{
	static const char tags[] = "{\"name\":\"team/app\",\"tags\":[\"1.0\"]}";
	struct get g;

	ask(&g, FETCH_MANIFEST, "1.0");
	assert_int_equal(g.head.digest.alg, DIGEST_SHA256);
	assert_memory_equal(g.etag + 1, small_digest, strlen(small_digest));
	assert_body(&g, "type/given", small, strlen(small));
	ask(&g, FETCH_MANIFEST, small_digest);
	assert_body(&g, "type/given", small, strlen(small));
	ask(&g, FETCH_MANIFEST, child_digest); /* by its shape */
	assert_body(&g, OCI_INDEX, child, strlen(child));
	ask(&g, FETCH_BLOB, big_digest);
	assert_body(&g, "application/octet-stream", big, sizeof(big));
	ask(&g, FETCH_TAGS, "");
	assert_body(&g, "application/json", tags, sizeof(tags) - 1);
	assert_referrers();

	assert_no(FETCH_MANIFEST, "2.0", FETCH_NOT_FOUND,
	    "has no manifest team/app:2.0");
	assert_no(FETCH_MANIFEST, A_DIGEST, FETCH_NOT_FOUND, "has no manifest");
	assert_no(FETCH_BLOB, A_DIGEST, FETCH_NOT_FOUND, "has no blob");
	assert_no(FETCH_BLOB, "nonsense", FETCH_NOT_FOUND, "has no blob");
	assert_no(FETCH_PAGE, "/v2/", FETCH_NOT_FOUND, "");
	assert_no(FETCH_MANIFEST, big_digest, FETCH_FAILED, "the manifest is");
}

/* ---- tests ------------------------------------------------------------- */

static void
a_folder(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	assert_all_is_there();
}

static void
tars(void **state)
{
	static const char *const formats[] = { "ustar", "pax", "gnu", "v7" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		make_tar(formats[i], ".", path);
		use_layout(path);
		assert_all_is_there();
	}
}

/* Names over 100 bytes come in pax and GNU headers of their own; of equal names
 * the last counts; what is no file is passed over. */
static void
long_names_and_doubles(void **state)
{
	static const char *const formats[] = { "pax", "gnu" };
	char path[256], name[256], folder[256], link[512];
	const char *const append[] = { "tar", "-C", folder, "-rf", path,
		"./index.json", NULL };
	struct get g;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/layout", rig.folder);
	(void)snprintf(name, sizeof(name), "layout/%0150d", 7);
	rig_file(&rig, name, "x", 1, path);
	(void)snprintf(link, sizeof(link), "%s/link", folder);
	check(symlink("index.json", link) == 0);
	for (size_t i = 0; i < 2; i++) {
		put_index("1.0");
		make_tar(formats[i], ".", path);
		put_index("3.0");
		run(append);
		use_layout(path);
		ask(&g, FETCH_MANIFEST, "3.0");
		assert_body(&g, "type/given", small, strlen(small));
		assert_no(FETCH_MANIFEST, "1.0", FETCH_NOT_FOUND, "1.0");
	}
}

/* A header by hand; SIZE as it stands in its 12 bytes. */
static void
put_header(FILE *f, const char *name, char type, const char size[12])
{
	unsigned char h[512] = { 0 };
	unsigned sum = 8 * ' ';

	memcpy(h, name, strlen(name));
	memcpy(h + 124, size, 12);
	h[156] = (unsigned char)type;
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += h[i];
	(void)snprintf((char *)h + 148, 8, "%06o", sum);
	check(fwrite(h, 1, sizeof(h), f) == sizeof(h));
}

static void
put_data(FILE *f, const char *text)
{
	char block[512] = { 0 };

	check(strlen(text) <= sizeof(block));
	memcpy(block, text, strlen(text));
	check(fwrite(block, 1, sizeof(block), f) == sizeof(block));
}

/* Sizes that do not fit into 11 octal digits are told in two other ways; an
 * archive may lack its end. */
static void
other_sizes(void **state)
{
	char path[256], name[256], index[512], size[12];
	FILE *f;
	struct get g;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/hand.tar", rig.folder);
	(void)snprintf(name, sizeof(name), "blobs/sha256/%s", small_digest + 7);
	(void)snprintf(index, sizeof(index),
	    "{\"manifests\":[{\"digest\":\"%s\",\"size\":1}]}", small_digest);
	f = fopen(path, "w");
	check(f != NULL);
	put_header(f, "x", 'x', "00000000014");
	put_data(f, "12 size=512\n");
	put_header(f, "index.json", '0', "00000000000");
	put_data(f, index);
	put_header(f, "././/no", '5', "00000000000");
	memcpy(size, "\x80\0\0\0\0\0\0\0\0\0\0", 11);
	size[11] = (char)strlen(small);
	put_header(f, name, '\0', size);
	put_data(f, small);
	check(fclose(f) == 0);
	use_layout(path);
	/* what is behind the index's text are zeros: no JSON */
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "not JSON");

	f = fopen(path, "r+");
	check(f != NULL && fseek(f, 1536, SEEK_SET) == 0);
	(void)fprintf(f, "%-512s", index);
	check(fclose(f) == 0);
	ask(&g, FETCH_MANIFEST, small_digest);
	assert_body(&g, OCI_MANIFEST, small, strlen(small));
}

static void
malformed_tars(void **state)
{
	static const struct {
		char type;
		const char *size, *data, *says;
	} cases[] = {
		{ 'x', "00000000014", "99 size=512\n", "pax header is malf" },
		{ 'x', "00000000014", "12 size=5x2\n", "no number" },
		{ 'x', "00000000014", "12_size=512\n", "malformed" },
		{ 'x', "00000000014", "12 size 512\n", "malformed" },
		{ 'x', "00000000014", "2 ize=512\n..", "malformed" },
		{ 'x', "00007777777", "", "too long" },
		{ 'L', "00077777777", "", "too long" },
		{ '0', "0000000000z", "", "no tar header" },
		{ '0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "",
		    "no tar header" },
		{ '0', "77777777777", "", "ends where more" },
	};
	char path[256];
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/bad.tar", rig.folder);
	use_layout(path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char size[12] = { 0 };

		(void)unlink(path);
		f = fopen(path, "w");
		check(f != NULL);
		memcpy(size, cases[i].size, strnlen(cases[i].size, 12));
		put_header(f, "x", cases[i].type, size);
		put_data(f, cases[i].data);
		check(fclose(f) == 0);
		assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, cases[i].says);
	}
}

static void
ranges(void **state)
{
	static const struct {
		uint64_t offset, end;
		enum fetch_result result;
		size_t first, n;
	} cases[] = {
		{ 10, 0, FETCH_DONE, 10, BIG_BYTES - 10 },
		{ 10, 20, FETCH_DONE, 10, 10 },
		{ 0, 300000, FETCH_DONE, 0, 300000 },
		{ BIG_BYTES - 1, 0, FETCH_DONE, BIG_BYTES - 1, 1 },
		{ 10, BIG_BYTES + 10, FETCH_DONE, 10, BIG_BYTES - 10 },
		{ BIG_BYTES, 0, FETCH_REFUSED, 0, 0 },
		{ BIG_BYTES + 1, 0, FETCH_REFUSED, 0, 0 },
	};
	char path[256];
	struct get g;

	(void)state;
	make_tar("pax", ".", path);
	use_layout(path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
		g.spec.offset = cases[i].offset;
		g.spec.end = cases[i].end;
		assert_int_equal(get_run(&g), cases[i].result);
		assert_int_equal(g.body.n, cases[i].n);
		if (g.result == FETCH_DONE) {
			assert_int_equal(g.head.status, 206);
			assert_int_equal(g.head.first, cases[i].first);
			assert_int_equal(g.head.total, BIG_BYTES);
			assert_int_equal(g.head.length, cases[i].n);
			assert_memory_equal(
			    g.body.p, big + cases[i].first, cases[i].n);
		}
		get_done(&g);
	}
}

static void
heads(void **state)
{
	struct get g;
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
	g.spec.is_head = true;
	g.spec.offset = 5;
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.head.status, 200);
	assert_int_equal(g.head.length, BIG_BYTES);
	assert_int_equal(g.body.n, 0);
	get_done(&g);
	get_init(&g, &rig, FETCH_MANIFEST, "team/app", "1.0");
	g.spec.is_head = true;
	assert_int_equal(get_run(&g), FETCH_DONE);
	assert_int_equal(g.head.length, strlen(small));
	assert_string_equal(g.content_type, "type/given");
	assert_int_equal(g.body.n, 0);
	get_done(&g);
}

static void
limits_and_stops(void **state)
{
	struct get g;
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
	g.spec.max_bytes = BIG_BYTES - 1;
	assert_int_equal(get_run(&g), FETCH_BROKEN);
	get_done(&g);
	get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
	g.stop_at_bytes = 300000; /* in the second piece */
	assert_int_equal(get_run(&g), FETCH_STOPPED);
	assert_int_equal(g.body.n, 512u << 10);
	get_done(&g);
	get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
	g.stop_at_head = true;
	assert_int_equal(get_run(&g), FETCH_STOPPED);
	get_done(&g);
	/* closed while a work thread reads, or is about to */
	for (int i = 0; i < 50; i++) {
		get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
		get_start(&g);
		get_close(&g);
		get_done(&g);
	}
}

/* What is replaced is seen; what can't be had any more is said. */
static void
changes(void **state)
{
	char path[256], other[256];
	struct get g;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	ask(&g, FETCH_MANIFEST, "1.0");
	assert_body(&g, "type/given", small, strlen(small));
	put_index("changed");
	ask(&g, FETCH_MANIFEST, "changed");
	assert_body(&g, "type/given", small, strlen(small));
	assert_no(FETCH_MANIFEST, "1.0", FETCH_NOT_FOUND, "1.0");

	make_tar("gnu", ".", path);
	use_layout(path);
	ask(&g, FETCH_MANIFEST, "changed");
	assert_body(&g, "type/given", small, strlen(small));
	put_index("again");
	make_tar("pax", ".", other);
	check(rename(other, path) == 0);
	ask(&g, FETCH_MANIFEST, "again");
	assert_body(&g, "type/given", small, strlen(small));
	check(unlink(path) == 0);
	assert_no(FETCH_MANIFEST, "again", FETCH_UNREACHABLE, "No such file");
}

static void
broken_ones(void **state)
{
	char path[256], gz[260];
	const char *const gzip[] = { "gzip", "-kf", path, NULL };
	struct stat st;

	(void)state;
	rig_config(&rig,
	    "upstreams:\n"
	    "  reg.test: {endpoints: [{layout: /nowhere/at-all}]}\n");
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "/nowhere/at-all");
	use_layout(rig.folder); /* a folder, but no layout */
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "index.json");

	make_tar("ustar", "blobs", path);
	use_layout(path);
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "has no index.json");

	make_tar("pax", ".", path);
	run(gzip);
	(void)snprintf(gz, sizeof(gz), "%s.gz", path);
	use_layout(gz);
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "no tar header");

	check(stat(path, &st) == 0);
	check(truncate(path, st.st_size / 3) == 0);
	use_layout(path);
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "ends where more");

	rig_file(&rig, "layout/index.json", "nonsense", 8, path);
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	assert_no(FETCH_TAGS, "", FETCH_UNREACHABLE, "index.json");
}

/* The tar shrinks under a picture of it that is still current enough: a blob
 * that can't be read to its end is broken, not short. */
static void
a_blob_that_ends_early(void **state)
{
	char path[256], name[512];
	struct get g;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/layout", rig.folder);
	use_layout(path);
	(void)snprintf(
	    name, sizeof(name), "%s/blobs/sha256/%s", path, big_digest + 7);
	fd = open(name, O_WRONLY);
	check(fd >= 0);
	get_init(&g, &rig, FETCH_BLOB, "a", big_digest);
	get_start(&g);
	check(ftruncate(fd, 10) == 0);
	get_wait(&g);
	/* whole, when it was faster; the short file, when it was not */
	if (g.result == FETCH_DONE)
		assert_int_equal(g.body.n, g.head.length);
	else
		assert_int_equal(g.result, FETCH_BROKEN);
	get_close(&g);
	get_done(&g);
	(void)close(fd);
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(a_folder),
		t(tars),
		t(long_names_and_doubles),
		t(other_sizes),
		t(malformed_tars),
		t(ranges),
		t(heads),
		t(limits_and_stops),
		t(changes),
		t(broken_ones),
		t(a_blob_that_ends_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
