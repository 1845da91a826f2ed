/*
 * manifest_set.h - manifests that are asked about together: how far is a site
 * with them?
 *
 * Values only; immutable once made; any thread that may look at the site.
 */
#ifndef SITE_MANIFEST_SET_H
#define SITE_MANIFEST_SET_H

#include "site/site.h"

struct manifest_set;

/* Room for MAX; NULL when out of memory. */
struct manifest_set *manifest_set_new(size_t max);
void manifest_set_free(struct manifest_set *); /* NULL is fine */
void manifest_set_add(struct manifest_set *, const struct digest *);
/* After the last add, before anything is asked. */
void manifest_set_close(struct manifest_set *);
size_t manifest_set_count(const struct manifest_set *); /* each once */
/* How many of them the site has pulled, and when one last (0: none). */
size_t manifest_set_pulled(
    const struct manifest_set *, const struct site *, int64_t *last_at);

#endif
