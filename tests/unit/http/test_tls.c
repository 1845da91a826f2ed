/*
 * test_tls.c - the same over TLS, and what only TLS has: certificates, tickets,
 * alerts, records that are half written.  The certificates are made by the
 * openssl command in a folder of the test's own.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "http/tls.h"
#include "peer.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct rig rig;
static char folder[] = "/tmp/http-tls-XXXXXX";
static char path_out[8][128];

/* Up to eight at a time. */
static const char *
path(const char *name)
{
	static unsigned next;
	char *out = path_out[next++ % 8];

	(void)snprintf(out, sizeof(path_out[0]), "%s/%s", folder, name);
	return out;
}

static void
run(const char *command)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "cd %s && (%s) >/dev/null 2>&1",
	    folder, command);
	assert_int_equal(system(line), 0);
}

static int
make_certificates(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
#define SELF                                                                   \
	"openssl req -x509 -nodes -newkey ec -pkeyopt "                        \
	"ec_paramgen_curve:P-256 -days 2 "
	run(SELF "-subj /CN=mirror -keyout server.key -out server.crt");
	run(SELF "-subj /CN=mirror-2 -keyout second.key -out second.crt");
	run(SELF "-subj /CN=authority -keyout ca.key -out ca.crt");
	run("openssl req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
	    "-subj /O=Shops/CN=store-7 -keyout client.key -out client.csr");
	run("openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key "
	    "-CAcreateserial -days 2 -out client.crt");
	run("openssl ec -in server.key -aes128 -passout pass:x -out "
	    "locked.key");
	run("echo nonsense >bad.pem");
	return 0;
}

static int
remove_certificates(void **state)
{
	(void)state;
	run("rm -r $PWD");
	return 0;
}

static struct tls_context *
context(const char *crt, const char *key, const char *client_ca)
{
	struct config_tls tls = { .certificate = path(crt),
		.key = path(key),
		.client_ca = client_ca == NULL ? NULL : path(client_ca) };
	struct err err = { .text = "" };
	struct tls_context *c = tls_context_new(&tls, &err);

	if (c == NULL)
		print_error("%s\n", err.text);
	assert_non_null(c);
	return c;
}

static void
open_rig(const char *client_ca)
{
	rig_init(&rig);
	rig.spec.tls = context("server.crt", "server.key", client_ca);
	rig_open(&rig);
	tls_context_unref(rig.spec.tls); /* the server has its own */
}

static int
set_up(void **state)
{
	(void)state;
	open_rig(NULL);
	return 0;
}

static int
set_up_with_client_ca(void **state)
{
	(void)state;
	open_rig("ca.crt");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

/* ---- a TLS client ------------------------------------------------------- */

struct client {
	int fd;
	SSL_CTX *context;
	SSL *ssl;
};

static void
client_init(struct client *c, int fd)
{
	c->fd = fd;
	c->context = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->context);
	c->ssl = SSL_new(c->context);
	assert_non_null(c->ssl);
	assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
}

static void
client_open(struct client *c, int fd)
{
	client_init(c, fd);
	assert_int_equal(SSL_connect(c->ssl), 1);
}

static void
client_close(struct client *c)
{
	(void)SSL_shutdown(c->ssl); /* else OpenSSL forgets the session */
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
	(void)close(c->fd);
}

static void
client_send(struct client *c, const char *text)
{
	if (*text == '\0')
		return;
	assert_int_equal(
	    SSL_write(c->ssl, text, (int)strlen(text)), strlen(text));
}

static void
client_read(struct client *c, char *out, size_t n)
{
	int got;

	for (; n > 0; n -= (size_t)got, out += got) {
		got = SSL_read(c->ssl, out, n < 65536 ? (int)n : 65536);
		assert_true(got > 0);
	}
}

/* The head, terminated. */
static void
client_head(struct client *c, char *head, size_t cap)
{
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
		assert_true(n < cap - 1);
		client_read(c, head + n++, 1);
	}
	head[n] = '\0';
}

/* Sends TEXT, expects 200 with BODY. */
static void
client_ask(struct client *c, const char *text, const char *body)
{
	char head[4096], got[256] = "";

	client_send(c, text);
	client_head(c, head, sizeof(head));
	assert_memory_equal(head, "HTTP/1.1 200 ", 13);
	client_read(c, got, strlen(body));
	assert_string_equal(got, body);
}

