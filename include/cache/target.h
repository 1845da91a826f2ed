/*
 * target.h - what is asked for: an upstream's repository, and a tag or a
 * digest in it.
 *
 * A value that can be copied and kept across loops: its strings are inside,
 * and it holds a reference to the configuration that its upstream is in.
 */
#ifndef CACHE_TARGET_H
#define CACHE_TARGET_H

#include <stdbool.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/str.h"

#define TARGET_SCOPE_MAX 255
#define TARGET_TAG_MAX 128

struct target {
	struct config *config; /* counted */
	const struct config_upstream *upstream;
	char scope[TARGET_SCOPE_MAX + 1]; /* "upstream/repository" */
	char tag[TARGET_TAG_MAX + 1];     /* empty when a digest is meant */
	struct digest digest;             /* alg 0 when a tag is meant */
	bool is_lost; /* its stored file is missing, whatever the index says */
};

/* The names fit: route_upstream() saw to it.  CONFIG is referenced. */
void target_init(struct target *, struct config *,
    const struct config_upstream *, struct str repository);
void target_copy(struct target *to, const struct target *from);
void target_done(struct target *);

struct str target_scope(const struct target *);
struct str target_repository(const struct target *);
/* Does nothing stop content seen in any public upstream from being served? */
bool target_is_public(const struct target *);

#endif
