/*
 * tls.c - TLS 1.3 for the load generators.
 */
#include "tls.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>

#define KEPT_MAX 1024

/* Sessions to resume, the newest last; owned.  In TLS 1.3 each is good once. */
static SSL_SESSION *kept[KEPT_MAX];
static size_t n_kept;

static int
keep(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	if (n_kept == KEPT_MAX)
		return 0;
	kept[n_kept++] = session;
	return 1;
}

SSL_CTX *
tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		errx(2, "OpenSSL has no TLS 1.3");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	(void)SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, 256u << 10);
	return ctx;
}

void
tls_free(SSL_CTX *ctx)
{
	while (n_kept > 0)
		SSL_SESSION_free(kept[--n_kept]);
	SSL_CTX_free(ctx);
}

SSL *
tls_attach(SSL_CTX *ctx, int fd, bool is_resuming)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		errx(2, "no memory for a TLS connection");
	if (is_resuming && n_kept > 0) {
		(void)SSL_set_session(ssl, kept[--n_kept]);
		SSL_SESSION_free(kept[n_kept]);
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

void
tls_detach(SSL *ssl)
{
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
}

/* What OpenSSL says, in the words of read(2). */
static ssize_t
result(SSL *ssl, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		errno = EPROTO;
		return -1;
	}
}

ssize_t
tls_read(SSL *ssl, void *buf, size_t n)
{
	return result(ssl, SSL_read(ssl, buf, n < INT_MAX ? (int)n : INT_MAX));
}

ssize_t
tls_write(SSL *ssl, const void *buf, size_t n)
{
	return result(ssl, SSL_write(ssl, buf, n < INT_MAX ? (int)n : INT_MAX));
}
