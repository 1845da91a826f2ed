/*
 * tls_io.c - the transport with TLS.
 *
 * Where the kernel does the encryption (kTLS) files go by SSL_sendfile();
 * else they pass through the server's scratch.  A record that the socket would
 * not take whole stays inside OpenSSL, which then wants to be called with its
 * bytes again: transport.owed tells how many can't be called back.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "http_int.h"

#define RECORD_BYTES 16384u /* RFC 8446, section 5.1 */

static ssize_t
io_result(struct transport *io, int rc)
{
	switch (SSL_get_error(io->ssl, rc)) {
	case SSL_ERROR_WANT_WRITE:
		io->wants_write = true;
		return IO_AGAIN;
	case SSL_ERROR_WANT_READ:
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_END;
	default:
		ERR_clear_error();
		return IO_GONE;
	}
}

/* Until OpenSSL has nothing left: the socket won't tell of bytes in there. */
static ssize_t
tls_recv(struct transport *io, void *p, size_t n)
{
	size_t got = 0;
	int rc;

	io->wants_write = false;
	do {
		ERR_clear_error();
		rc = SSL_read(io->ssl, (char *)p + got, (int)(n - got));
		if (rc <= 0)
			return got > 0 ? (ssize_t)got : io_result(io, rc);
		got += (size_t)rc;
	} while (got < n && SSL_has_pending(io->ssl));
	return (ssize_t)got;
}

/* The caller waits for WANT_WRITE anyway: that is no wish of a recv. */
static ssize_t
write_result(struct transport *io, int rc)
{
	bool wants_write = io->wants_write;
	ssize_t result = io_result(io, rc);

	io->wants_write = wants_write;
	io->is_full = result == IO_AGAIN;
	return result;
}

static ssize_t
tls_write(struct transport *io, const void *p, size_t n)
{
	ssize_t result;
	int rc;

	ERR_clear_error();
	rc = SSL_write(io->ssl, p, (int)n);
	io->owed = 0;
	io->is_full = false;
	if (rc > 0)
		return rc;
	result = write_result(io, rc);
	if (result == IO_AGAIN)
		io->owed = n < RECORD_BYTES ? n : RECORD_BYTES;
	return result == IO_END ? IO_GONE : result;
}

/* One record for what fits into the scratch: head and body together. */
static ssize_t
tls_send(struct transport *io, const struct iovec *iov, size_t n, bool more)
{
	size_t used = 0;
	size_t part;

	(void)more;
	if (n == 1)
		return tls_write(io, iov->iov_base,
		    iov->iov_len < INT32_MAX ? iov->iov_len : INT32_MAX);
	for (; n > 0 && used < SCRATCH_BYTES; n--, iov++) {
		part = SCRATCH_BYTES - used;
		if (part > iov->iov_len)
			part = iov->iov_len;
		memcpy(io->scratch + used, iov->iov_base, part);
		used += part;
	}
	return tls_write(io, io->scratch, used);
}

/* A record a call is what OpenSSL writes: all of what was read goes out in
 * several, unless the socket is full before. */
static ssize_t
tls_write_all(struct transport *io, const char *p, size_t n)
{
	size_t done = 0;
	ssize_t sent;

	do {
		sent = tls_write(io, p + done, n - done);
		if (sent > 0)
			done += (size_t)sent;
	} while (sent > 0 && done < n);
	return done > 0 && sent != IO_GONE ? (ssize_t)done : sent;
}

static ssize_t
tls_send_file(struct transport *io, int file, uint64_t offset, size_t n)
{
	ssize_t got;

	if (BIO_get_ktls_send(SSL_get_wbio(io->ssl))) {
		ERR_clear_error();
		got = SSL_sendfile(io->ssl, file, (off_t)offset, n, 0);
		io->is_full = got > 0 && (size_t)got < n;
		return got >= 0 ? got : write_result(io, (int)got);
	}
	if (n > SCRATCH_BYTES)
		n = SCRATCH_BYTES;
	got = pread(file, io->scratch, n, (off_t)offset);
	if (got <= 0)
		return IO_END;
	return tls_write_all(io, io->scratch, (size_t)got);
}

static void
tls_shut(struct transport *io)
{
	ERR_clear_error();
	(void)SSL_shutdown(io->ssl); /* close_notify, if the socket takes it */
	ERR_clear_error();
	(void)shutdown(io->fd, SHUT_WR);
}

static void
tls_done(struct transport *io)
{
	SSL_free(io->ssl);
	io->ssl = NULL;
}

static const struct transport_ops tls_ops = {
	.recv = tls_recv,
	.send = tls_send,
	.send_file = tls_send_file,
	.shut = tls_shut,
	.done = tls_done,
};

int
tls_io_init(struct transport *io, struct tls_context *context, char *scratch)
{
	io->ssl = SSL_new(tls_context_ssl(context));
	if (io->ssl == NULL || SSL_set_fd(io->ssl, io->fd) != 1) {
		ERR_clear_error();
		SSL_free(io->ssl);
		io->ssl = NULL;
		return -1;
	}
	SSL_set_accept_state(io->ssl);
	io->ops = &tls_ops;
	io->scratch = scratch;
	return 0;
}

enum hello
tls_io_hello(struct transport *io)
{
	unsigned long why;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(io->ssl);
	if (rc == 1)
		return HELLO_DONE;
	switch (SSL_get_error(io->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return HELLO_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return HELLO_WANTS_WRITE;
	default:
		why = ERR_peek_error();
		ERR_clear_error();
		if (ERR_GET_LIB(why) == ERR_LIB_SSL &&
		    (ERR_GET_REASON(why) == SSL_R_HTTP_REQUEST ||
			ERR_GET_REASON(why) == SSL_R_HTTPS_PROXY_REQUEST))
			return HELLO_IS_PLAIN;
		return HELLO_FAILED;
	}
}

/* The last CN, as UTF-8 without control characters. */
static char *
common_name(X509 *certificate)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = -1, last = -1, n, i;
	unsigned char *utf8;
	char *name;

	while (
	    (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	if (n < 0)
		return NULL;
	for (i = 0; i < n; i++) {
		if (utf8[i] < 0x20 || utf8[i] == 0x7f)
			break;
	}
	name = i == n ? str_dup((struct str){ (char *)utf8, (size_t)n }) : NULL;
	OPENSSL_free(utf8);
	return name;
}

bool
tls_io_has_certificate(const struct transport *io)
{
	return SSL_get0_peer_certificate(io->ssl) != NULL &&
	    SSL_get_verify_result(io->ssl) == X509_V_OK;
}

char *
tls_io_client_name(const struct transport *io)
{
	X509 *certificate = SSL_get1_peer_certificate(io->ssl);
	char *name;

	if (certificate == NULL)
		return NULL;
	name = common_name(certificate);
	X509_free(certificate);
	return name;
}
