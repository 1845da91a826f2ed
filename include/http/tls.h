/*
 * tls.h - TLS 1.2 and 1.3 on a listener (OpenSSL).
 *
 * A context is immutable and counted (atomic): connections keep theirs over a
 * reload.  Only tls*.c know OpenSSL.  Kernel TLS is used where the kernel has
 * it.  A transport is one connection's side of it; the connection's loop only.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "common/config.h"
#include "common/err.h"

struct tls_context;

/* Reads certificate, key and client CA. */
struct tls_context *tls_context_new(const struct config_tls *, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context *); /* NULL is fine */

#endif
