/*
 * thread.c - a named thread that takes no signals.
 *
 * A thread inherits its maker's mask, so the maker blocks everything for as
 * long as it takes to make one.
 */
#include "common/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "common/check.h"

int
thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
    void *arg, struct err *err)
{
	sigset_t all, before;
	char shown[16]; /* the kernel's limit, with the NUL */
	int error;

	check(sigfillset(&all) == 0);
	check(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	error = pthread_create(thread, NULL, fn, arg);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (error != 0) {
		errno = error;
		return err_errno(
		    err, ERR_NO_MEMORY, "could not start the thread %s", name);
	}
	(void)snprintf(shown, sizeof(shown), "%.15s", name);
	(void)pthread_setname_np(*thread, shown); /* for people only */
	return 0;
}
