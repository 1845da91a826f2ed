/*
 * layout_index.c - reads index.json, and matches names in it.
 */
#include "oci/layout_index.h"

#include <stdlib.h>

#include "oci/manifest.h"
#include "oci/name.h"
#include "oci_int.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define IMAGE_NAME "io.containerd.image.name"

struct named_entry {
	struct layout_entry entry;
	struct str repository; /* empty: a bare tag; points into the JSON */
	struct str tag;        /* empty: it has no name */
};

struct layout_index {
	json_t *json; /* owned; keeps the strings alive */
	struct named_entry *entries;
	size_t n;
};

/* ---- reading ----------------------------------------------------------- */

/* Splits "repository:tag@digest"; what has no tag names nothing. */
static void
split_name(struct named_entry *e, struct str name)
{
	size_t slash = 0, colon;

	name.n = str_index(name, '@');
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '/')
			slash = i + 1;
	colon = slash + str_index(str_from(name, slash), ':');
	if (colon == name.n || !name_is_tag(str_from(name, colon + 1)))
		return;
	e->repository = (struct str){ name.p, colon };
	e->tag = str_from(name, colon + 1);
}

static void
read_name(struct named_entry *e, const json_t *descriptor)
{
	const json_t *notes = oci_json_get(descriptor, "annotations");
	struct str name = oci_json_str(oci_json_get(notes, IMAGE_NAME));

	if (name.n > 0) {
		split_name(e, name);
		return;
	}
	name = oci_json_str(oci_json_get(notes, REF_NAME));
	split_name(e, name);
	if (e->tag.n == 0 && name_is_tag(name))
		e->tag = name;
}

static int
read_entry(struct named_entry *e, const json_t *descriptor, struct err *err)
{
	struct str digest = oci_json_str(oci_json_get(descriptor, "digest"));
	const json_t *size = oci_json_get(descriptor, "size");
	const char *type =
	    json_string_value(oci_json_get(descriptor, "mediaType"));

	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(err, ERR_MANIFEST_INVALID,
		    "a descriptor has no size, or one below zero");
	e->entry.size_bytes = (uint64_t)json_integer_value(size);
	e->entry.media_type = type == NULL ? "" : type;
	read_name(e, descriptor);
	return digest_parse(&e->entry.digest, digest, err);
}

static int
read_entries(struct layout_index *x, struct err *err)
{
	const json_t *list = oci_json_get(x->json, "manifests");

	if (!json_is_array(list))
		return err_set(
		    err, ERR_MANIFEST_INVALID, "it has no `manifests`");
	x->entries = calloc(json_array_size(list) + 1, sizeof(*x->entries));
	if (x->entries == NULL)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	for (; x->n < json_array_size(list); x->n++)
		if (read_entry(&x->entries[x->n], json_array_get(list, x->n),
			err) != 0)
			return -1;
	return 0;
}

struct layout_index *
layout_index_parse(struct str json, struct err *err)
{
	static const struct json_source src = { "the layout's index.json",
		LAYOUT_INDEX_MAX_BYTES, ERR_MANIFEST_INVALID };
	struct layout_index *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "%s: out of memory", src.what);
		return NULL;
	}
	x->json = oci_json_object(json, &src, err);
	if (x->json != NULL && read_entries(x, err) == 0)
		return x;
	if (x->json != NULL)
		(void)err_wrap(err, "%s", src.what);
	layout_index_free(x);
	return NULL;
}

void
layout_index_free(struct layout_index *x)
{
	if (x == NULL)
		return;
	free(x->entries);
	json_decref(x->json);
	free(x);
}

/* ---- finding ----------------------------------------------------------- */

size_t
layout_index_count(const struct layout_index *x)
{
	return x->n;
}

const struct layout_entry *
layout_index_get(const struct layout_index *x, size_t i)
{
	return &x->entries[i].entry;
}

const struct layout_entry *
layout_index_find(const struct layout_index *x, const struct digest *d)
{
	for (size_t i = 0; i < x->n; i++)
		if (digest_equal(&x->entries[i].entry.digest, d))
			return &x->entries[i].entry;
	return NULL;
}

