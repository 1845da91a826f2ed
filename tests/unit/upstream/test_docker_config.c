/*
 * test_docker_config.c - whose credentials for which host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oci/docker_config.h"

#define AUTHS(key) "{\"auths\":{\"" key "\":{\"auth\":\"YTpi\"}}}"
#define HUB "https://index.docker.io/v1/"

/* What was found, in one line: "auth", "user:password", "identity", "helper
 * for server"; NULL: an error. */
static const struct {
	const char *json, *host, *found;
} cases[] = {
	{ "{}", "a.test", "" },
	{ "{\"auths\":{}}", "a.test", "" },
	{ "{\"auths\":null}", "a.test", "" },
	{ "{\"auths\":[]}", "a.test", "" },
	{ "{\"auths\":{\"a.test\":\"x\"}}", "a.test", "" },
	{ AUTHS("a.test"), "a.test", "YTpi" },
	{ AUTHS("A.Test"), "a.test", "YTpi" },
	{ AUTHS("a.test"), "b.test", "" },
	{ AUTHS("a.test"), "a.test:5000", "" },
	{ AUTHS("a.test:5000"), "a.test:5000", "YTpi" },
	{ AUTHS("https://a.test"), "a.test", "YTpi" },
	{ AUTHS("https://a.test/"), "a.test", "YTpi" },
	{ AUTHS("http://a.test/v1/"), "a.test", "YTpi" },
	{ AUTHS("https://a.test/v2/"), "a.test", "YTpi" },
	{ AUTHS("a.test/team"), "a.test", "" },
	{ AUTHS("https://a.test.evil/v1/"), "a.test", "" },
	{ AUTHS(""), "a.test", "" },
	{ AUTHS(HUB), "registry-1.docker.io", "YTpi" },
	{ AUTHS(HUB), "docker.io", "YTpi" },
	{ AUTHS("docker.io"), "registry-1.docker.io", "YTpi" },
	{ AUTHS(HUB), "notdocker.io", "" },
	{ "{\"auths\":{\"a.test\":{\"username\":\"u\",\"password\":\"p\"}}}",
	    "a.test", "u:p" },
	{ "{\"auths\":{\"a.test\":{\"auth\":\"YTo=\","
	  "\"identitytoken\":\"T\"}}}",
	    "a.test", "YTo= T" },
	{ "{\"auths\":{\"a.test\":{\"auth\":7}}}", "a.test", "" },
	/* helpers */
	{ "{\"credHelpers\":{\"a.test\":\"pass\"}}", "a.test",
	    "pass for a.test" },
	{ "{\"credHelpers\":{\"a.test\":\"pass\"}}", "b.test", "" },
	{ "{\"credHelpers\":{\"a.test\":\"pass\"},"
	  "\"auths\":{\"a.test\":{\"auth\":\"YTpi\"}}}",
	    "a.test", "pass for a.test" },
	{ "{\"credHelpers\":{\"docker.io\":\"ecr-login\"}}",
	    "registry-1.docker.io", "ecr-login for " HUB },
	{ "{\"credsStore\":\"secretservice\"}", "a.test",
	    "secretservice for a.test" },
	{ "{\"credsStore\":\"pass\",\"auths\":{\"a.test\":{}}}", "a.test",
	    "pass for a.test" },
	{ "{\"credsStore\":\"pass\","
	  "\"auths\":{\"a.test\":{\"auth\":\"YTpi\"}}}",
	    "a.test", "YTpi" },
	{ "{\"credsStore\":\"\"}", "a.test", "" },
	{ "{\"credHelpers\":{\"a.test\":\"../evil\"}}", "a.test", NULL },
	{ "{\"credHelpers\":{\"a.test\":\"a b\"}}", "a.test", NULL },
	{ "{\"credHelpers\":{\"a.test\":\"A\"}}", "a.test", NULL },
	{ "{\"credHelpers\":{\"a.test\":\"\"}}", "a.test", NULL },
	{ "{\"credHelpers\":{\"a.test\":7}}", "a.test", NULL },
	/* no configuration */
	{ "", "a.test", NULL },
	{ "[]", "a.test", NULL },
	{ "{\"auths\":", "a.test", NULL },
};

static const char *
in_one_line(const struct docker_login *l, char *out, size_t cap)
{
	const char *glue = l->identity_token != NULL ? " " : "";

	if (l->helper != NULL)
		(void)snprintf(out, cap, "%s for %s", l->helper, l->server);
	else if (l->username != NULL)
		(void)snprintf(out, cap, "%s:%s", l->username, l->password);
	else
		(void)snprintf(out, cap, "%s%s%s",
		    l->auth == NULL ? "" : l->auth, glue,
		    l->identity_token == NULL ? "" : l->identity_token);
	return out;
}

static void
finding(void **state)
{
	struct docker_login l;
	struct err err;
	char line[256];
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rc = docker_config_find(
		    str_of(cases[i].json), str_of(cases[i].host), &l, &err);
		if ((rc != 0) != (cases[i].found == NULL))
			fail_msg("%s: %d", cases[i].json, rc);
		if (rc == 0 &&
		    strcmp(in_one_line(&l, line, sizeof(line)),
			cases[i].found) != 0)
			fail_msg("%s: %s", cases[i].json, line);
		docker_login_done(&l);
		docker_login_done(&l);
	}
}

static void
replies_of_helpers(void **state)
{
	static const struct {
		const char *json, *found;
	} replies[] = {
		{ "{\"ServerURL\":\"a\",\"Username\":\"u\",\"Secret\":\"s\"}",
		    "u:s" },
		{ "{\"Username\":\"<token>\",\"Secret\":\"T\"}", " T" },
		{ "{\"Username\":\"u\"}", NULL },
		{ "{\"Username\":\"\",\"Secret\":\"s\"}", NULL },
		{ "{\"Username\":7,\"Secret\":\"s\"}", NULL },
		{ "credentials not found", NULL },
		{ "", NULL },
	};
	struct docker_login l;
	struct err err;
	char line[256];
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		rc = docker_helper_parse(str_of(replies[i].json), &l, &err);
		assert_int_equal(rc, replies[i].found == NULL ? -1 : 0);
		if (rc == 0)
			assert_string_equal(in_one_line(&l, line, sizeof(line)),
			    replies[i].found);
		docker_login_done(&l);
	}
}

/* A broken file is named, what is in it is not. */
static void
no_secret_in_a_sentence(void **state)
{
	struct docker_login l;
	struct err err;

	(void)state;
	assert_int_equal(
	    docker_config_find(STR("{\"auths\":{\"a\":{\"auth\":\"GEHEIM\"}"),
		STR("a"), &l, &err),
	    -1);
	assert_null(strstr(err.text, "GEHEIM"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finding),
		cmocka_unit_test(replies_of_helpers),
		cmocka_unit_test(no_secret_in_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
