/*
 * fuzz_release_list.c - any bytes as a release's list: all that is wrong is
 * told, or it is a list, and its text is read as the same list again.
 *
 * Input: j, y or t for the format, then the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "oci/name.h"
#include "release/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* For the whole run. */
static const struct config *config;

static struct release_list *
parse(struct str body, enum release_format format)
{
	struct release_faults faults;
	struct release_list *l;

	release_faults_init(&faults);
	l = release_list_parse(body, format, config, &faults);
	check((l == NULL) == (faults.n_found > 0));
	for (size_t i = 0; i < faults.n; i++)
		check(faults.all[i].text[0] != '\0');
	release_faults_done(&faults);
	return l;
}

static void
look(const struct release_list *l)
{
	check(l->n_images > 0 && l->n_images <= RELEASE_IMAGES_MAX);
	for (size_t i = 0; i < l->n_images; i++) {
		const struct release_image *image = &l->images[i];

		check(name_is_repository(str_of(image->repository)));
		check(image->digest.alg != 0 ||
		    (l->resolve_tags && name_is_tag(str_of(image->tag))));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str body = { (const char *)bytes + 1, size - 1 };
	struct release_list *l, *again;
	struct err err;
	char *text, *same;

	if (config == NULL)
		config = config_parse("fuzz.yaml",
		    STR("upstreams: {docker.io: , ghcr.io: }\n"), &err);
	check(config != NULL);
	if (size == 0)
		return 0;
	l = parse(body,
	    bytes[0] == 'j'       ? RELEASE_JSON
		: bytes[0] == 'y' ? RELEASE_YAML
				  : RELEASE_TEXT);
	if (l == NULL)
		return 0;
	look(l);
	text = release_list_text(l);
	check(text != NULL);
	again = parse(str_of(text), RELEASE_JSON);
	check(again != NULL);
	same = release_list_text(again);
	check(same != NULL && strcmp(text, same) == 0);
	free(text);
	free(same);
	release_list_unref(l);
	release_list_unref(again);
	return 0;
}