/* NAME without PREFIX and a slash, when it begins so. */
static struct str
without(struct str name, struct str prefix)
{
	if (prefix.n > 0 && str_starts(name, prefix) && name.n > prefix.n &&
	    name.p[prefix.n] == '/')
		return str_from(name, prefix.n + 1);
	return name;
}

/* Is this a full name in the repository?  Docker Hub's official images may
 * come with or without their "library/". */
static bool
is_in_repository(const struct named_entry *e, const struct layout_name *asked)
{
	struct str name = without(e->repository, asked->upstream);

	return e->repository.n > 0 &&
	    (str_eq(name, asked->repository) ||
		str_eq(name, without(asked->repository, STR("library"))));
}

const struct layout_entry *
layout_index_find_tag(
    const struct layout_index *x, const struct layout_name *asked)
{
	const struct layout_entry *bare = NULL;

	for (size_t i = 0; i < x->n; i++) {
		const struct named_entry *e = &x->entries[i];

		if (e->tag.n == 0 || !str_eq(e->tag, asked->tag))
			continue;
		if (is_in_repository(e, asked))
			return &e->entry;
		if (e->repository.n == 0 && bare == NULL)
			bare = &e->entry;
	}
	return bare;
}

size_t
layout_index_tags(const struct layout_index *x, const struct layout_name *asked,
    struct buf *out)
{
	size_t n = 0;

	buf_addz(out, "{\"name\":");
	oci_json_text(out, asked->repository);
	buf_addz(out, ",\"tags\":[");
	for (size_t i = 0; i < x->n; i++) {
		const struct named_entry *e = &x->entries[i];

		if (e->tag.n == 0 ||
		    (e->repository.n > 0 && !is_in_repository(e, asked)))
			continue;
		buf_addz(out, n++ > 0 ? "," : "");
		oci_json_text(out, e->tag);
	}
	buf_addz(out, "]}");
	return n;
}

/* ---- manifests --------------------------------------------------------- */

static const char *
type_of(const struct manifest *m)
{
	if (m->media_type[0] != '\0')
		return m->media_type;
	return m->is_index ? "application/vnd.oci.image.index.v1+json"
			   : "application/vnd.oci.image.manifest.v1+json";
}

int
layout_media_type(struct str bytes, struct buf *out, struct err *err)
{
	struct manifest *m = manifest_parse(bytes, err);

	if (m == NULL)
		return -1;
	buf_addz(out, type_of(m));
	manifest_free(m);
	return 0;
}

static bool
refers_to(const struct manifest *m, const struct digest *subject)
{
	for (size_t i = 0; i < m->n_links; i++)
		if (m->links[i].part == PART_SUBJECT &&
		    digest_equal(&m->links[i].digest, subject))
			return true;
	return false;
}

static int
add_descriptor(struct buf *out, const struct layout_entry *e,
    const struct manifest *m, struct err *err)
{
	char digest[DIGEST_TEXT_MAX];
	const json_t *notes = oci_json_get(m->json, "annotations");

	buf_printf(out, "%s{\"mediaType\":",
	    out->n > 0 && out->p[out->n - 1] != '[' ? "," : "");
	oci_json_text(out, str_of(type_of(m)));
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%llu,\"artifactType\":",
	    digest_text(&e->digest, digest), (unsigned long long)e->size_bytes);
	oci_json_text(out, str_of(m->artifact_type));
	if (json_is_object(notes)) {
		buf_addz(out, ",\"annotations\":");
		if (oci_json_write(notes, out, err) != 0)
			return -1;
	}
	buf_addz(out, "}");
	return 0;
}

int
layout_referrer_add(struct buf *out, const struct layout_entry *e,
    struct str bytes, const struct digest *subject, struct err *err)
{
	struct manifest *m = manifest_parse(bytes, err);
	int rc = 0;

	if (m == NULL)
		return -1;
	if (refers_to(m, subject))
		rc = add_descriptor(out, e, m, err);
	manifest_free(m);
	return rc;
}
