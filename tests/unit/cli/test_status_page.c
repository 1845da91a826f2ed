/*
 * test_status_page.c - the page as people see it, from the answers' JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli_int.h"

#define NOW 1000000000

static void
expect_page(
    const char *status_json, const char *upstreams_json, const char *page)
{
	json_t *status = json_loads(status_json, 0, NULL);
	json_t *upstreams = json_loads(upstreams_json, 0, NULL);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_true(status != NULL && upstreams != NULL);
	status_page(f, status, upstreams, NOW);
	(void)fclose(f);
	assert_string_equal(text, page);
	free(text);
	json_decref(status);
	json_decref(upstreams);
}

static void
a_busy_mirror(void **state)
{
	(void)state;
	expect_page(
	    "{\"region\": \"emea-1\", \"version\": \"0.1.0\", "
	    "\"commit\": \"abc\", \"uptime_s\": 11520, \"ready\": true, "
	    "\"draining\": false, \"store\": {\"path\": \"/srv/store\", "
	    "\"used_bytes\": 45204963328, \"objects\": 1841, "
	    "\"draft_bytes\": 1023, \"capacity_bytes\": 214748364800, "
	    "\"free_bytes\": 332859965440}, \"connections\": 1204, "
	    "\"fills\": {\"running\": 3, \"readers\": 118}, "
	    "\"requests\": {\"hit\": 120331, \"join\": 12, \"miss\": 40, "
	    "\"stale\": 0, \"error\": 3}, \"hit_ratio\": {"
	    "\"requests\": {\"5m\": 0.983, \"15m\": 0.97, \"1h\": 0.99101}, "
	    "\"bytes\": {\"5m\": 1.0, \"15m\": 0.5, \"1h\": 0}}, "
	    "\"upstreams\": {\"up\": 1, \"down\": 1}}",
	    "[{\"name\": \"docker.io\", \"endpoints\": ["
	    "{\"name\": \"registry-1.docker.io\", \"link\": \"fibre\", "
	    "\"up\": true, \"state\": \"online\", \"breaker\": \"closed\", "
	    "\"last_ok_at\": \"2001-09-09T01:46:28.000Z\", "
	    "\"ratelimit_remaining\": 83, \"distrusted\": true}, "
	    "{\"name\": \"b.test\", \"link\": null, \"up\": true, "
	    "\"state\": \"untried\", \"breaker\": \"closed\"}]}, "
	    "{\"name\": \"ghcr.io\", \"endpoints\": [{\"name\": \"ghcr.io\", "
	    "\"link\": null, \"up\": false, \"state\": \"offline\", "
	    "\"breaker\": \"open\", "
	    "\"last_ok_at\": \"2001-09-08T00:00:00.000Z\", "
	    "\"last_error\": \"refused \\u001b[31m\"}]}]",
	    "railhead emea-1: ready, up 3 h 12 min, version 0.1.0 (abc)\n"
	    "\n"
	    "store        42.1 GiB of 200 GiB (21 %), 1841 objects, drafts "
	    "1023 B, 310 GiB free\n"
	    "             /srv/store\n"
	    "connections  1204\n"
	    "fills        3 running, 118 readers\n"
	    "requests     hit 120331, join 12, miss 40, stale 0, error 3\n"
	    "\n"
	    "hit ratio       5 min   15 min      1 h\n"
	    "  requests     98.30%   97.00%   99.10%\n"
	    "  bytes       100.00%   50.00%    0.00%\n"
	    "\n"
	    "upstreams    1 up, 1 down\n"
	    "\n"
	    "UPSTREAM   ENDPOINT              LINK   STATE    LAST OK      "
	    "NOTE\n"
	    "docker.io  registry-1.docker.io  fibre  online   12 s         "
	    "sent wrong bytes; 83 requests left\n"
	    "           b.test                -      untried  -\n"
	    "ghcr.io    ghcr.io               -      offline  25 h 47 min  "
	    "breaker open; refused \\x1b[31m\n");
}

/* An answer that lacks everything is shown, not believed. */
static void
an_empty_answer(void **state)
{
	(void)state;
	expect_page("{}", "[{}, 1, {\"endpoints\": [null]}]",
	    "railhead -: not ready, up 0 s, version - (-)\n"
	    "\n"
	    "store        0 B of 0 B (0 %), 0 objects, drafts 0 B, 0 B free\n"
	    "             -\n"
	    "connections  0\n"
	    "fills        0 running, 0 readers\n"
	    "requests     \n"
	    "\n"
	    "hit ratio       5 min   15 min      1 h\n"
	    "  requests      0.00%    0.00%    0.00%\n"
	    "  bytes         0.00%    0.00%    0.00%\n"
	    "\n"
	    "upstreams    0 up, 0 down\n"
	    "\n"
	    "UPSTREAM  ENDPOINT  LINK  STATE  LAST OK  NOTE\n"
	    "-         -         -     -      -\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_mirror),
		cmocka_unit_test(an_empty_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
