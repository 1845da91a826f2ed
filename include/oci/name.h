/*
 * name.h - names of repositories, tags and registries.
 *
 * Grammar: OCI distribution specification, "Pulling manifests".  Pure; any
 * thread.
 */
#ifndef OCI_NAME_H
#define OCI_NAME_H

#include <stdbool.h>

#include "common/str.h"

#define NAME_MAX_BYTES 255 /* host, slash and repository together */
#define TAG_MAX_BYTES 128

bool name_is_repository(struct str);
bool name_is_tag(struct str);
/* "host", "host:port", "[::1]:port"; letters of any case. */
bool name_is_registry(struct str);

#endif
