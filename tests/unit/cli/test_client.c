/*
 * test_client.c - the CLI's client against a server that says what the test
 * wants: one answer, one connection, one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli_int.h"

static struct server {
	int fd;
	char url[64];
	const char *answer;
	bool stays; /* until the client goes */
	char request[4096];
} server;

static void *
serve_one(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	size_t n = 0;
	ssize_t got = 1;

	while (got > 0 && strstr(s->request, "\r\n\r\n") == NULL) {
		got = read(fd, s->request + n, sizeof(s->request) - 1 - n);
		n += got > 0 ? (size_t)got : 0;
		s->request[n] = '\0';
	}
	if (write(fd, s->answer, strlen(s->answer)) < 0)
		s->request[0] = '\0';
	while (s->stays && read(fd, s->request, 1) > 0)
		;
	(void)close(fd);
	return NULL;
}

/* Asks PATH once; ANSWER is what comes back. */
static json_t *
ask(const struct client_spec *spec, const char *answer, struct err *err)
{
	struct client *c = client_new(spec, err);
	pthread_t thread;
	json_t *value;

	assert_non_null(c);
	memset(server.request, 0, sizeof(server.request));
	server.answer = answer;
	assert_int_equal(pthread_create(&thread, NULL, serve_one, &server), 0);
	value = client_get(c, "/v1/status?x=1", err);
	(void)pthread_join(thread, NULL);
	client_free(c);
	return value;
}

static struct client_spec
plain(void)
{
	return (struct client_spec){ .url = server.url };
}

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"

static void
an_answer(void **state)
{
	struct client_spec spec = plain();
	struct err err;
	json_t *value = ask(&spec, HEAD("200 OK") "{\"ready\": true}", &err);

	(void)state;
	assert_true(json_is_true(json_object_get(value, "ready")));
	assert_non_null(strstr(server.request, "GET /v1/status?x=1 HTTP/1.1"));
	assert_null(strstr(server.request, "Authorization"));
	json_decref(value);
}

static void
wrong_answers(void **state)
{
	static const struct {
		const char *answer, *sentence;
		enum err_code code;
	} rows[] = {
		{ HEAD("200 OK") "[]", "admin address", ERR_UPSTREAM_DOWN },
		{ HEAD("200 OK") "{\"a\":", "admin address",
		    ERR_UPSTREAM_DOWN },
		{ HEAD("200 OK"), "admin address", ERR_UPSTREAM_DOWN },
		{ HEAD("302 Found"), "302", ERR_UPSTREAM_DOWN },
		{ HEAD("500 Oops") "oops", "500", ERR_UPSTREAM_DOWN },
		{ HEAD("404 No") "{}", "404", ERR_BAD_REQUEST },
		{ HEAD("404 No") "{\"errors\":[{\"message\":\"no x\"}]}",
		    "answered 404: no x", ERR_NOT_FOUND },
		{ HEAD("401 No") "{\"errors\":[{\"message\":\"a token\\n\"}]}",
		    "answered 401: a token\\x0a", ERR_UNAUTHORIZED },
		{ HEAD("403 No") "{\"errors\":[{\"message\":\"a role\"}]}",
		    "answered 403: a role", ERR_DENIED },
		{ HEAD("403 No") "{\"errors\":{\"message\":1}}", "403",
		    ERR_DENIED },
		{ "SSH-2.0-x\r\n", "could not reach", ERR_UPSTREAM_DOWN },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
		    "could not reach", ERR_UPSTREAM_DOWN },
		{ "", "could not reach", ERR_UPSTREAM_DOWN },
	};
	struct client_spec spec = plain();
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(ask(&spec, rows[i].answer, &err));
		assert_int_equal(err.code, rows[i].code);
		assert_non_null(strstr(err.text, rows[i].sentence));
		assert_non_null(strstr(err.text, server.url));
	}
}

static void
nobody_there(void **state)
{
	struct client_spec spec = { .url = "http://127.0.0.1:1" };
	struct err err;
	struct client *c = client_new(&spec, &err);

	(void)state;
	assert_non_null(c);
	assert_null(client_get(c, "/v1/status", &err));
	assert_int_equal(err.code, ERR_UPSTREAM_DOWN);
	assert_non_null(strstr(err.text, "is Railhead running there?"));
	client_free(c);
}

