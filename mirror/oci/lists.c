/*
 * lists.c - tag lists and referrers.
 *
 * Tags that break the grammar, and referrers with a digest that we can't know,
 * are left out: nobody could ask us for them.  So a kept tag list has no
 * escapes: it is cut as text, without a look at the tags before the page.
 */
#include "oci/lists.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "oci/name.h"
#include "oci_int.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

struct list_pages {
	enum list_kind kind;
	size_t max_bytes; /* of all pages together */
	size_t n_bytes;
	struct buf tags; /* TAGS: each with a NUL behind it */
	size_t n_tags;
	json_t *descriptors; /* REFERRERS: an array */
};

/* ---- gathering pages ---------------------------------------------------- */

struct list_pages *
list_pages_new(enum list_kind kind, size_t max_bytes)
{
	struct list_pages *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->kind = kind;
	l->max_bytes = max_bytes;
	buf_init(&l->tags, max_bytes);
	if (kind == LIST_REFERRERS) {
		l->descriptors = json_array();
		if (l->descriptors == NULL) {
			list_pages_free(l);
			return NULL;
		}
	}
	return l;
}

void
list_pages_free(struct list_pages *l)
{
	if (l == NULL)
		return;
	buf_done(&l->tags);
	json_decref(l->descriptors);
	free(l);
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "the list does not fit into memory");
}

static int
add_tag(struct list_pages *l, const json_t *value, struct err *err)
{
	struct str tag = oci_json_str(value);

	if (tag.p == NULL)
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "the upstream's tag list holds something that is no "
		    "string");
	if (!name_is_tag(tag))
		return 0;
	buf_add(&l->tags, tag.p, tag.n + 1);
	if (l->tags.overflow)
		return no_memory(err);
	l->n_tags++;
	return 0;
}

static int
add_descriptor(struct list_pages *l, json_t *value, struct err *err)
{
	struct str text = oci_json_str(oci_json_get(value, "digest"));
	struct digest digest;
	struct err why;

	if (!json_is_object(value) || text.p == NULL)
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "the upstream's referrers hold something that is no "
		    "descriptor");
	if (digest_parse(&digest, text, &why) != 0)
		return 0;
	if (json_array_append(l->descriptors, value) != 0)
		return no_memory(err);
	return 0;
}

static int
add_page(struct list_pages *l, const json_t *page, struct err *err)
{
	const char *key = l->kind == LIST_TAGS ? "tags" : "manifests";
	json_t *list = oci_json_get(page, key);
	size_t i;
	int rc = 0;

	if (list != NULL && !json_is_array(list))
		return err_set(err, ERR_UPSTREAM_BROKEN,
		    "the upstream's list has `%s` that are no array", key);
	for (i = 0; i < json_array_size(list) && rc == 0; i++) {
		if (l->kind == LIST_TAGS)
			rc = add_tag(l, json_array_get(list, i), err);
		else
			rc = add_descriptor(l, json_array_get(list, i), err);
	}
	return rc;
}

int
list_pages_add(struct list_pages *l, struct str body, struct err *err)
{
	struct json_source src = { "the upstream's list", l->max_bytes,
		ERR_UPSTREAM_BROKEN };
	json_t *page;
	int rc;

	if (body.n > l->max_bytes - l->n_bytes)
		return err_set(err, ERR_TOO_LARGE,
		    "the upstream's list has more than %zu bytes",
		    l->max_bytes);
	l->n_bytes += body.n;
	page = oci_json_object(body, &src, err);
	if (page == NULL)
		return -1;
	rc = add_page(l, page, err);
	json_decref(page);
	return rc;
}

/* ---- documents ---------------------------------------------------------- */

static int
index_write(json_t *descriptors, struct buf *out, struct err *err)
{
	json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2,
	    "mediaType", INDEX_TYPE, "manifests", descriptors);
	int rc;

	if (index == NULL)
		return no_memory(err);
	rc = oci_json_write(index, out, err);
	json_decref(index);
	return rc;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
tags_write(const char **tags, size_t n, struct buf *out, struct err *err)
{
	size_t i;

	qsort(tags, n, sizeof(*tags), by_bytes);
	buf_addz(out, "[");
	for (i = 0; i < n; i++) {
		if (i > 0 && strcmp(tags[i], tags[i - 1]) == 0)
			continue;
		buf_addz(out, i > 0 ? ",\"" : "\"");
		buf_addz(out, tags[i]);
		buf_addz(out, "\"");
	}
	buf_addz(out, "]");
	if (out->overflow)
		return err_set(err, ERR_TOO_LARGE,
		    "the tag list does not fit into %zu bytes", out->max);
	return 0;
}

int
list_pages_document(struct list_pages *l, struct buf *out, struct err *err)
{
	const char **tags, *next = l->tags.p;
	size_t i;
	int rc;

	if (l->kind == LIST_REFERRERS)
		return index_write(l->descriptors, out, err);
	tags = calloc(l->n_tags + 1, sizeof(*tags));
	if (tags == NULL)
		return no_memory(err);
	for (i = 0; i < l->n_tags; i++) {
		tags[i] = next;
		next += strlen(next) + 1;
	}
	rc = tags_write(tags, l->n_tags, out, err);
	free(tags);
	return rc;
}

/* ---- a client's page of tags -------------------------------------------- */

/* Cuts the next tag off `"a","b"]`; false at the end, and where the text is
 * none of ours (then REST is not empty). */
