/*
 * reference.h - an image as people write it: [registry/]repository[:tag][@digest]
 *
 * As containerd and Docker read it: a first segment with a dot or a colon, or
 * "localhost", is a registry; else it is docker.io's, where a repository of one
 * segment is below "library/".
 * Pure; any thread.
 */
#ifndef OCI_REFERENCE_H
#define OCI_REFERENCE_H

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"
#include "oci/name.h"

struct reference {
	const struct config_upstream *upstream; /* the configuration's */
	char repository[NAME_MAX_BYTES + 1];    /* as the upstream calls it */
	char tag[TAG_MAX_BYTES + 1];            /* "": none */
	struct digest digest;                   /* alg 0: none */
};

/* ERR_NAME_INVALID, ERR_DIGEST_INVALID, ERR_NAME_UNKNOWN (no such upstream). */
err_checked int reference_parse(
    struct reference *, struct str, const struct config *, struct err *err);

#endif
