/*
 * test_manifest.c - manifests of all kinds, and what only looks like one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oci/manifest.h"
#include "starve.h"

#define HEX "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b"
#define D1 "sha256:" HEX "01"
#define D2 "sha256:" HEX "02"
#define D3 "sha256:" HEX "03"
#define D4 "sha512:" HEX "04" HEX "04"
#define LINK(digest, size) "{\"digest\":\"" digest "\",\"size\":" size "}"
#define TYPED(type, digest, size)                                              \
	"{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size \
	"}"

static struct manifest *
parse(const char *json)
{
	struct err err = { .text = "" };
	struct manifest *m = manifest_parse(str_of(json), &err);

	if (m == NULL)
		fail_msg("%s: %s", json, err.text);
	return m;
}

static void
expect_link(const struct manifest *m, size_t i, enum manifest_part part,
    const char *digest, uint64_t size)
{
	char text[DIGEST_TEXT_MAX];

	assert_true(i < m->n_links);
	assert_int_equal(m->links[i].part, part);
	assert_string_equal(digest_text(&m->links[i].digest, text), digest);
	assert_int_equal(m->links[i].size_bytes, size);
}

static void
expect_invalid_str(struct str json)
{
	struct err err = { .text = "" };
	struct manifest *m = manifest_parse(json, &err);

	if (m != NULL)
		fail_msg("taken: %.*s", STR_ARG(json));
	if (err.code != ERR_MANIFEST_INVALID)
		fail_msg(
		    "%.*s: code %d: %s", STR_ARG(json), err.code, err.text);
	assert_true(strlen(err.text) > 10);
}

static void
expect_invalid(const char *json)
{
	expect_invalid_str(str_of(json));
}

/* clang-format off */
static const char image[] =
    "{\"schemaVersion\":2,"
    "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
    "\"config\":"
        TYPED("application/vnd.oci.image.config.v1+json", D1, "1469") ","
    "\"layers\":["
        TYPED("application/vnd.oci.image.layer.v1.tar+gzip", D2, "29126484") ","
        LINK(D4, "0") "],"
    "\"annotations\":{\"a\":\"b\"}}";

static const char artifact[] =
    "{\"mediaType\":\"application/vnd.oci.artifact.manifest.v1+json\","
    "\"artifactType\":\"application/vnd.example.sbom\","
    "\"blobs\":[" LINK(D1, "10") "," LINK(D2, "20") "],"
    "\"subject\":" LINK(D3, "30") "}";

static const char image_as_artifact[] =
    "{\"artifactType\":\"a/t\","
    "\"config\":" TYPED("application/vnd.oci.empty.v1+json", D1, "2") ","
    "\"layers\":[],"
    "\"subject\":" LINK(D2, "3") "}";
/* clang-format on */

static void
oci_image(void **state)
{
	struct manifest *m = parse(image);

	(void)state;
	assert_false(m->is_index);
	assert_string_equal(
	    m->media_type, "application/vnd.oci.image.manifest.v1+json");
	assert_string_equal(
	    m->artifact_type, "application/vnd.oci.image.config.v1+json");
	assert_int_equal(m->n_links, 3);
	expect_link(m, 0, PART_CONFIG, D1, 1469);
	expect_link(m, 1, PART_LAYER, D2, 29126484);
	expect_link(m, 2, PART_LAYER, D4, 0);
	assert_string_equal(m->links[1].media_type,
	    "application/vnd.oci.image.layer.v1.tar+gzip");
	assert_string_equal(m->links[2].media_type, "");
	manifest_free(m);
}

/* mediaType is optional in OCI's: the fields tell. */
static void
without_media_type(void **state)
{
	struct manifest *m;

	(void)state;
	m = parse("{\"config\":" LINK(D1, "1") ",\"layers\":[]}");
	assert_false(m->is_index);
	assert_string_equal(m->media_type, "");
	assert_string_equal(m->artifact_type, "");
	assert_int_equal(m->n_links, 1);
	manifest_free(m);
	m = parse("{\"manifests\":[]}");
	assert_true(m->is_index);
	assert_int_equal(m->n_links, 0);
	manifest_free(m);
	m = parse("{\"mediaType\":\"x/y\",\"layers\":[" LINK(D1, "1") "]}");
	assert_string_equal(m->media_type, "x/y");
	assert_int_equal(m->n_links, 1);
	manifest_free(m);
}

static void
indexes(void **state)
{
	struct manifest *m = parse(
	    "{\"schemaVersion\":2,\"mediaType\":"
	    "\"application/vnd.docker.distribution.manifest.list.v2+json\","
	    "\"manifests\":[{\"mediaType\":\"m\",\"size\":948,"
	    "\"digest\":\"" D1 "\",\"platform\":{\"architecture\":\"amd64\","
	    "\"os\":\"linux\"}}," LINK(D2, "949") "]}");

	(void)state;
	assert_true(m->is_index);
	assert_int_equal(m->n_links, 2);
	expect_link(m, 0, PART_CHILD, D1, 948);
	expect_link(m, 1, PART_CHILD, D2, 949);
	assert_string_equal(m->links[0].media_type, "m");
	manifest_free(m);

	m = parse("{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		  "\"artifactType\":\"a/t\",\"manifests\":null,"
		  "\"subject\":" LINK(D3, "7") "}");
	assert_true(m->is_index);
	assert_string_equal(m->artifact_type, "a/t");
	assert_int_equal(m->n_links, 1);
	expect_link(m, 0, PART_SUBJECT, D3, 7);
	manifest_free(m);
}

