/*
 * test_route.c - from paths to upstreams, as clients really ask (containerd,
 * containers/image, dockerd), and as they should not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oci/route.h"

#define HEX "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
#define SHA "sha256:" HEX
#define SHA512 "sha512:" HEX HEX

static const char yaml[] =
    "upstreams:\n"
    "  docker.io: {aliases: [index.docker.io, registry-1.docker.io]}\n"
    "  quay.io: {aliases: [mirror.quay.test]}\n"
    "  \"registry.example.test:5000\":\n"
    "  registry.example.test:\n";

/* Without a default upstream; a test may set it, and then unsets it. */
static struct config *config;

static char block[8192];
static struct arena arena;

static struct str
z(const char *text)
{
	return str_of(text);
}

/* ---- paths -------------------------------------------------------------- */

static void
expect_path(const char *path, enum route_kind kind, const char *repository,
    const char *last)
{
	struct route r;
	struct err err = { .text = "" };
	char text[DIGEST_TEXT_MAX];

	arena_init(&arena, block, sizeof(block));
	if (route_parse(&arena, z(path), &r, &err) != 0)
		fail_msg("%s: %s", path, err.text);
	assert_int_equal(r.kind, kind);
	assert_true(str_eqz(r.repository, repository));
	assert_null(r.upstream);
	if (r.is_by_digest)
		assert_string_equal(digest_text(&r.digest, text), last);
	else
		assert_true(str_eqz(r.tag, last));
}

static void
expect_bad_path(struct str path, enum err_code code)
{
	struct route r;
	struct err err = { .text = "" };

	arena_init(&arena, block, sizeof(block));
	if (route_parse(&arena, path, &r, &err) != -1)
		fail_msg("%.*s is taken", STR_ARG(path));
	if (err.code != code)
		fail_msg("%.*s: code %d, not %d: %s", STR_ARG(path), err.code,
		    code, err.text);
	assert_true(strlen(err.text) > 10);
}

static void
paths(void **state)
{
	(void)state;
	expect_path("/v2", ROUTE_BASE, "", "");
	expect_path("/v2/", ROUTE_BASE, "", "");
	expect_path(
	    "/v2/lib/small/manifests/1.0", ROUTE_MANIFEST, "lib/small", "1.0");
	expect_path("/v2/a/manifests/" SHA, ROUTE_MANIFEST, "a", SHA);
	expect_path("/v2/a/manifests/" SHA512, ROUTE_MANIFEST, "a", SHA512);
	expect_path("/v2/a/blobs/" SHA, ROUTE_BLOB, "a", SHA);
	expect_path("/v2/a/b/c/tags/list", ROUTE_TAGS, "a/b/c", "");
	expect_path("/v2/a/referrers/" SHA, ROUTE_REFERRERS, "a", SHA);
	expect_path("/v2/h:5000/a/tags/list", ROUTE_TAGS, "h:5000/a", "");
}

/* The keyword that counts is the one furthest to the right. */
static void
paths_with_keywords_in_names(void **state)
{
	(void)state;
	expect_path("/v2/manifests/tags/list", ROUTE_TAGS, "manifests", "");
	expect_path("/v2/tags/list/tags/list", ROUTE_TAGS, "tags/list", "");
	expect_path(
	    "/v2/a/blobs/manifests/blobs", ROUTE_MANIFEST, "a/blobs", "blobs");
	expect_path("/v2/blobs/blobs/" SHA, ROUTE_BLOB, "blobs", SHA);
	expect_path("/v2/a/tags/list/manifests/list", ROUTE_MANIFEST,
	    "a/tags/list", "list");
	expect_path("/v2/a/manifests/uploads", ROUTE_MANIFEST, "a", "uploads");
}

static void
paths_with_escapes(void **state)
{
	(void)state;
	expect_path("/v2/a/blobs/sha256%3A" HEX, ROUTE_BLOB, "a", SHA);
	expect_path("/v2/a/manifests/sha256%3a" HEX, ROUTE_MANIFEST, "a", SHA);
	expect_path(
	    "/v2/h%3A5000/a%2Fb/tags/list", ROUTE_TAGS, "h:5000/a/b", "");
	expect_path("/v2/a/manifests/%76%31", ROUTE_MANIFEST, "a", "v1");
	expect_bad_path(z("/v2/a/manifests%2flatest"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/manifests/b%2fc"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a%/tags/list"), ERR_NAME_INVALID);
	expect_bad_path(z("/v2/a%4/tags/list"), ERR_NAME_INVALID);
	expect_bad_path(z("/v2/a%zz/tags/list"), ERR_NAME_INVALID);
	expect_bad_path(z("/v2/a%00/tags/list"), ERR_NAME_INVALID);
	expect_bad_path(z("/v2/a/manifests/%"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a/manifests/%00"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a/blobs/sha256%3" HEX), ERR_DIGEST_INVALID);
}

