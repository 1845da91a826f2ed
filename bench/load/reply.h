/*
 * reply.h - the head of a reply, as far as a load generator looks at it.
 */
#ifndef BENCH_REPLY_H
#define BENCH_REPLY_H

#include <stddef.h>
#include <stdint.h>

struct reply {
	int status;
	size_t head_n;  /* bytes up to the body */
	int64_t length; /* Content-Length; -1 without one */
};

/* 1: it is whole; 0: more has to come; -1: that is no HTTP/1.1 reply. */
int reply_parse(const char *head, size_t n, struct reply *);

#endif
