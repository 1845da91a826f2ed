/*
 * fuzz_kube_images.c - any bytes as rendered manifests: they are refused with a
 * sentence, or every image found is a text without spaces.
 */
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "common/yaml.h"
#include "oci/kube_images.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
look(const struct yaml_doc *doc, bool every)
{
	struct kube_images *images;
	struct err err;

	images = kube_images_find(doc, every, &err);
	check(images != NULL);
	for (size_t i = 0; i < kube_images_count(images); i++) {
		struct kube_image image = kube_images_at(images, i);

		check(image.reference.n > 0 && image.line > 0);
		check(
		    memchr(image.reference.p, ' ', image.reference.n) == NULL);
	}
	kube_images_free(images);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str text = { (const char *)bytes, size };
	struct err err = { .text = "" };
	struct yaml_doc *doc;

	doc = yaml_stream_parse("fuzz.yaml", text, &err);
	if (doc == NULL) {
		check(err.text[0] != '\0');
		return 0;
	}
	look(doc, false);
	look(doc, true);
	yaml_doc_free(doc);
	return 0;
}
