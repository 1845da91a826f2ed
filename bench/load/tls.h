/*
 * tls.h - TLS 1.3 for the load generators.
 *
 * Certificates are not looked up in any list: what is measured is the server.
 * Sessions that can be resumed are kept, and used when asked for.
 */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

SSL_CTX *tls_new(void); /* ends the program when there is none */
void tls_free(SSL_CTX *);

/* A client's side over FD; with IS_RESUMING a kept session is offered. */
SSL *tls_attach(SSL_CTX *, int fd, bool is_resuming);
void tls_detach(SSL *); /* frees it; its session stays good */

/* As read(2) and write(2): -1 with EAGAIN when the socket must be waited for. */
ssize_t tls_read(SSL *, void *, size_t n);
ssize_t tls_write(SSL *, const void *, size_t n);

#endif
