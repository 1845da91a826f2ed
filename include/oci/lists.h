/*
 * lists.h - tag lists and referrers, as they come from upstreams and as we
 * answer them (OCI distribution specification, "Listing Tags", "Listing
 * Referrers").
 *
 * The upstream's pages are gathered into one document, which is what is kept;
 * a client's page or filter is cut from it.  Pure; any thread.
 */
#ifndef OCI_LISTS_H
#define OCI_LISTS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

/* Gathers pages. */
struct list_pages;

enum list_kind { LIST_TAGS, LIST_REFERRERS };

struct list_pages *list_pages_new(enum list_kind, size_t max_bytes);
void list_pages_free(struct list_pages *); /* NULL is fine */
/* Adds the body of one upstream page.  MAX_BYTES is for all bodies together;
 * ERR_TOO_LARGE, ERR_UPSTREAM_BROKEN.  After an error the pages are spoilt. */
err_checked int list_pages_add(
    struct list_pages *, struct str body, struct err *err);
/* The gathered document: for tags sorted and without doubles (one JSON array
 * of strings), for referrers an image index.  What breaks the grammar of tags
 * or digests is left out. */
err_checked int list_pages_document(
    struct list_pages *, struct buf *out, struct err *err);

/*
 * The tag list of REPOSITORY in DOCUMENT: up to N tags (N < 0: all) that sort
 * after LAST (empty: from the start), byte by byte.  *has_more tells that a
 * `Link: rel="next"` is due, and LAST_SHOWN gets the `last` for it.  ERR_DISK
 * when DOCUMENT is none of ours.  OUT is appended to, also before an error.
 */
struct tags_page {
	struct str repository;
	long n;
	struct str last;
};
err_checked int list_tags_page(struct str document, const struct tags_page *,
    struct buf *out, bool *has_more, struct buf *last_shown, struct err *err);

/* The image index with the descriptors whose artifactType is ARTIFACT_TYPE
 * (empty: all).  An empty DOCUMENT gives an empty index. */
err_checked int list_referrers_filter(struct str document,
    struct str artifact_type, struct buf *out, struct err *err);

/* The target of `Link: <URL>; rel="next"` (RFC 8288); p == NULL: none. */
struct str list_next_link(struct str header);

#endif
