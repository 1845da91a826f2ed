/*
 * shared_fd.c - counted descriptors.
 */
#include "common/shared_fd.h"

#include <stdlib.h>
#include <unistd.h>

struct shared_fd *
shared_fd_new(int fd)
{
	struct shared_fd *s = malloc(sizeof(*s));

	if (s == NULL) {
		(void)close(fd);
		return NULL;
	}
	refs_init(&s->refs);
	atomic_init(&s->cached, 0);
	s->fd = fd;
	return s;
}

struct shared_fd *
shared_fd_ref(struct shared_fd *s)
{
	refs_take(&s->refs);
	return s;
}

void
shared_fd_unref(struct shared_fd *s)
{
	if (s == NULL || !refs_drop(&s->refs))
		return;
	(void)close(s->fd);
	free(s);
}