static void
other_schemes(void **state)
{
	static const char *const wrong[] = { "file:///etc/passwd", "ftp://a",
		"nonsense://a", "" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct client_spec spec = { .url = wrong[i] };
		struct client *c = client_new(&spec, &err);

		assert_non_null(c);
		assert_null(client_get(c, "", &err));
		assert_non_null(strstr(err.text, "could not reach"));
		client_free(c);
	}
}

/* ---- events -------------------------------------------------------------- */

/* Ahead of the real one. */
static uint64_t later_ms;

uint64_t __real_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void);

uint64_t
__wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + later_ms;
}

static bool
on_event(void *arg, const char *event, const json_t *data)
{
	unsigned *n = arg;

	assert_string_equal(event, "state");
	assert_true(json_is_object(data));
	++*n;
	later_ms += 60000; /* and nothing more comes */
	return true;
}

/* An event comes, and then nothing, not even a FIN. */
static void
a_mirror_that_vanishes(void **state)
{
	struct client_spec spec = plain();
	struct err err;
	struct client *c = client_new(&spec, &err);
	unsigned n = 0;
	pthread_t thread;

	(void)state;
	memset(server.request, 0, sizeof(server.request));
	server.answer = HEAD("200 OK") "event: state\ndata: {}\n\n";
	server.stays = true;
	assert_int_equal(pthread_create(&thread, NULL, serve_one, &server), 0);
	assert_int_equal(client_listen(c, "/events", on_event, &n, &err), -1);
	assert_int_equal(err.code, ERR_UPSTREAM_DOWN);
	assert_non_null(strstr(err.text, "has said nothing for 45 s"));
	assert_int_equal(n, 1);
	client_free(c);
	(void)pthread_join(thread, NULL);
	server.stays = false;
}

/* ---- tokens ------------------------------------------------------------- */

static char token_path[64];

static void
write_token(const char *text)
{
	FILE *f = fopen(token_path, "w");

	assert_non_null(f);
	fputs(text, f);
	(void)fclose(f);
}

static void
a_token_is_sent(void **state)
{
	struct client_spec spec = plain();
	struct err err;
	json_t *value;

	(void)state;
	spec.token_file = token_path;
	write_token("s3cret-token \r\nsecond line\n");
	value = ask(&spec, HEAD("200 OK") "{}", &err);
	assert_non_null(value);
	assert_non_null(strstr(
	    server.request, "\r\nAuthorization: Bearer s3cret-token\r\n"));
	json_decref(value);
}

static void
no_token(void **state)
{
	struct client_spec spec = plain();
	struct err err;

	(void)state;
	spec.token_file = token_path;
	write_token("");
	assert_null(client_new(&spec, &err));
	assert_non_null(strstr(err.text, "holds no token"));
	write_token("\nlater\n");
	assert_null(client_new(&spec, &err));
	spec.token_file = "/nowhere/token";
	assert_null(client_new(&spec, &err));
	assert_non_null(strstr(err.text, "/nowhere/token"));
}

/* ---- setting up --------------------------------------------------------- */

static int
set_up(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd;

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server.fd, (struct sockaddr *)&a, n) != 0 ||
	    listen(server.fd, 4) != 0 ||
	    getsockname(server.fd, (struct sockaddr *)&a, &n) != 0)
		return -1;
	(void)snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u",
	    (unsigned)ntohs(a.sin_port));
	(void)snprintf(
	    token_path, sizeof(token_path), "/tmp/test_client.XXXXXX");
	fd = mkstemp(token_path);
	return fd < 0 ? -1 : close(fd);
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlink(token_path);
	return close(server.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer),
		cmocka_unit_test(wrong_answers),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(other_schemes),
		cmocka_unit_test(a_mirror_that_vanishes),
		cmocka_unit_test(a_token_is_sent),
		cmocka_unit_test(no_token),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
