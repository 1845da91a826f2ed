/*
 * fuzz_manifest.c - manifests, lists and Link headers.
 *
 * Each input is read as all of them.  What we write must be what we can read.
 */
#include <stdint.h>
#include <string.h>

#include "common/check.h"
#include "oci/lists.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MAX_BYTES (1u << 20)

static void
try_manifest(struct str s)
{
	struct err err;
	struct manifest *m = manifest_parse(s, &err);
	size_t i;

	if (m == NULL) {
		check(strlen(err.text) > 0);
		return;
	}
	check(m->media_type != NULL && m->artifact_type != NULL);
	for (i = 0; i < m->n_links; i++) {
		check(m->links[i].digest.alg != 0);
		check(m->links[i].size_bytes <= INT64_MAX);
		check(m->links[i].media_type != NULL);
		check((m->links[i].part == PART_CHILD) <= m->is_index);
	}
	manifest_free(m);
}

static void
try_cut(struct str document, long n, struct str last)
{
	struct tags_page q = { STR("a/b"), n, last };
	struct buf out, shown;
	bool has_more;
	struct err err;

	buf_init(&out, 2 * MAX_BYTES);
	buf_init(&shown, 256);
	if (list_tags_page(document, &q, &out, &has_more, &shown, &err) == 0)
		check(has_more == (shown.n > 0));
	buf_done(&out);
	buf_done(&shown);
}

static void
try_filter(struct str document, struct str type, bool is_ours)
{
	struct buf out;
	struct err err;
	int rc;

	buf_init(&out, 8 * MAX_BYTES);
	rc = list_referrers_filter(document, type, &out, &err);
	check(rc == 0 || !is_ours);
	buf_done(&out);
}

static void
try_pages(struct str s, enum list_kind kind)
{
	struct list_pages *l = list_pages_new(kind, MAX_BYTES);
	struct buf document;
	struct err err;

	check(l != NULL);
	buf_init(&document, 8 * MAX_BYTES);
	if (list_pages_add(l, s, &err) == 0 &&
	    list_pages_add(l, s, &err) == 0) {
		check(list_pages_document(l, &document, &err) == 0);
		if (kind == LIST_REFERRERS)
			try_filter(buf_str(&document), STR("t"), true);
		else
			try_cut(buf_str(&document), 1, STR(""));
	}
	buf_done(&document);
	list_pages_free(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str s = { (const char *)bytes, size };
	struct str next = list_next_link(s);

	check(next.p == NULL || (next.n > 0 && next.n <= size));
	try_manifest(s);
	try_pages(s, LIST_TAGS);
	try_pages(s, LIST_REFERRERS);
	try_cut(s, 2, STR(""));
	try_cut(s, -1, STR("m"));
	try_filter(s, STR("t"), false);
	return 0;
}
