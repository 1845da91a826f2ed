/*
 * kube_images.h - the images that rendered Kubernetes manifests name.
 *
 * Of the output of kustomize, helm or kubectl: any number of documents, lists
 * of objects, whatever kind.  An image is what stands in
 *
 *	containers: [{image: ...}]	initContainers, ephemeralContainers too
 *	volumes: [{image: {reference: ...}}]
 *
 * and with `every` any text behind a key `image`, for custom resources.  Each
 * reference is given once, at its first place, as it is written there.
 * Pure; one thread at a time.
 */
#ifndef OCI_KUBE_IMAGES_H
#define OCI_KUBE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/str.h"

struct kube_images;
struct yaml_doc;

struct kube_image {
	struct str reference; /* points into the document */
	unsigned line;
};

/* DOC (of yaml_stream_parse()) is borrowed and must outlive the images. */
struct kube_images *kube_images_find(
    const struct yaml_doc *doc, bool every, struct err *err);
void kube_images_free(struct kube_images *); /* NULL is fine */
size_t kube_images_count(const struct kube_images *);
struct kube_image kube_images_at(const struct kube_images *, size_t i);
/* Places whose text can't be a reference: empty, or with a space in it. */
size_t kube_images_odd(const struct kube_images *, struct kube_image *first);

#endif