static void
artifacts(void **state)
{
	struct manifest *m = parse(artifact);

	(void)state;
	assert_false(m->is_index);
	assert_string_equal(m->artifact_type, "application/vnd.example.sbom");
	assert_int_equal(m->n_links, 3);
	expect_link(m, 0, PART_LAYER, D1, 10);
	expect_link(m, 1, PART_LAYER, D2, 20);
	expect_link(m, 2, PART_SUBJECT, D3, 30);
	manifest_free(m);

	m = parse("{\"mediaType\":"
		  "\"application/vnd.oci.artifact.manifest.v1+json\","
		  "\"subject\":" LINK(D3, "30") "}");
	assert_int_equal(m->n_links, 1);
	manifest_free(m);

	/* An image manifest as an artifact: its own type before config's. */
	m = parse(image_as_artifact);
	assert_string_equal(m->artifact_type, "a/t");
	expect_link(m, 1, PART_SUBJECT, D2, 3);
	manifest_free(m);
}

static void
schema1(void **state)
{
	struct manifest *m =
	    parse("{\"schemaVersion\":1,\"name\":\"a/b\","
		  "\"tag\":\"1\",\"architecture\":\"amd64\",\"fsLayers\":["
		  "{\"blobSum\":\"" D1 "\"},{\"blobSum\":\"" D1 "\"},"
		  "{\"blobSum\":\"" D2 "\"}],\"history\":[{\"v1Compatibility\":"
		  "\"{}\"}],\"signatures\":[{\"signature\":\"x\"}]}");

	(void)state;
	assert_false(m->is_index);
	assert_string_equal(m->media_type, "");
	assert_int_equal(m->n_links, 3);
	expect_link(m, 0, PART_LAYER, D1, 0);
	expect_link(m, 1, PART_LAYER, D1, 0);
	expect_link(m, 2, PART_LAYER, D2, 0);
	manifest_free(m);
	expect_invalid("{\"fsLayers\":[{\"digest\":\"" D1 "\"}]}");
	expect_invalid("{\"fsLayers\":[{\"blobSum\":\"sha256:1\"}]}");
}

static void
sizes(void **state)
{
	struct manifest *m =
	    parse("{\"layers\":[" LINK(D1, "9223372036854775807") "]}");

	(void)state;
	expect_link(m, 0, PART_LAYER, D1, INT64_MAX);
	manifest_free(m);
	expect_invalid("{\"layers\":[" LINK(D1, "9223372036854775808") "]}");
	expect_invalid("{\"layers\":[" LINK(D1, "-1") "]}");
	expect_invalid("{\"layers\":[" LINK(D1, "1.0") "]}");
	expect_invalid("{\"layers\":[" LINK(D1, "\"1\"") "]}");
	expect_invalid("{\"layers\":[" LINK(D1, "null") "]}");
	expect_invalid("{\"layers\":[{\"digest\":\"" D1 "\"}]}");
	/* Anywhere in the body, even where nobody reads. */
	expect_invalid("{\"layers\":[],\"x\":-9223372036854775809}");
	expect_invalid("{\"layers\":[],\"x\":1e999}");
}

static void
digests(void **state)
{
	(void)state;
	expect_invalid("{\"layers\":[" LINK("sha256:12", "1") "]}");
	expect_invalid("{\"layers\":[" LINK("md5:" HEX "01", "1") "]}");
	expect_invalid("{\"layers\":[" LINK("sha512:" HEX "01", "1") "]}");
	expect_invalid("{\"layers\":[" LINK("", "1") "]}");
	expect_invalid("{\"layers\":[{\"size\":1}]}");
	expect_invalid("{\"layers\":[{\"size\":1,\"digest\":5}]}");
	expect_invalid("{\"config\":" LINK("../../x", "1") "}");
	expect_invalid("{\"manifests\":[" LINK("sha256:Z", "1") "]}");
	expect_invalid("{\"layers\":[],\"subject\":" LINK("x", "1") "}");
	expect_invalid("{\"blobs\":[" LINK("x", "1") "]}");
	/* The last of many. */
	expect_invalid("{\"layers\":[" LINK(D1, "1") "," LINK("x", "1") "]}");
}

static void
wrong_shapes(void **state)
{
	(void)state;
	expect_invalid("{\"layers\":{}}");
	expect_invalid("{\"layers\":\"x\"}");
	expect_invalid("{\"layers\":[5]}");
	expect_invalid("{\"layers\":[null]}");
	expect_invalid("{\"layers\":[[]]}");
	expect_invalid("{\"config\":[]}");
	expect_invalid("{\"config\":5,\"layers\":[]}");
	expect_invalid("{\"manifests\":{}}");
	expect_invalid("{\"layers\":[],\"subject\":[]}");
	expect_invalid("{\"layers\":[],\"subject\":\"" D1 "\"}");
}