static bool
cut_tag(struct str *rest, struct str *tag)
{
	size_t end;

	if (!field_skip(rest, '"'))
		return false;
	end = str_index(*rest, '"');
	*tag = (struct str){ rest->p, end };
	*rest = str_from(*rest, end < rest->n ? end + 1 : end);
	return field_skip(rest, ',') || str_eqz(*rest, "]");
}

static bool
sorts_after(struct str tag, struct str last)
{
	size_t n = tag.n < last.n ? tag.n : last.n;
	int order = n > 0 ? memcmp(tag.p, last.p, n) : 0;

	return order > 0 || (order == 0 && tag.n > last.n);
}

static bool
is_full(const struct tags_page *q, size_t n)
{
	return q->n >= 0 && n == (size_t)q->n;
}

/* Adds what belongs on the page; *SHOWN is the last of it.  False when the
 * document is damaged. */
static bool
add_tags(struct str rest, const struct tags_page *q, struct buf *out,
    struct str *shown, bool *has_more)
{
	struct str tag;
	size_t n = 0;

	while (cut_tag(&rest, &tag)) {
		if (!sorts_after(tag, q->last))
			continue;
		*has_more = is_full(q, n);
		if (*has_more)
			return true;
		if (!name_is_tag(tag))
			return false;
		buf_addz(out, n > 0 ? ",\"" : "\"");
		buf_adds(out, tag);
		buf_addz(out, "\"");
		*shown = tag;
		n++;
	}
	return str_eqz(rest, "]");
}

int
list_tags_page(struct str document, const struct tags_page *q, struct buf *out,
    bool *has_more, struct buf *last_shown, struct err *err)
{
	struct str rest = document, shown = STR("");

	*has_more = false;
	buf_reset(last_shown);
	buf_addz(out, "{\"name\":");
	oci_json_text(out, q->repository);
	buf_addz(out, ",\"tags\":[");
	if (!field_skip(&rest, '[') ||
	    !add_tags(rest, q, out, &shown, has_more))
		return err_set(
		    err, ERR_DISK, "the tag list that was kept is damaged");
	buf_addz(out, "]}");
	*has_more = *has_more && q->n > 0; /* no page follows an empty one */
	if (*has_more)
		buf_adds(last_shown, shown);
	if (out->overflow || last_shown->overflow)
		return err_set(err, ERR_TOO_LARGE,
		    "the page of tags does not fit into %zu bytes", out->max);
	return 0;
}

/* ---- referrers ---------------------------------------------------------- */

static int
add_matching(
    json_t *to, const json_t *from, struct str artifact_type, struct err *err)
{
	json_t *descriptor;
	size_t i;

	json_array_foreach(from, i, descriptor)
	{
		struct str type =
		    oci_json_str(oci_json_get(descriptor, "artifactType"));

		if (artifact_type.n > 0 && !str_eq(type, artifact_type))
			continue;
		if (json_array_append(to, descriptor) != 0)
			return no_memory(err);
	}
	return 0;
}

int
list_referrers_filter(struct str document, struct str artifact_type,
    struct buf *out, struct err *err)
{
	static const struct json_source src = { "the kept list of referrers",
		SIZE_MAX, ERR_DISK };
	json_t *kept =
	    oci_json_object(document.n > 0 ? document : STR("{}"), &src, err);
	json_t *chosen;
	int rc;

	if (kept == NULL)
		return -1;
	chosen = json_array();
	if (chosen == NULL)
		rc = no_memory(err);
	else
		rc = add_matching(chosen, oci_json_get(kept, "manifests"),
		    artifact_type, err);
	if (rc == 0)
		rc = index_write(chosen, out, err);
	json_decref(chosen);
	json_decref(kept);
	return rc;
}

/* ---- Link ---------------------------------------------------------------
 *
 *	header  link *("," link)
 *	link    "<" URL ">" *(";" key ["=" value])
 */

/* Is "next" one of the words of VALUE? */
static bool
has_next(struct str value)
{
	struct str word;

	while (str_cut(&value, ' ', &word))
		if (str_ieq(word, STR("next")))
			return true;
	return false;
}

/* Cuts off the parameters; *IS_NEXT is what the first `rel` says. */
static bool
cut_parameters(struct str *rest, bool *is_next)
{
	struct str key, value;
	bool has_rel = false;

	*is_next = false;
	for (;;) {
		field_skip_space(rest);
		if (!field_skip(rest, ';'))
			return true;
		field_skip_space(rest);
		if (!field_cut_token(rest, &key))
			continue; /* ";;" is allowed */
		field_skip_space(rest);
		if (!field_skip(rest, '='))
			continue;
		field_skip_space(rest);
		if (!field_cut_value(rest, &value))
			return false;
		if (str_ieq(key, STR("rel")) && !has_rel) {
			has_rel = true;
			*is_next = has_next(value);
		}
	}
}

struct str
list_next_link(struct str header)
{
	static const struct str none = { NULL, 0 };
	struct str rest = header, url;
	bool is_next;

	for (;;) {
		field_skip_space(&rest);
		if (field_skip(&rest, ','))
			continue;
		if (!field_skip(&rest, '<'))
			return none;
		url = (struct str){ rest.p, str_index(rest, '>') };
		if (url.n == rest.n)
			return none;
		rest = str_from(rest, url.n + 1);
		if (!cut_parameters(&rest, &is_next))
			return none;
		if (is_next && url.n > 0)
			return url;
	}
}
