/*
 * target.c - what is asked for.
 */
#include "cache/target.h"

#include <string.h>

#include "common/check.h"

void
target_init(struct target *t, struct config *config,
    const struct config_upstream *upstream, struct str repository)
{
	struct str name = str_of(upstream->name);

	memset(t, 0, sizeof(*t));
	t->config = config_ref(config);
	t->upstream = upstream;
	check(name.n + 1 + repository.n < sizeof(t->scope));
	memcpy(t->scope, name.p, name.n);
	t->scope[name.n] = '/';
	memcpy(t->scope + name.n + 1, repository.p, repository.n);
}

void
target_copy(struct target *to, const struct target *from)
{
	*to = *from;
	(void)config_ref(to->config);
}

void
target_done(struct target *t)
{
	config_unref(t->config);
	t->config = NULL;
}

struct str
target_scope(const struct target *t)
{
	return str_of(t->scope);
}

struct str
target_repository(const struct target *t)
{
	return str_of(t->scope + strlen(t->upstream->name) + 1);
}

bool
target_is_public(const struct target *t)
{
	return t->upstream->visibility == VISIBILITY_PUBLIC;
}
