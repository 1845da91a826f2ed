/*
 * route.h - from a request's path to what of which upstream is asked.
 *
 * route_parse() knows the path grammar of the distribution specification,
 * route_upstream() the order in which an upstream is chosen (DESIGN: `ns`,
 * then a first path segment that names one, then the Host, then the default).
 * The upstream is looked up in the configuration; what a client names is never
 * dialled.  Pure; any thread.  Strings point into the arena, the path or the
 * configuration.
 */
#ifndef OCI_ROUTE_H
#define OCI_ROUTE_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"

enum route_kind {
	ROUTE_BASE,      /* /v2/ */
	ROUTE_MANIFEST,  /* /v2/NAME/manifests/REF */
	ROUTE_BLOB,      /* /v2/NAME/blobs/DIGEST */
	ROUTE_TAGS,      /* /v2/NAME/tags/list */
	ROUTE_REFERRERS, /* /v2/NAME/referrers/DIGEST */
	ROUTE_PUSH,      /* /v2/NAME/blobs/uploads/...: known, never allowed */
};

struct route {
	enum route_kind kind;
	struct str repository; /* as the upstream calls it: route_upstream() */
	bool is_by_digest;
	struct digest digest; /* when is_by_digest */
	struct str tag;       /* MANIFEST, when not is_by_digest */
	const struct config_upstream *upstream; /* route_upstream() */
};

/*
 * ERR_NAME_INVALID, ERR_DIGEST_INVALID, ERR_MANIFEST_UNKNOWN (a tag against
 * the grammar), ERR_NOT_FOUND (not a path of this API).  The repository is
 * checked by route_upstream(), since a prefix may hold a port.
 */
err_checked int route_parse(
    struct arena *, struct str path, struct route *, struct err *err);
/* NS and HOST may be empty.  ERR_NAME_UNKNOWN, ERR_NAME_INVALID.  Nothing to
 * do for ROUTE_BASE. */
err_checked int route_upstream(struct arena *, const struct config *,
    struct str ns, struct str host, struct route *, struct err *err);

#endif
