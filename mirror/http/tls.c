/*
 * tls.c - TLS contexts.
 *
 * TLS 1.2 and up, HTTP/1.1 only (ALPN), sessions by ticket so that nothing is
 * kept here per client, no renegotiation, and the kernel's TLS where it has
 * it.
 */
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/refs.h"
#include "http_int.h"

struct tls_context {
	struct refs refs;
	SSL_CTX *ssl; /* owned */
};

/* What OpenSSL says last is what went wrong first. */
static const char *
why(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return text != NULL ? text : "no reason given";
}

/* A key behind a passphrase fails, rather than ask on a terminal. */
static int
no_passphrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)arg;
	return 0;
}

static int
select_http11(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_n, ours, sizeof(ours) - 1, in,
		in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int
check_readable(const char *what, const char *path, struct err *err)
{
	if (access(path, R_OK) == 0)
		return 0;
	return err_errno(err, ERR_CONFIG,
	    "the TLS %s %s cannot be read, check the path and its permissions",
	    what, path);
}

static int
load_certificate(SSL_CTX *ssl, const char *path, struct err *err)
{
	if (check_readable("certificate", path, err) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ssl, path) == 1)
		return 0;
	return err_set(err, ERR_CONFIG,
	    "the TLS certificate %s cannot be used (%s): it must hold PEM "
	    "certificates, the server's own first",
	    path, why());
}

static int
load_key(SSL_CTX *ssl, const struct config_tls *tls, struct err *err)
{
	if (tls->key == NULL)
		return err_set(err, ERR_CONFIG,
		    "the TLS certificate %s has no key: set \"key\"",
		    tls->certificate);
	if (check_readable("key", tls->key, err) != 0)
		return -1;
	if (SSL_CTX_use_PrivateKey_file(ssl, tls->key, SSL_FILETYPE_PEM) != 1)
		return err_set(err, ERR_CONFIG,
		    "the TLS key %s cannot be used with the certificate %s "
		    "(%s): it must be that certificate's private key, in PEM, "
		    "without a passphrase",
		    tls->key, tls->certificate, why());
	if (SSL_CTX_check_private_key(ssl) != 1)
		return err_set(err, ERR_CONFIG,
		    "the TLS key %s does not belong to the certificate %s "
		    "(%s)",
		    tls->key, tls->certificate, why());
	return 0;
}

static int
load_client_ca(SSL_CTX *ssl, const char *path, struct err *err)
{
	STACK_OF(X509_NAME) * names;

	if (path == NULL)
		return 0;
	if (check_readable("client_ca", path, err) != 0)
		return -1;
	names = SSL_load_client_CA_file(path);
	if (names == NULL ||
	    SSL_CTX_load_verify_locations(ssl, path, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_set(err, ERR_CONFIG,
		    "the TLS client_ca %s cannot be used (%s): it must hold "
		    "the PEM certificates of the authorities that sign clients",
		    path, why());
	}
	SSL_CTX_set_client_CA_list(ssl, names); /* takes it */
	SSL_CTX_set_verify(
	    ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

static int
set_up(SSL_CTX *ssl, struct err *err)
{
	static const unsigned char id[] = "railhead";

	(void)SSL_CTX_set_options(ssl,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
	(void)SSL_CTX_set_mode(ssl,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	SSL_CTX_set_alpn_select_cb(ssl, select_http11, NULL);
	if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1) != 1)
		return err_set(err, ERR_INTERNAL,
		    "OpenSSL refuses TLS 1.2 and 1.3 (%s)", why());
	return 0;
}

struct tls_context *
tls_context_new(const struct config_tls *tls, struct err *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	check(tls->certificate != NULL);
	if (c == NULL) {
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for a TLS context");
		return NULL;
	}
	refs_init(&c->refs);
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (c->ssl == NULL) {
		(void)err_set(err, ERR_INTERNAL,
		    "OpenSSL makes no TLS context (%s)", why());
		tls_context_unref(c);
		return NULL;
	}
	if (set_up(c->ssl, err) != 0 ||
	    load_certificate(c->ssl, tls->certificate, err) != 0 ||
	    load_key(c->ssl, tls, err) != 0 ||
	    load_client_ca(c->ssl, tls->client_ca, err) != 0) {
		tls_context_unref(c);
		return NULL;
	}
	return c;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	refs_take(&c->refs);
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (c == NULL || !refs_drop(&c->refs))
		return;
	SSL_CTX_free(c->ssl); /* connections hold theirs */
	free(c);
}

struct ssl_ctx_st *
tls_context_ssl(struct tls_context *c)
{
	return c->ssl;
}
