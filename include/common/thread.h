/*
 * thread.h - a named thread that takes no signals.
 *
 * Signals are the main thread's: all are blocked here from the first
 * instruction on.  Any thread may start one.
 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>

#include "common/err.h"

/* Of NAME, the first 15 bytes show in ps and top.  Join *thread. */
err_checked int thread_start(pthread_t *thread, const char *name,
    void *(*fn)(void *), void *arg, struct err *err);

#endif
