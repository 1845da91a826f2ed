/*
 * manifest.c - what a manifest names.
 *
 * Read by its fields, with its media type as a witness: a body that is an
 * index by one and an image by the other is refused, since two readers could
 * take it for different things (CVE-2021-41190).
 */
#include "oci/manifest.h"

#include <stdlib.h>

#include "oci_int.h"

/* clang-format off */
static const struct field {
	const char *key;
	enum manifest_part part;
	bool is_list;
	const char *digest_key;
	bool has_size;
} fields[] = {
	{ "manifests", PART_CHILD,   true,  "digest",  true },
	{ "config",    PART_CONFIG,  false, "digest",  true },
	{ "layers",    PART_LAYER,   true,  "digest",  true },
	{ "blobs",     PART_LAYER,   true,  "digest",  true },
	{ "fsLayers",  PART_LAYER,   true,  "blobSum", false }, /* schema 1 */
	{ "subject",   PART_SUBJECT, false, "digest",  true },
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

enum kind { KIND_UNKNOWN, KIND_INDEX, KIND_IMAGE, KIND_ARTIFACT };

static const struct {
	const char *media_type;
	enum kind kind;
} types[] = {
	{ "application/vnd.oci.image.index.v1+json",                   KIND_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", KIND_INDEX },
	{ "application/vnd.oci.image.manifest.v1+json",                KIND_IMAGE },
	{ "application/vnd.docker.distribution.manifest.v2+json",      KIND_IMAGE },
	{ "application/vnd.oci.artifact.manifest.v1+json",             KIND_ARTIFACT },
};
/* clang-format on */

/* The text of a member, or "". */
static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static enum kind
kind_of_type(const char *media_type)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_eqz(str_of(media_type), types[i].media_type))
			return types[i].kind;
	return KIND_UNKNOWN;
}

/* Sets is_index, or says why this is no manifest. */
static int
find_kind(struct manifest *m, struct err *err)
{
	enum kind kind = kind_of_type(m->media_type);
	bool has_children = oci_json_get(m->json, "manifests") != NULL;
	bool has_parts = oci_json_get(m->json, "config") != NULL ||
	    oci_json_get(m->json, "layers") != NULL ||
	    oci_json_get(m->json, "blobs") != NULL ||
	    oci_json_get(m->json, "fsLayers") != NULL;

	m->is_index = kind == KIND_UNKNOWN ? has_children : kind == KIND_INDEX;
	if (m->is_index ? has_parts : has_children)
		return err_set(err, ERR_MANIFEST_INVALID,
		    "the manifest is both an image and an index");
	if (!m->is_index && !has_parts && kind != KIND_ARTIFACT)
		return err_set(err, ERR_MANIFEST_INVALID,
		    "the manifest is neither an image nor an index");
	return 0;
}

static int
read_link(const struct field *f, const json_t *value,
    struct manifest_link *link, struct err *err)
{
	struct str digest = oci_json_str(oci_json_get(value, f->digest_key));
	const json_t *size = oci_json_get(value, "size"), *platform;
	struct err why;

	if (digest.p == NULL)
		return err_set(err, ERR_MANIFEST_INVALID,
		    "`%s` of the manifest has no %s", f->key, f->digest_key);
	if (digest_parse(&link->digest, digest, &why) != 0)
		return err_set(err, ERR_MANIFEST_INVALID,
		    "`%s` of the manifest: %s", f->key, why.text);
	if (f->has_size &&
	    (!json_is_integer(size) || json_integer_value(size) < 0))
		return err_set(err, ERR_MANIFEST_INVALID,
		    "`%s` of the manifest has no size, or one below zero",
		    f->key);
	link->part = f->part;
	link->size_bytes = f->has_size ? (uint64_t)json_integer_value(size) : 0;
	link->media_type = text_of(value, "mediaType");
	platform = oci_json_get(value, "platform");
	link->os = text_of(platform, "os");
	link->architecture = text_of(platform, "architecture");
	link->variant = text_of(platform, "variant");
	return 0;
}

static int
read_field(struct manifest *m, const struct field *f, struct err *err)
{
	const json_t *value = oci_json_get(m->json, f->key);
	size_t i;

	if (value == NULL)
		return 0;
	if (!f->is_list)
		return read_link(f, value, &m->links[m->n_links++], err);
	for (i = 0; i < json_array_size(value); i++)
		if (read_link(f, json_array_get(value, i),
			&m->links[m->n_links++], err) != 0)
			return -1;
	return 0;
}

/* How many links there will be. */
static int
count_links(const struct manifest *m, size_t *n, struct err *err)
{
	size_t i;

	*n = 0;
	for (i = 0; i < N_FIELDS; i++) {
		const json_t *value = oci_json_get(m->json, fields[i].key);

		if (value == NULL)
			continue;
		if (fields[i].is_list ? !json_is_array(value)
				      : !json_is_object(value))
			return err_set(err, ERR_MANIFEST_INVALID,
			    "`%s` of the manifest is no %s", fields[i].key,
			    fields[i].is_list ? "array" : "object");
		*n += fields[i].is_list ? json_array_size(value) : 1;
	}
	return 0;
}

static int
read_links(struct manifest *m, struct err *err)
{
	size_t i, n;

	if (count_links(m, &n, err) != 0)
		return -1;
	m->links = calloc(n + 1, sizeof(*m->links));
	if (m->links == NULL)
		return err_set(err, ERR_NO_MEMORY,
		    "the manifest does not fit into memory");
	for (i = 0; i < N_FIELDS; i++)
		if (read_field(m, &fields[i], err) != 0)
			return -1;
	return 0;
}

static int
read_manifest(struct manifest *m, struct err *err)
{
	m->media_type = text_of(m->json, "mediaType");
	m->artifact_type = text_of(m->json, "artifactType");
	if (m->artifact_type[0] == '\0')
		m->artifact_type =
		    text_of(oci_json_get(m->json, "config"), "mediaType");
	if (find_kind(m, err) != 0)
		return -1;
	return read_links(m, err);
}

struct manifest *
manifest_parse(struct str bytes, struct err *err)
{
	static const struct json_source src = { "the manifest",
		MANIFEST_MAX_BYTES, ERR_MANIFEST_INVALID };
	struct manifest *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_set(err, ERR_NO_MEMORY,
		    "the manifest does not fit into memory");
		return NULL;
	}
	m->json = oci_json_object(bytes, &src, err);
	if (m->json == NULL || read_manifest(m, err) != 0) {
		manifest_free(m);
		return NULL;
	}
	return m;
}

void
manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	free(m->links);
	json_decref(m->json);
	free(m);
}