static void
client_read_pattern(struct client *c, uint64_t offset, size_t n)
{
	char *bytes = malloc(n + 1);
	size_t i;

	assert_non_null(bytes);
	client_read(c, bytes, n);
	for (i = 0; i < n; i++) {
		if (bytes[i] != rig_byte(offset + i))
			fail_msg("byte %zu of %zu is wrong", i, n);
	}
	free(bytes);
}

/* Reads until the stream ends, which must not be by a RST; returns how many
 * bytes came. */
static size_t
client_until_end(struct client *c)
{
	char piece[16384];
	size_t total = 0;
	int n;

	while ((n = SSL_read(c->ssl, piece, sizeof(piece))) > 0)
		total += (size_t)n;
	if (SSL_get_error(c->ssl, n) == SSL_ERROR_SYSCALL)
		assert_int_not_equal(errno, ECONNRESET);
	assert_int_equal(peer_until_end(c->fd, NULL), PEER_EOF);
	return total;
}

static void
assert_nothing_to_read(struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	assert_int_equal(SSL_has_pending(c->ssl), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* ---- tests -------------------------------------------------------------- */

static void
requests(void **state)
{
	struct client c;
	char head[4096];

	(void)state;
	client_open(&c, peer_connect(rig.port));
	client_ask(&c, GET("/hello"), "hello\n");
	client_ask(&c,
	    "PUT /echo HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 3\r\n\r\nabc",
	    "abc");
	client_ask(&c, GET("/hello") GET("/big") GET("/file"), "hello\n");
	client_head(&c, head, sizeof(head));
	client_read_pattern(&c, 0, RIG_BIG_BYTES);
	client_head(&c, head, sizeof(head));
	client_read_pattern(&c, 0, RIG_FILE_BYTES);
	rig_wait_ended(&rig, 5);
	assert_int_equal(rig_ended_as(&rig, END_SENT), 5);
	assert_int_equal(rig.body_sent, RIG_FILE_BYTES);
	client_close(&c);
	rig_wait_connections(&rig, 0);
}

/* Records that the socket takes in pieces. */
static void
narrow_client(void **state)
{
	struct client c;
	char head[4096];

	(void)state;
	client_open(&c, peer_connect_narrow(rig.port));
	client_send(&c, GET("/file") GET("/big"));
	client_head(&c, head, sizeof(head));
	client_read_pattern(&c, 0, RIG_FILE_BYTES);
	client_head(&c, head, sizeof(head));
	client_read_pattern(&c, 0, RIG_BIG_BYTES);
	client_close(&c);
}

static void
answer_with_file(struct rig *r)
{
	reply_start(r->held, 200);
	reply_file(
	    r->held, shared_fd_ref(r->file), 0, RIG_FILE_BYTES, UINT64_MAX);
}

static void
see_position(struct rig *r)
{
	r->position = reply_position(r->held);
}

static void
allow_nothing(struct rig *r)
{
	reply_allow(r->held, 0);
	see_position(r);
}

static void
cut(struct rig *r)
{
	reply_cut(r->held);
}

/* Until the socket is full: the position stays where it is. */
static void
wait_blocked(void)
{
	uint64_t before;
	int same = 0;

	do {
		before = rig.position;
		rig_call(&rig, see_position);
		same = rig.position == before && before > 0 ? same + 1 : 0;
	} while (same < 1000);
	assert_true(rig.position < RIG_FILE_BYTES);
}

/* The server's buffer, too, is small: less than what it sends in one go. */
static void
blocked_client(struct client *c)
{
	char head[4096];
	int bytes = 40000;

	assert_int_equal(setsockopt(rig.spec.listen_fd, SOL_SOCKET, SO_SNDBUF,
			     &bytes, sizeof(bytes)),
	    0);
	client_open(c, peer_connect_narrow(rig.port));
	client_send(c, GET("/late"));
	rig_wait_called(&rig, 1);
	rig_call(&rig, answer_with_file);
	client_head(c, head, sizeof(head));
	wait_blocked();
}

static void
swap_and_allow_all(struct rig *r)
{
	char piece[4096];
	size_t at;
	int fd = memfd_create("swap", MFD_CLOEXEC);

	assert_true(fd >= 0);
	memset(piece, 'S', sizeof(piece));
	for (at = 0; at < RIG_FILE_BYTES; at += sizeof(piece))
		assert_int_equal(
		    write(fd, piece, sizeof(piece)), sizeof(piece));
	reply_swap(r->held, shared_fd_new(fd));
	reply_allow(r->held, UINT64_MAX);
}

/* What reply_position() says comes, and nothing behind it: a record that is
 * half written counts. */
static void
allowance_taken_back(void **state)
{
	struct client c;
	uint64_t at;
	char byte;

	(void)state;
	blocked_client(&c);
	rig_call(&rig, allow_nothing);
	at = rig.position;
	client_read_pattern(&c, 0, at);
	rig_call(&rig, see_position);
	assert_int_equal(rig.position, at);
	assert_nothing_to_read(&c);
	rig_call(&rig, swap_and_allow_all);
	for (; at < RIG_FILE_BYTES; at++) {
		client_read(&c, &byte, 1);
		assert_int_equal(byte, 'S');
	}
	client_close(&c);
}

static void
on_client_info(const SSL *ssl, int where, int result)
{
	int on = 1;

	(void)result;
	if ((where & SSL_CB_CONNECT_LOOP) == SSL_CB_CONNECT_LOOP &&
	    SSL_get_state(ssl) == TLS_ST_CR_SRVR_HELLO)
		(void)setsockopt(
		    SSL_get_fd(ssl), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* The end of the handshake and requests in records of their own, all in one
 * segment: the socket never tells of what OpenSSL has taken from it. */
static void
requests_behind_the_handshake(void **state)
{
	struct client c;
	int off = 0;

	(void)state;
	client_init(&c, peer_connect(rig.port));
	SSL_set_info_callback(c.ssl, on_client_info);
	assert_int_equal(SSL_connect(c.ssl), 1);
	client_send(&c, GET("/hello"));
	client_send(&c, GET("/hello"));
	(void)setsockopt(c.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	client_ask(&c, "", "hello\n");
	client_ask(&c, "", "hello\n");
	client_close(&c);
}

static void
cut_is_an_end(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, peer_connect(rig.port));
	client_send(&c, GET("/cut") GET("/hello"));
	rig_wait_called(&rig, 1);
	rig_call(&rig, cut);
	client_send(&c, GET("/hello"));
	rig_wait_ended(&rig, 1);
	assert_true(client_until_end(&c) < RIG_FILE_BYTES);
	assert_int_equal(rig_ended_as(&rig, END_CUT), 1);
	client_close(&c);
	rig_wait_connections(&rig, 0);
}

static void
cut_in_a_record(void **state)
{
	struct client c;

	(void)state;
	blocked_client(&c);
	rig_call(&rig, cut);
	assert_true(client_until_end(&c) < RIG_FILE_BYTES);
	client_close(&c);
}

static void
who(void **state)
{
	struct client c;
	char head[4096], body[128] = "";
	SSL_SESSION *session;
	int i;

	(void)state;
	session = NULL;
	for (i = 0; i < 2; i++) {
		client_init(&c, peer_connect(rig.port));
		assert_int_equal(SSL_use_certificate_file(c.ssl,
				     path("client.crt"), SSL_FILETYPE_PEM),
		    1);
		assert_int_equal(SSL_use_PrivateKey_file(c.ssl,
				     path("client.key"), SSL_FILETYPE_PEM),
		    1);
		if (session != NULL)
			assert_int_equal(SSL_set_session(c.ssl, session), 1);
		assert_int_equal(SSL_connect(c.ssl), 1);
		client_send(&c, GET("/who"));
		client_head(&c, head, sizeof(head));
		memset(body, 0, sizeof(body));
		assert_true(SSL_read(c.ssl, body, sizeof(body) - 1) > 0);
		assert_non_null(strstr(body, " store-7 tls"));
		assert_int_equal(SSL_session_reused(c.ssl), i);
		SSL_SESSION_free(session);
		session = SSL_get1_session(c.ssl);
		client_close(&c);
	}
	SSL_SESSION_free(session);
}

/* The client is told by an alert, and not by a RST. */
static void
without_a_client_certificate(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, peer_connect(rig.port));
	if (SSL_connect(c.ssl) == 1) /* TLS 1.3 hears of it later */
		(void)SSL_write(
		    c.ssl, GET("/hello"), sizeof(GET("/hello")) - 1);
	ERR_clear_error();
	assert_int_equal(client_until_end(&c), 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
	    SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
	client_close(&c);
	rig_wait_connections(&rig, 0);
	assert_int_equal(rig.n_called, 0);
	assert_int_equal(metric_value(metric_cell(M_http_requests_refused_total,
			     (const char *[]){ "tls" })),
	    1);
}

static void
plain_http_to_a_tls_port(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_ask(fd, GET("/hello"), 400);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
	fd = peer_connect(rig.port);
	peer_send(fd, "\x01\x02nonsense\r\n\r\n");
	(void)peer_until_end(fd, NULL);
	(void)close(fd);
	rig_wait_connections(&rig, 0);
	assert_int_equal(rig.n_called, 0);
}

static void
versions_and_protocols(void **state)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	static const unsigned char h2[] = "\x02h2";
	const unsigned char *chosen;
	unsigned n;
	struct client c;

	(void)state;
	client_init(&c, peer_connect(rig.port));
	(void)SSL_set_max_proto_version(c.ssl, TLS1_1_VERSION);
	assert_int_not_equal(SSL_connect(c.ssl), 1);
	client_close(&c);

	client_init(&c, peer_connect(rig.port));
	(void)SSL_set_max_proto_version(c.ssl, TLS1_2_VERSION);
	(void)SSL_set_alpn_protos(c.ssl, both, sizeof(both) - 1);
	assert_int_equal(SSL_connect(c.ssl), 1);
	SSL_get0_alpn_selected(c.ssl, &chosen, &n);
	assert_int_equal(n, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	client_ask(&c, GET("/hello"), "hello\n");
	client_close(&c);

	client_init(&c, peer_connect(rig.port));
	(void)SSL_set_alpn_protos(c.ssl, h2, sizeof(h2) - 1);
	assert_int_not_equal(SSL_connect(c.ssl), 1);
	client_close(&c);
}

static int
set_up_impatient(void **state)
{
	(void)state;
	rig_init(&rig);
	rig.spec.limits.head_timeout_ms = 100;
	rig.spec.tls = context("server.crt", "server.key", NULL);
	rig_open(&rig);
	tls_context_unref(rig.spec.tls);
	return 0;
}

static void
slow_handshake(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_send_bytes(fd, "\x16\x03\x01", 3);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
}

static void
set_second(struct rig *r)
{
	struct tls_context *tls = context("second.crt", "second.key", NULL);

	http_server_set(r->server, &r->spec.limits, tls);
	tls_context_unref(tls);
}

static void
assert_server_is(struct client *c, const char *name)
{
	X509 *certificate = SSL_get1_peer_certificate(c->ssl);
	char *subject =
	    X509_NAME_oneline(X509_get_subject_name(certificate), NULL, 0);

	assert_string_equal(subject, name);
	OPENSSL_free(subject);
	X509_free(certificate);
}

static void
reload(void **state)
{
	struct client before, after;

	(void)state;
	client_open(&before, peer_connect(rig.port));
	rig_call(&rig, set_second);
	client_open(&after, peer_connect(rig.port));
	assert_server_is(&before, "/CN=mirror");
	assert_server_is(&after, "/CN=mirror-2");
	client_ask(&before, GET("/hello"), "hello\n");
	client_ask(&after, GET("/hello"), "hello\n");
	client_close(&before);
	client_close(&after);
}

static void
mistakes(void **state)
{
	static const struct {
		const char *certificate, *key, *client_ca, *says;
	} rows[] = {
		{ "none.crt", "server.key", NULL, "none.crt cannot be read" },
		{ "server.crt", "none.key", NULL, "none.key cannot be read" },
		{ "server.crt", "server.key", "none", "none cannot be read" },
		{ "bad.pem", "server.key", NULL, "bad.pem cannot be used" },
		{ "server.crt", "bad.pem", NULL, "bad.pem cannot be used" },
		{ "server.crt", "server.key", "bad.pem",
		    "bad.pem cannot be used" },
		{ "server.crt", "second.key", NULL,
		    "second.key cannot be used with the certificate" },
		{ "server.crt", "locked.key", NULL, "without a passphrase" },
	};
	struct config_tls tls;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tls.certificate = path(rows[i].certificate);
		tls.key = path(rows[i].key);
		tls.client_ca =
		    rows[i].client_ca == NULL ? NULL : path(rows[i].client_ca);
		assert_null(tls_context_new(&tls, &err));
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s", err.text);
	}
	tls.certificate = path("server.crt");
	tls.key = NULL;
	assert_null(tls_context_new(&tls, &err));
	assert_non_null(strstr(err.text, "has no key"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH(name, set_up)                                                \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(requests),
		TEST(narrow_client),
		TEST(allowance_taken_back),
		TEST(requests_behind_the_handshake),
		TEST(cut_is_an_end),
		TEST(cut_in_a_record),
		TEST_WITH(who, set_up_with_client_ca),
		TEST_WITH(without_a_client_certificate, set_up_with_client_ca),
		TEST(plain_http_to_a_tls_port),
		TEST(versions_and_protocols),
		TEST_WITH(slow_handshake, set_up_impatient),
		TEST(reload),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(
	    tests, make_certificates, remove_certificates);
}
