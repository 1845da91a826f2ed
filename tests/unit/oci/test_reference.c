/*
 * test_reference.c - images as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oci/reference.h"

#define SHA                                                                    \
	"sha256:"                                                              \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct config *config;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	config = config_parse("t.yaml",
	    STR("upstreams:\n  docker.io: {aliases: [index.docker.io]}\n"
		"  ghcr.io:\n  \"reg.test:5000\":\n  localhost: {endpoints: "
		"[{url: "
		"\"http://far.test\"}]}\n"),
	    &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	config_unref(config);
	return 0;
}

static void
is(const char *text, const char *upstream, const char *repository,
    const char *tag)
{
	struct reference r;
	struct err err;

	if (reference_parse(&r, str_of(text), config, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(r.upstream->name, upstream);
	assert_string_equal(r.repository, repository);
	assert_string_equal(r.tag, tag);
	assert_int_equal(r.digest.alg != 0, strchr(text, '@') != NULL);
}

static void
refused(const char *text, enum err_code code, const char *sentence)
{
	struct reference r;
	struct err err;

	assert_int_equal(reference_parse(&r, str_of(text), config, &err), -1);
	assert_int_equal(err.code, code);
	if (strstr(err.text, sentence) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", sentence, err.text);
}

static void
refused_bytes(struct str bytes, const char *sentence)
{
	struct reference r;
	struct err err;

	assert_int_equal(reference_parse(&r, bytes, config, &err), -1);
	assert_non_null(strstr(err.text, sentence));
}

static void
test_hub(void **state)
{
	(void)state;
	is("nginx@" SHA, "docker.io", "library/nginx", "");
	is("nginx:1.27@" SHA, "docker.io", "library/nginx", "1.27");
	is("bitnami/redis:7", "docker.io", "bitnami/redis", "7");
	is("docker.io/nginx", "docker.io", "library/nginx", "");
	is("index.docker.io/library/nginx", "docker.io", "library/nginx", "");
}

static void
test_registries(void **state)
{
	(void)state;
	is("ghcr.io/a/b/c:v1@" SHA, "ghcr.io", "a/b/c", "v1");
	is("GHCR.io:443/a", "ghcr.io", "a", "");
	is("reg.test:5000/a@" SHA, "reg.test:5000", "a", "");
	is("localhost/a:1", "localhost", "a", "1");
}

static void
test_refused(void **state)
{
	(void)state;
	refused("", ERR_NAME_INVALID, "is empty");
	refused("quay.io/a@" SHA, ERR_NAME_UNKNOWN,
	    "quay.io is no upstream of this mirror; there are: docker.io, "
	    "ghcr.io");
	refused("localhost:1/a", ERR_NAME_UNKNOWN, "localhost:1");
	refused("a@sha256:12", ERR_DIGEST_INVALID, "is not a digest");
	refused("a@", ERR_DIGEST_INVALID, "is not a digest");
	refused("a@" SHA "@" SHA, ERR_DIGEST_INVALID, "is not a digest");
	refused("a:@" SHA, ERR_NAME_INVALID, "no right tag");
	refused("a:b:c@" SHA, ERR_NAME_INVALID, "is no image");
	refused("ghcr.io/", ERR_NAME_INVALID, "is no image");
	refused("Nginx@" SHA, ERR_NAME_INVALID, "is no image");
	refused("a//b@" SHA, ERR_NAME_INVALID, "is no image");
	refused("docker://nginx@" SHA, ERR_NAME_INVALID, "scheme");
	refused("a\nb", ERR_NAME_INVALID, "a\\x0ab");
	refused_bytes(STR("ghcr.io/a\0b@" SHA), "another byte");
}

static void
test_long(void **state)
{
	char text[400];
	size_t front = sizeof("docker.io/library/") - 1;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[NAME_MAX_BYTES - front] = '\0';
	{
		struct reference r;
		struct err err;

		assert_int_equal(
		    reference_parse(&r, str_of(text), config, &err), 0);
	}
	text[NAME_MAX_BYTES - front] = 'a';
	text[NAME_MAX_BYTES - front + 1] = '\0';
	refused(text, ERR_NAME_INVALID, "is no image");
	text[NAME_MAX_BYTES - front + 1] = 'a';
	text[399] = '\0';
	refused(text, ERR_NAME_INVALID, "is no image");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hub),
		cmocka_unit_test(test_registries),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
