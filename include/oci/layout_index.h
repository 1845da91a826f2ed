/*
 * layout_index.h - the index.json of an OCI image layout: which tag of which
 * repository is which manifest.
 *
 * Sources: image specification, image-layout.md and annotations.md; what
 * `ctr images export`, skopeo, crane and buildx write.  A descriptor's name is
 * its io.containerd.image.name or, where that is missing,
 * org.opencontainers.image.ref.name: "upstream/repository:tag",
 * "repository:tag", or a bare "tag", which then stands for any repository.
 * Pure; any thread; immutable once parsed.
 */
#ifndef OCI_LAYOUT_INDEX_H
#define OCI_LAYOUT_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"

#define LAYOUT_INDEX_MAX_BYTES (16u << 20)

struct layout_index;

struct layout_entry {
	struct digest digest;
	const char *media_type; /* "" when it has none */
	uint64_t size_bytes;
};

struct layout_index *layout_index_parse(struct str json, struct err *err);
void layout_index_free(struct layout_index *); /* NULL is fine */

size_t layout_index_count(const struct layout_index *);
const struct layout_entry *layout_index_get(
    const struct layout_index *, size_t);
/* NULL: not there. */
const struct layout_entry *layout_index_find(
    const struct layout_index *, const struct digest *);

/* What is asked for, in the upstream's words. */
struct layout_name {
	struct str upstream;
	struct str repository;
	struct str tag;
};
/* A full name goes before a bare tag.  NULL: not there. */
const struct layout_entry *layout_index_find_tag(
    const struct layout_index *, const struct layout_name *);
/* The body of /tags/list; returns how many tags there are (0: no such
 * repository). */
size_t layout_index_tags(
    const struct layout_index *, const struct layout_name *, struct buf *out);

/* The media type of a manifest: what it says, else what it looks like.  OUT
 * keeps the text.  -1 when it is no manifest. */
err_checked int layout_media_type(
    struct str manifest, struct buf *out, struct err *err);
/* When MANIFEST refers to SUBJECT, appends a descriptor of it for a referrers
 * list, after a comma unless OUT ends in "[".  0: appended or not; -1: it is
 * no manifest. */
err_checked int layout_referrer_add(struct buf *out,
    const struct layout_entry *, struct str manifest,
    const struct digest *subject, struct err *err);

#endif