static void
uploads(void **state)
{
	(void)state;
	expect_path("/v2/a/blobs/uploads", ROUTE_PUSH, "a", "");
	expect_path("/v2/a/blobs/uploads/", ROUTE_PUSH, "a", "");
	expect_path("/v2/a/b/blobs/uploads/x-1", ROUTE_PUSH, "a/b", "");
	expect_path("/v2/a/blobs/uploads/x/y/z", ROUTE_PUSH, "a", "");
	expect_path("/v2/a/blobs/uploads/%zz", ROUTE_PUSH, "a", "");
	expect_path("/v2/blobs/uploads/x", ROUTE_PUSH, "", "");
}

static void
bad_paths(void **state)
{
	(void)state;
	expect_bad_path(z(""), ERR_NOT_FOUND);
	expect_bad_path(z("/"), ERR_NOT_FOUND);
	expect_bad_path(z("v2/"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2x"), ERR_NOT_FOUND);
	expect_bad_path(z("/V2/"), ERR_NOT_FOUND);
	expect_bad_path(z("/v1/a/manifests/b"), ERR_NOT_FOUND);
	expect_bad_path(z("//v2/a/manifests/b"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2//"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/_catalog"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/tags"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/tags/"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/tags/list/"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/manifests/b/"), ERR_NOT_FOUND);
	expect_bad_path(z("/v2/a/Manifests/b"), ERR_NOT_FOUND);
	expect_bad_path(z("/metrics"), ERR_NOT_FOUND);
}

static void
bad_references(void **state)
{
	char path[200] = "/v2/a/manifests/";

	(void)state;
	expect_bad_path(z("/v2/a/manifests/"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a/manifests/.hidden"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a/manifests/a+b"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(STR("/v2/a/manifests/a\0b"), ERR_MANIFEST_UNKNOWN);
	expect_bad_path(z("/v2/a/manifests/sha256:12"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/manifests/md5:12"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/manifests/:"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/manifests/" SHA "0"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/blobs/"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/blobs/latest"), ERR_DIGEST_INVALID);
	expect_bad_path(z("/v2/a/referrers/latest"), ERR_DIGEST_INVALID);
	memset(path + strlen(path), 'x', 129);
	expect_bad_path(z(path), ERR_MANIFEST_UNKNOWN);
	path[strlen(path) - 1] = '\0';
	expect_path(
	    path, ROUTE_MANIFEST, "a", path + strlen("/v2/a/manifests/"));
}

static void
full_arena(void **state)
{
	struct route r;
	struct err err;

	(void)state;
	arena_init(&arena, block, 4);
	assert_int_equal(
	    -1, route_parse(&arena, z("/v2/abcdefg%61/tags/list"), &r, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	arena_init(&arena, block, 4);
	assert_int_equal(
	    -1, route_parse(&arena, z("/v2/a/blobs/sha256%3A" HEX), &r, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	arena_init(&arena, block, 4);
	r = (struct route){ .kind = ROUTE_TAGS, .repository = STR("nginx") };
	assert_int_equal(-1,
	    route_upstream(&arena, config, z("docker.io"), z(""), &r, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
}

/* ---- upstreams ---------------------------------------------------------- */

static int
route(struct str path, const char *ns, const char *host, struct route *r,
    struct err *err)
{
	arena_init(&arena, block, sizeof(block));
	if (route_parse(&arena, path, r, err) != 0)
		return -1;
	return route_upstream(&arena, config, z(ns), z(host), r, err);
}

/* The tag list of NAME, asked with NS at HOST, is REPOSITORY's of UPSTREAM. */
static void
expect(const char *name, const char *ns, const char *host, const char *upstream,
    const char *repository)
{
	char path[1024];
	struct route r;
	struct err err = { .text = "" };

	(void)snprintf(path, sizeof(path), "/v2/%s/tags/list", name);
	if (route(z(path), ns, host, &r, &err) != 0)
		fail_msg("%s?ns=%s: %s", name, ns, err.text);
	assert_string_equal(r.upstream->name, upstream);
	if (!str_eqz(r.repository, repository))
		fail_msg("%s?ns=%s: repository is %.*s", name, ns,
		    STR_ARG(r.repository));
}

static void
expect_bad(struct str path, const char *ns, const char *host,
    enum err_code code, const char *shown)
{
	struct route r;
	struct err err = { .text = "" };

	if (route(path, ns, host, &r, &err) != -1)
		fail_msg("%.*s?ns=%s is taken", STR_ARG(path), ns);
	assert_int_equal(err.code, code);
	if (strstr(err.text, shown) == NULL)
		fail_msg("\"%s\" does not show \"%s\"", err.text, shown);
}

static void
by_namespace(void **state)
{
	(void)state;
	expect("lib/small", "quay.io", "", "quay.io", "lib/small");
	expect("lib/small", "QUAY.io", "mirror:5000", "quay.io", "lib/small");
	expect("lib/small", "quay.io:443", "", "quay.io", "lib/small");
	expect("lib/small", "mirror.quay.test", "", "quay.io", "lib/small");
	expect("a", "registry.example.test:5000", "",
	    "registry.example.test:5000", "a");
	expect("a", "registry.example.test", "", "registry.example.test", "a");
	expect(
	    "a", "registry.example.test:80", "", "registry.example.test", "a");
	expect("library/nginx", "registry-1.docker.io", "", "docker.io",
	    "library/nginx");
}

/* containerd's override_path: the prefix goes, whichever name it has. */
static void
by_namespace_and_prefix(void **state)
{
	(void)state;
	expect("registry.example.test/lib/small", "registry.example.test", "",
	    "registry.example.test", "lib/small");
	expect("docker.io/library/nginx", "docker.io", "", "docker.io",
	    "library/nginx");
	expect("index.docker.io/library/nginx", "docker.io", "", "docker.io",
	    "library/nginx");
	expect("docker.io/nginx", "index.docker.io", "", "docker.io",
	    "library/nginx");
	/* Another upstream's name is just a name; so is one without more. */
	expect("quay.io/a", "docker.io", "", "docker.io", "quay.io/a");
	expect("quay.io", "quay.io", "", "quay.io", "quay.io");
	/* Once only. */
	expect("quay.io/quay.io/a", "quay.io", "", "quay.io", "quay.io/a");
}

static void
by_unknown_namespace(void **state)
{
	struct str path = STR("/v2/quay.io/a/manifests/1");

	(void)state;
	config->default_upstream = &config->upstreams[0];
	expect_bad(path, "nowhere.test", "quay.io", ERR_NAME_UNKNOWN,
	    "\"nowhere.test\"");
	expect_bad(path, "quay.io:5000", "", ERR_NAME_UNKNOWN, "quay.io:5000");
	expect_bad(path, "http://x/?\n\x01", "", ERR_NAME_UNKNOWN,
	    "http://x/?\\x0a\\x01");
	expect_bad(path, "..", "", ERR_NAME_UNKNOWN, "\"..\"");
	expect_bad(path, " ", "", ERR_NAME_UNKNOWN, "\" \"");
	config->default_upstream = NULL;
}

static void
by_prefix(void **state)
{
	(void)state;
	config->default_upstream = &config->upstreams[1];
	expect("docker.io/library/nginx", "", "mirror", "docker.io",
	    "library/nginx");
	expect("docker.io/nginx", "", "mirror", "docker.io", "library/nginx");
	expect("Docker.IO/library/nginx", "", "", "docker.io", "library/nginx");
	expect("registry.example.test:5000/a/b", "", "",
	    "registry.example.test:5000", "a/b");
	expect("registry.example.test:443/a", "", "", "registry.example.test",
	    "a");
	expect("registry.example.test%3A5000/a", "", "",
	    "registry.example.test:5000", "a");
	/* Before the Host. */
	expect(
	    "docker.io/a/b", "", "registry.example.test", "docker.io", "a/b");
	/* A name alone is a repository, of the default upstream. */
	expect("docker.io", "", "", "quay.io", "docker.io");
	config->default_upstream = NULL;
}

static void
by_host(void **state)
{
	(void)state;
	config->default_upstream = &config->upstreams[0];
	expect("a/b", "", "quay.io", "quay.io", "a/b");
	expect("a/b", "", "Mirror.Quay.Test", "quay.io", "a/b");
	expect("a/b", "", "registry.example.test:5000",
	    "registry.example.test:5000", "a/b");
	expect("a/b", "", "railhead.local:5000", "docker.io", "a/b");
	expect("a/b", "", "", "docker.io", "a/b");
	config->default_upstream = NULL;
	expect_bad(z("/v2/a/b/tags/list"), "", "railhead.local:5000",
	    ERR_NAME_UNKNOWN, "\"a/b\"");
}

static void
library(void **state)
{
	(void)state;
	expect("nginx", "docker.io", "", "docker.io", "library/nginx");
	expect("library/nginx", "docker.io", "", "docker.io", "library/nginx");
	expect("nginx", "quay.io", "", "quay.io", "nginx");
	expect("nginx", "", "index.docker.io", "docker.io", "library/nginx");
}

static void
bad_names(void **state)
{
	(void)state;
	config->default_upstream = &config->upstreams[0];
	expect_bad(
	    z("/v2/a/../b/tags/list"), "", "", ERR_NAME_INVALID, "\"a/../b\"");
	expect_bad(
	    z("/v2/%2e%2e/b/tags/list"), "", "", ERR_NAME_INVALID, "\"../b\"");
	expect_bad(z("/v2//tags/list"), "", "", ERR_NAME_INVALID, "\"\"");
	expect_bad(z("/v2/tags/list"), "", "", ERR_NAME_INVALID, "\"\"");
	expect_bad(
	    z("/v2/a//b/tags/list"), "", "", ERR_NAME_INVALID, "\"a//b\"");
	expect_bad(z("/v2/a//manifests/b"), "", "", ERR_NAME_INVALID, "\"a/\"");
	expect_bad(z("/v2//a/manifests/b"), "", "", ERR_NAME_INVALID, "\"/a\"");
	expect_bad(z("/v2/quay.io//a/manifests/b"), "", "", ERR_NAME_INVALID,
	    "\"/a\"");
	expect_bad(z("/v2/quay.io//manifests/b"), "", "", ERR_NAME_INVALID,
	    "\"quay.io/\"");
	expect_bad(
	    z("/v2/Nginx/tags/list"), "", "", ERR_NAME_INVALID, "\"Nginx\"");
	expect_bad(
	    STR("/v2/a\0b/tags/list"), "", "", ERR_NAME_INVALID, "\"a\\x00b\"");
	expect_bad(
	    z("/v2/a%0ab/tags/list"), "", "", ERR_NAME_INVALID, "\"a\\x0ab\"");
	expect_bad(z("/v2/unknown:5000/a/tags/list"), "", "", ERR_NAME_INVALID,
	    "unknown:5000/a");
	config->default_upstream = NULL;
}

/* Upstream, slash and repository: 255 bytes. */
static void
long_names(void **state)
{
	char path[400] = "/v2/", *name = path + 4;
	struct route r;
	struct err err;
	size_t room = 255 - strlen("quay.io/");

	(void)state;
	memset(name, 'a', room);
	memcpy(name + room, "/tags/list", sizeof("/tags/list"));
	assert_int_equal(0, route(z(path), "quay.io", "", &r, &err));
	assert_int_equal(r.repository.n, room);
	memset(name, 'a', room + 1);
	memcpy(name + room + 1, "/tags/list", sizeof("/tags/list"));
	expect_bad(z(path), "quay.io", "", ERR_NAME_INVALID, "255");

	/* The folder that is put before counts, too. */
	room = 255 - strlen("docker.io/library/");
	memset(name, 'a', room);
	memcpy(name + room, "/tags/list", sizeof("/tags/list"));
	assert_int_equal(0, route(z(path), "docker.io", "", &r, &err));
	memset(name, 'a', room + 1);
	memcpy(name + room + 1, "/tags/list", sizeof("/tags/list"));
	expect_bad(z(path), "docker.io", "", ERR_NAME_INVALID, "255");
}

static void
base_has_no_upstream(void **state)
{
	struct route r;
	struct err err;

	(void)state;
	assert_int_equal(0, route(z("/v2/"), "nowhere.test", "x", &r, &err));
	assert_int_equal(r.kind, ROUTE_BASE);
	assert_null(r.upstream);
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	config = config_parse("test.yaml", STR(yaml), &err);
	return config != NULL && config->default_upstream == NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	config_unref(config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(paths_with_keywords_in_names),
		cmocka_unit_test(paths_with_escapes),
		cmocka_unit_test(uploads),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(bad_references),
		cmocka_unit_test(full_arena),
		cmocka_unit_test(by_namespace),
		cmocka_unit_test(by_namespace_and_prefix),
		cmocka_unit_test(by_unknown_namespace),
		cmocka_unit_test(by_prefix),
		cmocka_unit_test(by_host),
		cmocka_unit_test(library),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(base_has_no_upstream),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
