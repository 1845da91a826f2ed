/*
 * far.c - a far server for tests.
 */
#include "far.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"

#define RULES_MAX 64
#define KEPT_MAX 1024
#define CONNECTIONS_MAX 256
#define HEAD_MAX 16384
#define PATIENCE_S 60

struct connection {
	struct far *far;
	pthread_t thread;
	int fd;
	bool is_open; /* under far->lock */
	SSL *ssl;
};

struct far {
	int fd;
	SSL_CTX *tls;
	char url[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_stopping;
	bool gate_is_open;
	struct far_rule rules[RULES_MAX];
	unsigned n_used[RULES_MAX];
	size_t n_rules;
	struct connection connections[CONNECTIONS_MAX];
	size_t n_connections;
	struct buf heads;
	char *kept[KEPT_MAX]; /* texts of all rules there ever were */
	size_t n_kept;
};

/* ---- waiting ----------------------------------------------------------- */

static void
lock(struct far *f)
{
	check(pthread_mutex_lock(&f->lock) == 0);
}

static void
unlock(struct far *f)
{
	check(pthread_cond_broadcast(&f->changed) == 0);
	check(pthread_mutex_unlock(&f->lock) == 0);
}

static void
wait_for_change(struct far *f)
{
	struct timespec until;

	check(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += PATIENCE_S;
	check(pthread_cond_timedwait(&f->changed, &f->lock, &until) == 0);
}

/* ---- one connection ---------------------------------------------------- */

static ssize_t
receive(struct connection *c, char *p, size_t n)
{
	if (c->ssl != NULL)
		return SSL_read(c->ssl, p, (int)n);
	return recv(c->fd, p, n, 0);
}

static bool
transmit(struct connection *c, const char *p, size_t n)
{
	ssize_t sent;

	for (; n > 0; p += sent, n -= (size_t)sent) {
		sent = c->ssl != NULL ? SSL_write(c->ssl, p, (int)n)
				      : send(c->fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
	}
	return true;
}

/* A head, and the body of a POST behind it; false when the connection ends. */
static bool
receive_request(struct connection *c, char *head)
{
	size_t n = 0, body = 0;
	const char *end, *length;
	ssize_t got;

	for (;;) {
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
		length = strstr(head, "Content-Length: ");
		if (end != NULL && length != NULL)
			body = strtoul(length + 16, NULL, 10);
		if (end != NULL && n >= (size_t)(end + 4 - head) + body)
			return true;
		check(n + 1 < HEAD_MAX);
		got = receive(c, head + n, HEAD_MAX - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
}

static bool
rule_fits(const struct far_rule *r, const char *head)
{
	return strncmp(head, r->match, strlen(r->match)) == 0 &&
	    (r->has == NULL || strstr(head, r->has) != NULL) &&
	    (r->lacks == NULL || strstr(head, r->lacks) == NULL);
}

/* The rule for a request, which is noted; false: none fits. */
static bool
take_rule(struct far *f, const char *head, struct far_rule *out)
{
	bool is_found = false;

	lock(f);
	buf_addz(&f->heads, head);
	for (size_t i = 0; i < f->n_rules && !is_found; i++) {
		*out = f->rules[i];
		is_found = rule_fits(out, head) &&
		    (out->times == 0 || f->n_used[i] < out->times);
		f->n_used[i] += is_found;
	}
	unlock(f);
	lock(f);
	while (is_found && out->at_gate && !f->gate_is_open && !f->is_stopping)
		wait_for_change(f);
	unlock(f);
	return is_found;
}

static bool
answer(struct connection *c, const char *head)
{
	static const char none[] = "HTTP/1.1 599 No Rule\r\n"
				   "Content-Length: 0\r\n\r\n";
	struct far_rule r;
	char byte;

	if (!take_rule(c->far, head, &r))
		return transmit(c, none, sizeof(none) - 1);
	if (!transmit(c, r.reply, r.n))
		return false;
	if (r.then == FAR_HANG)
		while (receive(c, &byte, 1) > 0)
			;
	return r.then == FAR_KEEP && r.n > 0 &&
	    memmem(r.reply, r.n, "Connection: close", 17) == NULL;
}

static void *
serve(void *arg)
{
	struct connection *c = arg;
	char head[HEAD_MAX];

	if (c->ssl == NULL || SSL_accept(c->ssl) == 1)
		while (receive_request(c, head) && answer(c, head))
			;
	if (c->ssl != NULL)
		(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	ERR_clear_error();
	lock(c->far);
	(void)close(c->fd);
	c->is_open = false;
	unlock(c->far);
	return NULL;
}

static void *
accept_all(void *arg)
{
	struct far *f = arg;
	struct connection *c;
	int fd;

	while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
		lock(f);
		check(f->n_connections < CONNECTIONS_MAX);
		c = &f->connections[f->n_connections++];
		c->far = f;
		c->fd = fd;
		c->is_open = true;
		if (f->tls != NULL) {
			c->ssl = SSL_new(f->tls);
			check(c->ssl != NULL && SSL_set_fd(c->ssl, fd) == 1);
		}
		check(pthread_create(&c->thread, NULL, serve, c) == 0);
		unlock(f);
	}
	return NULL;
}

/* ---- starting and stopping --------------------------------------------- */

static void
listen_anywhere(struct far *f, const char *scheme)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(f->fd >= 0);
	check(bind(f->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	check(listen(f->fd, 128) == 0);
	check(getsockname(f->fd, (struct sockaddr *)&at, &n) == 0);
	(void)snprintf(f->url, sizeof(f->url), "%s://127.0.0.1:%u", scheme,
	    ntohs(at.sin_port));
}

static struct far *
far_new(const char *scheme)
{
	struct far *f = calloc(1, sizeof(*f));

	check(f != NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	check(pthread_mutex_init(&f->lock, NULL) == 0);
	check(pthread_cond_init(&f->changed, NULL) == 0);
	buf_init(&f->heads, 16u << 20);
	listen_anywhere(f, scheme);
	return f;
}

struct far *
far_start(void)
{
	struct far *f = far_new("http");

	check(pthread_create(&f->thread, NULL, accept_all, f) == 0);
	return f;
}

static X509 *
self_signed(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509V3_CTX context;
	X509_EXTENSION *san;

	check(X509_set_version(x, 2) == 1);
	check(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
	check(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
	check(X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL);
	check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		  (const unsigned char *)"far", -1, -1, 0) == 1);
	check(X509_set_issuer_name(x, name) == 1);
	check(X509_set_pubkey(x, key) == 1);
	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	san = X509V3_EXT_conf_nid(
	    NULL, &context, NID_subject_alt_name, "IP:127.0.0.1");
	check(san != NULL && X509_add_ext(x, san, -1) == 1);
	X509_EXTENSION_free(san);
	check(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

struct far *
far_start_tls(const char *cert_path)
{
	struct far *f = far_new("https");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = self_signed(key);
	FILE *out = fopen(cert_path, "w");

	check(out != NULL && PEM_write_X509(out, x) == 1 && fclose(out) == 0);
	f->tls = SSL_CTX_new(TLS_server_method());
	check(SSL_CTX_use_certificate(f->tls, x) == 1);
	check(SSL_CTX_use_PrivateKey(f->tls, key) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
	check(pthread_create(&f->thread, NULL, accept_all, f) == 0);
	return f;
}

void
far_stop(struct far *f)
{
	lock(f);
	f->is_stopping = true;
	unlock(f);
	check(shutdown(f->fd, SHUT_RDWR) == 0);
	check(pthread_join(f->thread, NULL) == 0);
	for (size_t i = 0; i < f->n_connections; i++) {
		lock(f);
		if (f->connections[i].is_open)
			(void)shutdown(f->connections[i].fd, SHUT_RDWR);
		unlock(f);
		check(pthread_join(f->connections[i].thread, NULL) == 0);
	}
	(void)close(f->fd);
	SSL_CTX_free(f->tls);
	for (size_t i = 0; i < f->n_kept; i++)
		free(f->kept[i]);
	buf_done(&f->heads);
	check(pthread_cond_destroy(&f->changed) == 0);
	check(pthread_mutex_destroy(&f->lock) == 0);
	free(f);
}

/* ---- for the test ------------------------------------------------------ */

/* A copy that lives as long as the server. */
static const char *
keep(struct far *f, const char *p, size_t n)
{
	char *copy = malloc(n + 1);

	check(copy != NULL && f->n_kept < KEPT_MAX);
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	f->kept[f->n_kept++] = copy;
	return copy;
}

static const char *
keep_text(struct far *f, const char *text)
{
	return text == NULL ? NULL : keep(f, text, strlen(text));
}

void
far_add(struct far *f, const struct far_rule *rule)
{
	struct far_rule r = *rule;

	if (r.reply != NULL && r.n == 0)
		r.n = strlen(r.reply);
	lock(f);
	check(f->n_rules < RULES_MAX);
	r.match = keep_text(f, r.match);
	r.has = keep_text(f, r.has);
	r.lacks = keep_text(f, r.lacks);
	r.reply = keep(f, r.reply, r.n);
	f->n_used[f->n_rules] = 0;
	f->rules[f->n_rules++] = r;
	unlock(f);
}

void
far_add_body(struct far *f, const char *match, const char *body)
{
	char reply[4096];
	int n = snprintf(reply, sizeof(reply),
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
	    body);

	check(n < (int)sizeof(reply));
	far_add(f, &(struct far_rule){ .match = match, .reply = reply });
}

void
far_clear(struct far *f)
{
	lock(f);
	f->n_rules = 0;
	unlock(f);
}

void
far_open_gate(struct far *f)
{
	lock(f);
	f->gate_is_open = true;
	unlock(f);
}

const char *
far_url(const struct far *f)
{
	return f->url;
}

const char *
far_host(const struct far *f)
{
	return strstr(f->url, "://") + 3;
}

/* Request lines follow a body or the empty line of a head: a match in the
 * middle of one is of no interest to tests. */
static unsigned
count(const struct far *f, const char *match)
{
	const char *at = f->heads.n > 0 ? f->heads.p : "";
	unsigned n = 0;

	while ((at = strstr(at, match)) != NULL) {
		n++;
		at++;
	}
	return n;
}

unsigned
far_count(struct far *f, const char *match)
{
	unsigned n;

	lock(f);
	buf_add(&f->heads, "", 1);
	f->heads.n--;
	n = count(f, match);
	unlock(f);
	return n;
}

unsigned
far_connections(struct far *f)
{
	unsigned n;

	lock(f);
	n = (unsigned)f->n_connections;
	unlock(f);
	return n;
}

void
far_wait(struct far *f, const char *match, unsigned n)
{
	lock(f);
	for (;;) {
		buf_add(&f->heads, "", 1);
		f->heads.n--;
		if (count(f, match) >= n)
			break;
		wait_for_change(f);
	}
	unlock(f);
}

bool
far_saw(struct far *f, const char *text)
{
	return far_count(f, text) > 0;
}
