/*
 * test_layout_index.c - names in an image layout's index.json.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oci/layout_index.h"

#define HEX(c) c c c c c c c c c c c c c c c c
#define DIGEST(c) "sha256:" HEX(c c c c)
#define ENTRY(c, notes)                                                        \
	"{\"mediaType\":\"type/" c "\",\"digest\":\"" DIGEST(                  \
	    c) "\",\"size\":1,\"annotations\":{" notes "}}"
#define REF(name) "\"org.opencontainers.image.ref.name\":\"" name "\""
#define IMAGE(name) "\"io.containerd.image.name\":\"" name "\""

static const char json[] = "{\"schemaVersion\":2,\"manifests\":[" ENTRY(
    "1", REF("bare")) "," ENTRY("2", REF("team/app:1.0")) "," ENTRY("3",
    REF("reg.test/team/app:2.0")) "," ENTRY("4",
    IMAGE("docker.io/library/nginx:1") "," REF("1")) "," ENTRY("5",
    REF("nginx:2")) "," ENTRY("6",
    REF("localhost:5000/team/app:3.0")) "," ENTRY("7",
    REF("team/app:4.0@" DIGEST("7"))) "," ENTRY("8", "") "," ENTRY("9",
    REF("team/app")) "," ENTRY("a", REF("bad tag")) "," ENTRY("b",
    REF("team/app:bare")) ","
			  "{\"digest\":\"" DIGEST("c") "\",\"size\":2}]}";

static struct layout_index *
parse(const char *text)
{
	struct err err;
	struct layout_index *x = layout_index_parse(str_of(text), &err);

	if (x == NULL)
		fail_msg("%s", err.text);
	return x;
}

static void
tags(void **state)
{
	static const struct {
		const char *upstream, *repository, *tag;
		const char *type; /* NULL: not there */
	} cases[] = {
		{ "reg.test", "anything", "bare", "type/1" },
		{ "reg.test", "team/app", "bare", "type/b" },
		{ "reg.test", "team/app", "1.0", "type/2" },
		{ "other.test", "team/app", "1.0", "type/2" },
		{ "reg.test", "app", "1.0", NULL },
		{ "reg.test", "team/app", "2.0", "type/3" },
		{ "other.test", "team/app", "2.0", NULL },
		/* a full name says whose the bare tag is */
		{ "docker.io", "library/nginx", "1", "type/4" },
		{ "docker.io", "library/redis", "1", NULL },
		{ "quay.io", "library/nginx", "1", NULL },
		{ "docker.io", "library/nginx", "2", "type/5" },
		{ "docker.io", "nginx", "2", "type/5" },
		{ "localhost:5000", "team/app", "3.0", "type/6" },
		{ "reg.test", "team/app", "4.0", "type/7" },
		{ "reg.test", "team/app", "team/app", NULL },
		{ "reg.test", "team/app", "bad tag", NULL },
		{ "reg.test", "team/app", "", NULL },
		{ "reg.test", "team/app", "9", NULL },
	};
	struct layout_index *x = parse(json);

	(void)state;
	assert_int_equal(layout_index_count(x), 12);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct layout_name name = { str_of(cases[i].upstream),
			str_of(cases[i].repository), str_of(cases[i].tag) };
		const struct layout_entry *e = layout_index_find_tag(x, &name);

		if ((e == NULL) != (cases[i].type == NULL) ||
		    (e != NULL && strcmp(e->media_type, cases[i].type) != 0))
			fail_msg("case %zu: %s", i,
			    e == NULL ? "nothing" : e->media_type);
	}
	layout_index_free(x);
}

static void
digests(void **state)
{
	struct layout_index *x = parse(json);
	const struct layout_entry *e;
	struct digest d;
	struct err err;

	(void)state;
	assert_int_equal(digest_parse(&d, STR(DIGEST("c")), &err), 0);
	e = layout_index_find(x, &d);
	assert_non_null(e);
	assert_string_equal(e->media_type, "");
	assert_int_equal(e->size_bytes, 2);
	assert_int_equal(digest_parse(&d, STR(DIGEST("d")), &err), 0);
	assert_null(layout_index_find(x, &d));
	layout_index_free(x);
}

