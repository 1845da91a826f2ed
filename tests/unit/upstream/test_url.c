/*
 * test_url.c - whom a URL asks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/url.h"

static void
origins(void **state)
{
	static const struct {
		const char *url, *origin; /* NULL: none */
	} cases[] = {
		{ "https://a.test", "https://a.test" },
		{ "https://a.test/", "https://a.test" },
		{ "https://A.Test:443/v2/?x#y", "https://a.test" },
		{ "HTTP://a.test:80/x", "http://a.test" },
		{ "http://a.test:443", "http://a.test:443" },
		{ "https://a.test:80", "https://a.test:80" },
		{ "https://a.test:8443/x", "https://a.test:8443" },
		{ "http://127.0.0.1:5000", "http://127.0.0.1:5000" },
		{ "http://[::1]:5000/", "http://[::1]:5000" },
		{ "http://a.test?x=http://b.test", "http://a.test" },
		{ "http://a.test\\@b.test/", NULL },
		{ "http://u@a.test/", NULL },
		{ "http://u:p@a.test/", NULL },
		{ "ftp://a.test/", NULL },
		{ "file:///etc/passwd", NULL },
		{ "a.test", NULL },
		{ "//a.test/", NULL },
		{ "/v2/", NULL },
		{ "", NULL },
		{ "http://", NULL },
		{ "http://a.test:99999/", NULL },
		{ "http://a b.test/", NULL },
		{ "http://b\xc3\xbc.test/", NULL },
		{ "http://a%0d%0ab.test/", NULL },
		{ "http://a%1b.test/", NULL },
	};
	char origin[ORIGIN_MAX];
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rc = url_origin(cases[i].url, origin);
		if ((rc == 0) != (cases[i].origin != NULL) ||
		    (rc == 0 && strcmp(origin, cases[i].origin) != 0))
			fail_msg(
			    "%s: %s", cases[i].url, rc == 0 ? origin : "none");
	}
}

static void
parts(void **state)
{
	(void)state;
	assert_true(origin_is_https("https://a.test"));
	assert_false(origin_is_https("http://https.test"));
	assert_string_equal(origin_host("http://a.test:5000"), "a.test:5000");
}

static void
a_host_that_is_too_long(void **state)
{
	char url[1024] = "http://", origin[ORIGIN_MAX];

	(void)state;
	memset(url + 7, 'a', 600);
	assert_int_equal(url_origin(url, origin), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins),
		cmocka_unit_test(parts),
		cmocka_unit_test(a_host_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
