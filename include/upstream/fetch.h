/*
 * fetch.h - one thing asked of one endpoint of an upstream.
 *
 * Two kinds of endpoints behind it: registries over HTTP(S) (libcurl; tokens,
 * basic auth and redirects are seen to here) and OCI layouts, folder or tar.
 * Another Railhead is a registry.  One fetch is one try: trying again, and the
 * next endpoint, are its owner's business (cache/).
 *
 *	fetch_start, on_head (once, only for 200 and 206), on_bytes..., on_end
 *
 * on_head and on_bytes run inside the library: they may look and store, and
 * return -1 (with err) to stop; they must not close the fetch or start another.
 * on_end is a plain wake-up, and the last call; read fetch_result() then or
 * later.  After fetch_close() nothing is called.
 *
 * Ownership: its owner closes it, ended or not.  Threads: origin loop only.
 */
#ifndef UPSTREAM_FETCH_H
#define UPSTREAM_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"

struct fetch;
struct upstreams;

enum fetch_target {
	FETCH_MANIFEST,  /* reference: tag or digest */
	FETCH_BLOB,      /* reference: digest */
	FETCH_TAGS,      /* reference: empty */
	FETCH_REFERRERS, /* reference: digest */
	FETCH_PAGE,      /* reference: path and query of a next page */
};

/* What came with the head.  Strings are valid during on_head only. */
struct fetch_head {
	int status;     /* 200 or 206 */
	int64_t length; /* of this body; -1: not told */
	uint64_t first; /* 206: offset of the first byte; else 0 */
	int64_t total;  /* size of the whole; -1: not told */
	struct str content_type;
	struct digest digest; /* Docker-Content-Digest; alg 0: not told */
	struct str etag;      /* strong validator, with quotes; or empty */
	struct str link;      /* Link header */
};

struct fetch_spec {
	struct upstreams *upstreams;
	struct config *config;                  /* a reference is taken */
	const struct config_upstream *upstream; /* in config */
	const struct config_endpoint *endpoint; /* in upstream */
	enum fetch_target target;
	bool is_head;          /* HEAD: on_head, no bytes */
	struct str repository; /* copied */
	struct str reference;  /* copied */
	uint64_t offset;       /* > 0: Range from here; 200 may come anyway */
	uint64_t end;          /* first byte not wanted; 0: to the end */
	struct str validator;  /* If-Range; copied; may be empty */
	enum link_class class;
	uint64_t max_bytes; /* of the body; more: FETCH_BROKEN; 0: any */
	int (*on_head)(void *arg, const struct fetch_head *, struct err *err);
	int (*on_bytes)(void *arg, const void *, size_t, struct err *err);
	void (*on_end)(void *arg);
	void *arg;
};

enum fetch_result {
	FETCH_RUNNING,
	FETCH_DONE,        /* all that was promised came */
	FETCH_STOPPED,     /* on_head or on_bytes said -1 */
	FETCH_NOT_FOUND,   /* 404, 410 */
	FETCH_DENIED,      /* 401, 403, also from the token server */
	FETCH_LIMITED,     /* 429 */
	FETCH_REFUSED,     /* any other 4xx, 416 too */
	FETCH_FAILED,      /* 5xx, garbage, or the token server failed */
	FETCH_UNREACHABLE, /* no connection, no TLS, no answer in time */
	FETCH_BROKEN,      /* cut, stalled, or longer than promised */
	FETCH_HELD,        /* its link is out of service, or its quota spent */
};

/* NULL when out of memory. */
struct fetch *fetch_start(const struct fetch_spec *, struct err *err);
enum fetch_result fetch_result(const struct fetch *);
/* The sentence, for all results but RUNNING and DONE. */
const struct err *fetch_error(const struct fetch *);
/* Somebody waits for it now, or nobody any more.  May be called in on_bytes. */
void fetch_set_class(struct fetch *, enum link_class);
uint64_t fetch_retry_after_ms(const struct fetch *); /* 0: not told */
void fetch_close(struct fetch *);                    /* NULL is fine */

/* Patience with one endpoint, in ms: short enough that containerd
 * gets our answer well before its own 30 s. */
#define FETCH_CONNECT_MS 5000
#define FETCH_FIRST_BYTE_MS 15000
/* A link's `stall` is the patience of readers: with a transfer that has gone
 * silent it is a third, so that it is tried again twice before they are cut. */
#define FETCH_STALL_MS 20000
#define FETCH_STALLS 3

#endif
