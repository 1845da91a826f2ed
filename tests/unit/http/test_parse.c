/*
 * test_parse.c - request heads: what is understood, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/parse.h"

#define HOST "Host: a\r\n"

struct parsed {
	char bytes[20000];
	char block[8192];
	struct arena arena;
	struct http_request request;
	struct http_refusal refusal;
	long n;
};

static struct parsed *
parse_bytes(const char *text, size_t n)
{
	static struct parsed p;

	assert_true(n <= sizeof(p.bytes));
	memset(&p, 0, sizeof(p));
	memcpy(p.bytes, text, n);
	arena_init(&p.arena, p.block, sizeof(p.block));
	p.n = http_parse_head(p.bytes, n, &p.arena, &p.request, &p.refusal);
	return &p;
}

static struct parsed *
parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void
assert_str(struct str s, const char *z)
{
	if (!str_eqz(s, z))
		print_error("\"%.*s\" is not \"%s\"\n", STR_ARG(s), z);
	assert_true(str_eqz(s, z));
}

static void
a_request(void **state)
{
	static const char text[] =
	    "GET /v2/a/b?ns=x%2Fy HTTP/1.1\r\nhOST: mirror:5000\r\n"
	    "Accept:one\r\nAccept: two\r\nIf-None-Match: \"a\"\r\n"
	    "X-Other: \xc3\xa9\tz\r\nIf-None-Match: \t \"b\" \t\r\n"
	    "Range: bytes=0-\r\n\r\nrest";
	struct parsed *p = parse(text);
	struct http_request *r = &p->request;

	(void)state;
	assert_int_equal(p->n, (long)sizeof(text) - 1 - 4);
	assert_int_equal(r->method, HTTP_GET);
	assert_str(r->method_text, "GET");
	assert_str(r->target, "/v2/a/b?ns=x%2Fy");
	assert_str(r->path, "/v2/a/b");
	assert_str(r->query, "ns=x%2Fy");
	assert_int_equal(r->minor, 1);
	assert_false(r->is_last);
	assert_false(r->is_chunked);
	assert_str(r->header[HTTP_HOST_HEADER], "mirror:5000");
	assert_str(r->header[HTTP_ACCEPT_HEADER], "one");
	assert_str(r->header[HTTP_IF_NONE_MATCH_HEADER], "\"a\", \"b\"");
	assert_str(r->header[HTTP_RANGE_HEADER], "bytes=0-");
	assert_null(r->header[HTTP_AUTHORIZATION_HEADER].p);
}

static void
every_prefix_is_partial(void **state)
{
	static const char text[] =
	    "\r\nPUT /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n";
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(parse_bytes(text, n)->n, 0);
	assert_int_equal(parse(text)->n, sizeof(text) - 1);
	assert_int_equal(parse(text)->request.content_length, 5);
}

static void
forms_of_targets(void **state)
{
	static const struct {
		const char *line, *path, *query, *host;
	} rows[] = {
		{ "GET / HTTP/1.1", "/", "", "a" },
		{ "GET /? HTTP/1.1", "/", "", "a" },
		{ "GET /a?b?c HTTP/1.1", "/a", "b?c", "a" },
		{ "GET http://h:1/p?q HTTP/1.1", "/p", "q", "h:1" },
		{ "GET https://[::1] HTTP/1.1", "/", "", "[::1]" },
		{ "GET http://h?q HTTP/1.1", "/", "q", "h" },
		{ "OPTIONS * HTTP/1.1", "*", "", "a" },
		{ "BREW /p HTTP/1.1", "/p", "", "a" },
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct parsed *p;

		(void)snprintf(
		    text, sizeof(text), "%s\r\n" HOST "\r\n", rows[i].line);
		p = parse(text);
		assert_int_equal(p->n, strlen(text));
		assert_str(p->request.path, rows[i].path);
		assert_str(p->request.query, rows[i].query);
		assert_str(p->request.header[HTTP_HOST_HEADER], rows[i].host);
	}
	assert_int_equal(
	    parse("BREW / HTTP/1.1\r\n" HOST "\r\n")->request.method,
	    HTTP_OTHER);
}

static void
who_closes(void **state)
{
	static const struct {
		const char *text;
		bool is_last;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\n" HOST
		  "Connection: x\r\nConnection: , Close\r\n\r\n",
		    true },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n",
		    false },
		{ "GET / HTTP/1.0\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
		    true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct parsed *p = parse(rows[i].text);

		assert_true(p->n > 0);
		assert_int_equal(p->request.is_last, rows[i].is_last);
	}
}

static const struct {
	const char *text;
	int status;
} refused[] = {
	{ "GET / HTTP/1.1\r\n\r\n", 400 }, /* no Host */
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
	{ "PRI * HTTP/2.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.1 \r\n", 400 },
	{ "GET / http/1.1\r\n", 400 },
	{ "GET / HTTP/1.\r\n", 400 },
	{ "GET / HTTP/11\r\n", 400 },
	{ "GET /\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\n", 400 },
	{ " GET / HTTP/1.1\r\n", 400 },
	{ "G@T / HTTP/1.1\r\n", 400 },
	{ "\r\n\r\nGET / HTTP/1.1\r\n", 400 },
	{ "GET x HTTP/1.1\r\n", 400 },
	{ "GET * HTTP/1.1\r\n", 400 },
	{ "GET http:///x HTTP/1.1\r\n", 400 },
	{ "GET http://u@h/x HTTP/1.1\r\n", 400 },
	{ "GET /\x7f HTTP/1.1\r\n", 400 },
	{ "GET /\xc3\xa9 HTTP/1.1\r\n", 400 },
	{ "GET /\x01 HTTP/1.1\r\n", 400 },
	{ "GET /#f HTTP/1.1\r\n", 400 },
	{ "CONNECT a:443 HTTP/1.1\r\n", 405 },
	/* The ways of smuggling. */
	{ "GET / HTTP/1.1\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\rX: y\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "\n", 400 },
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "\tfolded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "colon\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X(: y\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST
	  "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	    400 },
	{ "PUT / HTTP/1.1\r\n" HOST
	  "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	    400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\n" HOST
	  "Content-Length: 18446744073709551616\r\n\r\n",
	    400 },
	{ "PUT / HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
	    400 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    501 },
	{ "PUT / HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked, identity\r\n\r\n",
	    501 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 501 },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
	  "chunked\r\n\r\n",
	    400 },
	{ "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
};

static void
refusals(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct parsed *p = parse(refused[i].text);

		if (p->n != -1 || p->refusal.status != refused[i].status)
			print_error("%ld %d: %s\n", p->n, p->refusal.status,
			    refused[i].text);
		assert_int_equal(p->n, -1);
		assert_int_equal(p->refusal.status, refused[i].status);
		assert_non_null(p->refusal.text);
	}
}

