/*
 * tag.h - how old may what we know of a tag be?  Pure.
 *
 * The rules are the configuration's `tags`, first match wins:
 *
 *	confirmed ... ttl ............ ttl + stale ....
 *	  FRESH        STALE              EXPIRED
 *	  FRESH        RECHECK (immutable: answer, and look in the background)
 *
 * Lists (tags of a repository, referrers) go by the rule of the empty tag.
 */
#ifndef CACHE_TAG_H
#define CACHE_TAG_H

#include <stdint.h>

#include "cache/target.h"
#include "store/index.h"

enum tag_age {
	TAG_FRESH,
	TAG_RECHECK,
	TAG_STALE,   /* good when the upstream can't be asked */
	TAG_EXPIRED, /* not even then */
};

enum tag_age tag_age(
    const struct target *, const struct tag_row *, int64_t now_s);
bool tag_is_immutable(const struct target *);
enum tag_age list_age(
    const struct target *, int64_t confirmed_at, int64_t now_s);

#endif