static void
tag_lists(void **state)
{
	static const struct {
		const char *upstream, *repository, *list;
		size_t n;
	} cases[] = {
		{ "reg.test", "team/app",
		    "{\"name\":\"team/app\",\"tags\":[\"bare\",\"1.0\","
		    "\"2.0\",\"4.0\",\"bare\"]}",
		    5 },
		{ "docker.io", "library/nginx",
		    "{\"name\":\"library/nginx\","
		    "\"tags\":[\"bare\",\"1\",\"2\"]}",
		    3 },
	};
	struct layout_index *x = parse(json), *none;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct layout_name name = { str_of(cases[i].upstream),
			str_of(cases[i].repository), STR("") };

		buf_reset(&out);
		assert_int_equal(layout_index_tags(x, &name, &out), cases[i].n);
		assert_true(str_eqz(buf_str(&out), cases[i].list));
	}
	none = parse("{\"manifests\":[]}");
	assert_int_equal(
	    layout_index_tags(none, &(struct layout_name){ 0 }, &out), 0);
	layout_index_free(none);
	layout_index_free(x);
	buf_done(&out);
}

static void
broken_ones(void **state)
{
	static const char *const broken[] = {
		"", "[]", "{}", "{\"manifests\":{}}", "{\"manifests\":[1]}",
		"{\"manifests\":[{\"size\":1}]}",
		"{\"manifests\":[{\"digest\":\"sha256:xy\",\"size\":1}]}",
		"{\"manifests\":[{\"digest\":\"" DIGEST("1") "\"}]}",
		"{\"manifests\":[{\"digest\":\"" DIGEST("1") "\",\"size\":-1}]}"
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		assert_null(layout_index_parse(str_of(broken[i]), &err));
		assert_non_null(strstr(err.text, "index.json"));
	}
}

static void
media_types(void **state)
{
	static const struct {
		const char *manifest, *type; /* NULL: none */
	} cases[] = {
		{ "{\"mediaType\":\"application/"
		  "vnd.docker.distribution.manifest.v2+json\","
		  "\"config\":{\"digest\":\"" DIGEST("1") "\",\"size\":1}}",
		    "application/vnd.docker.distribution.manifest.v2+json" },
		{ "{\"config\":{\"digest\":\"" DIGEST("1") "\",\"size\":1}}",
		    "application/vnd.oci.image.manifest.v1+json" },
		{ "{\"manifests\":[]}",
		    "application/vnd.oci.image.index.v1+json" },
		{ "{}", NULL },
		{ "no", NULL },
	};
	struct buf out;
	struct err err;
	int rc;

	(void)state;
	buf_init(&out, 200);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		rc = layout_media_type(str_of(cases[i].manifest), &out, &err);
		assert_int_equal(rc, cases[i].type == NULL ? -1 : 0);
		if (rc == 0)
			assert_true(str_eqz(buf_str(&out), cases[i].type));
	}
	buf_done(&out);
}

static void
referrers(void **state)
{
	static const char manifest[] =
	    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
	    "\"artifactType\":\"x/sbom\",\"annotations\":{\"k\":\"v\"},"
	    "\"config\":{\"digest\":\"" DIGEST(
		"1") "\",\"size\":1},"
		     "\"subject\":{\"digest\":\"" DIGEST("2") "\",\"size\":1}}";
	static const char one[] =
	    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
	    "\"digest\":\"" DIGEST("3") "\",\"size\":9,"
					"\"artifactType\":\"x/"
					"sbom\",\"annotations\":{\"k\":\"v\"}}";
	struct layout_entry e = { .size_bytes = 9 };
	struct digest subject;
	struct buf out, want;
	struct err err;

	(void)state;
	buf_init(&out, 1000);
	buf_init(&want, 1000);
	assert_int_equal(digest_parse(&e.digest, STR(DIGEST("3")), &err), 0);
	assert_int_equal(digest_parse(&subject, STR(DIGEST("2")), &err), 0);
	buf_addz(&out, "[");
	for (int i = 0; i < 2; i++)
		assert_int_equal(layout_referrer_add(&out, &e, str_of(manifest),
				     &subject, &err),
		    0);
	buf_printf(&want, "[%s,%s", one, one);
	assert_true(str_eq(buf_str(&out), buf_str(&want)));
	assert_int_equal(digest_parse(&subject, STR(DIGEST("1")), &err), 0);
	assert_int_equal(
	    layout_referrer_add(&out, &e, str_of(manifest), &subject, &err), 0);
	assert_int_equal(
	    layout_referrer_add(&out, &e, STR("no"), &subject, &err), -1);
	assert_true(str_eq(buf_str(&out), buf_str(&want)));
	buf_done(&out);
	buf_done(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags),
		cmocka_unit_test(digests),
		cmocka_unit_test(tag_lists),
		cmocka_unit_test(broken_ones),
		cmocka_unit_test(media_types),
		cmocka_unit_test(referrers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