static void
a_nul_is_refused(void **state)
{
	static const char name[] = "GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n";
	static const char value[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";

	(void)state;
	assert_int_equal(parse_bytes(name, sizeof(name) - 1)->n, -1);
	assert_int_equal(parse_bytes(value, sizeof(value) - 1)->n, -1);
}

static void
ceilings(void **state)
{
	char text[20000] = "GET / HTTP/1.1\r\nHost: a\r\n";
	size_t n = strlen(text);
	struct parsed *p;
	int i;

	(void)state;
	for (i = 0; i < 99; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "X: y\r\n");
	(void)snprintf(text + n, sizeof(text) - n, "\r\n");
	assert_true(parse(text)->n > 0);
	(void)snprintf(text + n, sizeof(text) - n, "X: y\r\n\r\n");
	p = parse(text);
	assert_int_equal(p->n, -1);
	assert_int_equal(p->refusal.status, 431);

	/* Joined values must fit into the arena. */
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
	for (i = 0; i < 2; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "If-None-Match: %04500d\r\n", i);
	(void)snprintf(text + n, sizeof(text) - n, "\r\n");
	p = parse(text);
	assert_int_equal(p->n, -1);
	assert_int_equal(p->refusal.status, 431);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request),
		cmocka_unit_test(every_prefix_is_partial),
		cmocka_unit_test(forms_of_targets),
		cmocka_unit_test(who_closes),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
