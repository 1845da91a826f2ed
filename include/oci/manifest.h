/*
 * manifest.h - what a manifest names.
 *
 * Reads OCI image manifests and indexes, Docker schema 2 manifests and lists,
 * and OCI artifact manifests; the fields are those of the image specification
 * (manifest.md, image-index.md, descriptor.md).  Bytes that are none of these
 * are an error here, but may be served all the same: their digest is what
 * counts.  Pure; any thread.  The caller frees.
 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"

#define MANIFEST_MAX_BYTES (4u << 20) /* what clients accept, too */

enum manifest_part {
	PART_CHILD, /* a manifest of an index */
	PART_CONFIG,
	PART_LAYER,   /* layers of an image, blobs of an artifact */
	PART_SUBJECT, /* what it refers to */
};

struct manifest_link {
	enum manifest_part part;
	struct digest digest;
	uint64_t size_bytes;
	const char *media_type; /* "" when it has none; owned by the manifest */
	/* CHILD; "" when not said. */
	const char *os, *architecture, *variant;
};

struct manifest {
	bool is_index;
	const char *media_type;    /* of the body; "" when it has none */
	const char *artifact_type; /* artifactType, else config.mediaType */
	struct manifest_link *links;
	size_t n_links;
	void *json; /* keeps the strings alive; not yours */
};

struct manifest *manifest_parse(struct str bytes, struct err *err);
void manifest_free(struct manifest *); /* NULL is fine */

/* What we send upstream: every manifest type we can serve, comma separated. */
#define MANIFEST_ACCEPT                                                        \
	"application/vnd.oci.image.index.v1+json, "                            \
	"application/vnd.oci.image.manifest.v1+json, "                         \
	"application/vnd.docker.distribution.manifest.list.v2+json, "          \
	"application/vnd.docker.distribution.manifest.v2+json, "               \
	"application/vnd.oci.artifact.manifest.v1+json, */*"

#endif
