/*
 * test_kube_images.c - which texts of rendered manifests are images.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/yaml.h"
#include "oci/kube_images.h"

struct found {
	struct yaml_doc *doc;
	struct kube_images *images;
};

static struct found
find(const char *text, bool every)
{
	struct found f;
	struct err err;

	f.doc = yaml_stream_parse("t.yaml", str_of(text), &err);
	if (f.doc == NULL)
		fail_msg("%s", err.text);
	f.images = kube_images_find(f.doc, every, &err);
	assert_non_null(f.images);
	return f;
}

static void
done(struct found *f)
{
	kube_images_free(f->images);
	yaml_doc_free(f->doc);
}

/* EXPECTED: references with a space between. */
static void
holds(const char *text, bool every, const char *expected)
{
	struct found f = find(text, every);
	struct buf got;

	buf_init(&got, 4096);
	for (size_t i = 0; i < kube_images_count(f.images); i++)
		buf_printf(&got, "%s%.*s", i > 0 ? " " : "",
		    STR_ARG(kube_images_at(f.images, i).reference));
	buf_add(&got, "", 1);
	assert_string_equal(got.p, expected);
	buf_done(&got);
	done(&f);
}

#define POD_SPEC                                                               \
	"      initContainers: [{name: i, image: a/init:1}]\n"                 \
	"      containers:\n"                                                  \
	"      - name: c\n"                                                    \
	"        image: \"a/main@sha256:00\"\n"                                \
	"      ephemeralContainers: [{image: a/debug:1}]\n"                    \
	"      volumes:\n"                                                     \
	"      - {name: m, image: {reference: a/model:2, pullPolicy: Always}}" \
	"\n"                                                                   \
	"      - {name: e, emptyDir: {}}\n"

static void
test_pod_template(void **state)
{
	(void)state;
	holds("apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n"
	      "    spec:\n" POD_SPEC,
	    false, "a/init:1 a/main@sha256:00 a/debug:1 a/model:2");
	holds("kind: Pod\nspec:\n" POD_SPEC, false,
	    "a/init:1 a/main@sha256:00 a/debug:1 a/model:2");
}

static void
test_cron_job_in_a_list(void **state)
{
	(void)state;
	holds("kind: List\nitems:\n- kind: CronJob\n  spec:\n"
	      "    jobTemplate:\n     spec:\n      template:\n       spec:\n"
	      "        affinity: {podAffinity: {required: [{term: {selector: "
	      "{expressions: [{key: k, values: [v]}]}}}]}}\n"
	      "        containers: [{image: b:1}]\n"
	      "- kind: Pod\n  spec: {containers: [{image: b:2}, {image: "
	      "b:1}]}\n",
	    false, "b:1 b:2");
}

static void
test_documents(void **state)
{
	(void)state;
	holds("---\n# Source: chart/empty.yaml\n---\n"
	      "spec: {containers: [{image: c:1}]}\n...\n---\n"
	      "{\"spec\": {\"containers\": [{\"image\": \"c:2\"}]}}\n",
	    false, "c:1 c:2");
	holds("", false, "");
	holds("# nothing\n", false, "");
}

static void
test_custom_resources(void **state)
{
	const char *text = "kind: Prometheus\nspec:\n  image: q/p:1\n"
			   "  thanos: {image: q/t:1, version: 1}\n"
			   "  other: {image: ''}\n  none: {image: null}\n"
			   "  prose: {image: this is text}\n"
			   "  containers: [{name: x, image: q/c:1}]\n";
	(void)state;
	holds(text, false, "q/c:1");
	holds(text, true, "q/p:1 q/t:1 q/c:1");
}

static void
test_schema_is_passed_over(void **state)
{
	const char *text = "kind: CustomResourceDefinition\nspec:\n"
			   "  properties:\n    image: {type: string}\n"
			   "    containers: {type: array, items: {image: "
			   "{type: string}}}\n"
			   "    volumes: {image: {reference: {}}}\n";
	(void)state;
	holds(text, false, "");
	holds(text, true, "");
}

static void
test_anchors(void **state)
{
	(void)state;
	holds("x: &c {image: d:1}\nspec: {containers: [*c]}\n", false, "d:1");
	holds("x: &c {image: d:1}\nspec:\n  containers:\n"
	      "  - <<: *c\n    name: n\n  - <<: [{name: z}, *c]\n"
	      "  - {<<: *c, image: d:2}\n",
	    false, "d:1 d:2");
}

static void
test_odd_ones(void **state)
{
	struct found f = find("spec:\n  containers:\n  - image: ''\n"
			      "  - image: 'a b'\n  - image: ok\n  - name: n\n"
			      "  - image: {a: b}\n  - text\n",
	    true);
	struct kube_image odd;

	(void)state;
	assert_int_equal(kube_images_count(f.images), 1);
	assert_int_equal(kube_images_at(f.images, 0).line, 5);
	assert_int_equal(kube_images_odd(f.images, &odd), 2);
	assert_int_equal(odd.line, 3);
	done(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_template),
		cmocka_unit_test(test_cron_job_in_a_list),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_custom_resources),
		cmocka_unit_test(test_schema_is_passed_over),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_odd_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