static void
no_manifests(void **state)
{
	(void)state;
	expect_invalid("");
	expect_invalid("null");
	expect_invalid("[]");
	expect_invalid("5");
	expect_invalid("{}");
	expect_invalid("{");
	expect_invalid("{}{}");
	expect_invalid("{\"layers\":[]}x");
	expect_invalid("{\"layers\":null}");
	expect_invalid("\xef\xbb\xbf{\"layers\":[]}");
	expect_invalid("{\"layers\":[],\"x\":\"\xff\"}");
	expect_invalid("{\"layers\":[],\"x\":\"\\u0000\"}");
	expect_invalid_str(STR("{\"layers\":[]}\0"));
	expect_invalid("<html>404</html>");
	expect_invalid("{\"errors\":[{\"code\":\"DENIED\"}]}");
	expect_invalid("{\"subject\":" LINK(D1, "1") "}");
	expect_invalid("{\"mediaType\":"
		       "\"application/vnd.oci.image.manifest.v1+json\"}");
}

/* CVE-2021-41190: what two readers could take for two things. */
static void
both_at_once(void **state)
{
	(void)state;
	expect_invalid("{\"layers\":[],\"manifests\":[]}");
	expect_invalid("{\"config\":" LINK(D1, "1") ",\"manifests\":[]}");
	expect_invalid("{\"blobs\":[],\"manifests\":[]}");
	expect_invalid("{\"fsLayers\":[],\"manifests\":[]}");
	expect_invalid("{\"mediaType\":"
		       "\"application/vnd.oci.image.manifest.v1+json\","
		       "\"manifests\":[]}");
	expect_invalid("{\"mediaType\":"
		       "\"application/vnd.oci.image.index.v1+json\","
		       "\"layers\":[]}");
	expect_invalid("{\"mediaType\":\"application/"
		       "vnd.docker.distribution.manifest.v2+json\","
		       "\"layers\":[],\"manifests\":[]}");
}

/* Doubles are allowed in JSON; the last one counts, as for Go's clients. */
static void
double_members(void **state)
{
	struct manifest *m = parse(
	    "{\"layers\":[" LINK(D1, "1") "],"
					  "\"layers\":[" LINK(D2, "2") "]}");

	(void)state;
	assert_int_equal(m->n_links, 1);
	expect_link(m, 0, PART_LAYER, D2, 2);
	manifest_free(m);
}

static void
ceilings(void **state)
{
	size_t n = MANIFEST_MAX_BYTES + 1;
	char *text = malloc(n);
	struct err err;
	struct manifest *m;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', n);
	memcpy(text, "{\"layers\":[]}", 13);
	m = manifest_parse((struct str){ text, n - 1 }, &err);
	assert_non_null(m);
	manifest_free(m);
	expect_invalid_str((struct str){ text, n });

	/* Deeper than any stack should go. */
	memset(text, '[', n);
	memcpy(text, "{\"a\":", 5);
	expect_invalid_str((struct str){ text, n - 1 });
	free(text);
}

static void
many_links(void **state)
{
	static const char link[] = "," LINK(D1, "1");
	size_t i, n = 40000, len = sizeof(link) - 1;
	char *text = malloc(n * len + 32);
	char *p = text;
	struct manifest *m;

	(void)state;
	assert_non_null(text);
	p += snprintf(p, len + 32, "{\"manifests\":[%s", link + 1);
	for (i = 1; i < n; i++, p += len)
		memcpy(p, link, len);
	memcpy(p, "]}", 3);
	m = parse(text);
	assert_int_equal(m->n_links, n);
	expect_link(m, n - 1, PART_CHILD, D1, 1);
	manifest_free(m);
	free(text);
}

static void
try_manifest(bool is_starving)
{
	static const char json[] = "{\"mediaType\":\"a/b\",\"config\":" TYPED(
	    "c/d", D1, "1") ",\"layers\":[" LINK(D2,
	    "1") "],\"x\":{\"y\":[1.5,true]}}";
	struct err err;
	struct manifest *m = manifest_parse(STR(json), &err);

	if (m == NULL) {
		assert_true(is_starving);
		assert_int_equal(err.code, ERR_NO_MEMORY);
		return;
	}
	assert_int_equal(m->n_links, 2);
	expect_link(m, 0, PART_CONFIG, D1, 1);
	expect_link(m, 1, PART_LAYER, D2, 1);
	manifest_free(m);
}

static void
no_memory(void **state)
{
	(void)state;
	assert_true(starve_each(try_manifest) > 20);
	manifest_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oci_image),
		cmocka_unit_test(without_media_type),
		cmocka_unit_test(indexes),
		cmocka_unit_test(artifacts),
		cmocka_unit_test(schema1),
		cmocka_unit_test(sizes),
		cmocka_unit_test(digests),
		cmocka_unit_test(wrong_shapes),
		cmocka_unit_test(no_manifests),
		cmocka_unit_test(both_at_once),
		cmocka_unit_test(double_members),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(many_links),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
