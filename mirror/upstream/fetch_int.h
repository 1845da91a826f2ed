/*
 * fetch_int.h - fetches over HTTP: what is sent (fetch_request.c), what a head
 * says (fetch_head.c), and what is done about it (fetch_http.c).
 */
#ifndef UPSTREAM_FETCH_INT_H
#define UPSTREAM_FETCH_INT_H

#include "upstream/hop.h"
#include "upstream_int.h"

/* Where the fetch begins.  ERR_BAD_REQUEST when what is asked for cannot be a
 * URL of the endpoint. */
err_checked int fetch_write_url(
    const struct fetch_spec *, struct buf *out, struct err *err);
/* The lines for hop_spec.headers; AUTHORIZATION may be NULL. */
void fetch_write_headers(
    const struct fetch_spec *, const char *authorization, struct buf *out);
bool fetch_asks_range(const struct fetch_spec *);

/* Reads the head of a 200 or 206.  -1, with the fetch's verdict, when it does
 * not answer what was asked. */
err_checked int fetch_read_head(
    struct fetch *, const struct hop *, struct fetch_head *);

#endif
