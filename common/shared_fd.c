/*
 * shared_fd.c - counted descriptors.
 */
#include "common/shared_fd.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"

struct shared_fd *
shared_fd_new(int fd)
{
	struct shared_fd *s = malloc(sizeof(*s));

	if (s == NULL) {
		(void)close(fd);
		return NULL;
	}
	atomic_init(&s->refs, 1);
	atomic_init(&s->cached, 0);
	s->fd = fd;
	return s;
}

struct shared_fd *
shared_fd_ref(struct shared_fd *s)
{
	unsigned before =
	    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);

	check(before > 0);
	return s;
}

void
shared_fd_unref(struct shared_fd *s)
{
	if (s == NULL)
		return;
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	(void)close(s->fd);
	free(s);
}
