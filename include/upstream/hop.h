/*
 * hop.h - one HTTP request to one far server, and its answer.
 *
 *	hop_start ... on_head (once, any final status) ... on_bytes ... on_end
 *
 * Nothing is followed and nobody is authenticated here: a redirect and a 401
 * are answers like others, and what comes of them is the owner's business.
 * HTTP/1.1 only, bytes as they were sent (no content encoding is asked for or
 * undone), nothing from the environment (no proxy, no .netrc).
 *
 * on_head and on_bytes run inside libcurl: they return -1 to stop, and must
 * not start or close hops.  on_bytes may also return HOP_LATER: then nothing
 * more is read, and it is called again with the same bytes by hop_resume().
 * on_end is the last call; there all may be done.
 *
 * Ownership: its owner closes it, ended or not.  Threads: the loop's only.
 */
#ifndef UPSTREAM_HOP_H
#define UPSTREAM_HOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "loop/loop.h"

/* Connections, names and TLS sessions that hops share. */
struct curl_loop;
struct hop;

struct curl_loop *curl_loop_new(struct loop *, struct err *err);
/* All hops must be closed.  NULL is fine. */
void curl_loop_free(struct curl_loop *);

#define HOP_LATER 1

enum hop_method { HOP_GET, HOP_HEAD, HOP_POST };

struct hop_spec {
	struct curl_loop *curl;
	enum hop_method method;
	const char *url;       /* http or https; copied */
	const char *headers;   /* "Name: value\n" each; copied */
	const char *form;      /* POST: the body; copied */
	const char *ca;        /* PEM file; NULL: the system's; copied */
	bool is_ca_alone;      /* trust `ca` only, not the system's as well */
	const char *proxy;     /* URL; NULL: none; copied */
	const char *interface; /* NULL: any; copied */
	uint64_t connect_ms;   /* name, TCP and TLS together */
	uint64_t total_ms;     /* 0: as long as it takes */
	size_t read_bytes;     /* at once; 0: 256 KiB */
	size_t kernel_bytes;   /* as in hop_set_receive() */
	int (*on_head)(void *arg);
	int (*on_bytes)(void *arg, const void *, size_t);
	void (*on_end)(void *arg);
	void *arg;
};

enum hop_end {
	HOP_RUNNING,
	HOP_DONE,        /* a whole answer came, whatever its status */
	HOP_STOPPED,     /* on_head or on_bytes said -1 */
	HOP_UNREACHABLE, /* no connection, no TLS, no answer */
	HOP_GARBAGE,     /* what came is not HTTP, or not a URL to ask */
	HOP_BROKEN,      /* ended in the middle */
};

/* NULL when out of memory. */
struct hop *hop_start(const struct hop_spec *, struct err *err);
void hop_close(struct hop *); /* NULL is fine */

void hop_resume(struct hop *); /* not inside of libcurl */
/* How many bytes the kernel may hold for us; 0: as it likes. */
void hop_set_receive(struct hop *, size_t n);

enum hop_end hop_end(const struct hop *);
/* For all ends but DONE and STOPPED: a sentence that names the server. */
const struct err *hop_error(const struct hop *);

/* From on_head on.  Strings are valid until the hop is closed. */
int hop_status(const struct hop *);
int64_t hop_length(const struct hop *); /* Content-Length; -1: not told */
/* The N-th header of NAME, from 0; p == NULL: there is none. */
struct str hop_header(const struct hop *, const char *name, size_t n);
/* Retry-After, as seconds or as a date; 0: not told, or past. */
uint64_t hop_retry_after_ms(const struct hop *);
/* After DONE: the URL that a redirect leads to, made absolute; or NULL. */
const char *hop_redirect(const struct hop *);

#endif
