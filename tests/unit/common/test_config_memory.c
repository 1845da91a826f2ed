/*
 * test_config_memory.c - reading a configuration or a tokens file when memory
 * runs out anywhere: an error, no leak, no half-built snapshot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../oci/starve.h"
#include "common/config.h"
#include "common/tokens.h"

static char tokens_path[64];

static void
try_config(bool is_starving)
{
	struct err err = { .text = "" };
	struct config *c = config_load(SAMPLE, &err);

	if (c == NULL) {
		assert_int_equal(err.code, ERR_NO_MEMORY);
		assert_non_null(strstr(err.text, SAMPLE ": out of memory"));
	} else {
		assert_int_equal(c->n_upstreams, 3);
		assert_string_equal(c->rings[2], "retail-region-1");
	}
	assert_true(is_starving || c != NULL);
	config_unref(c);
}

static void
test_config(void **state)
{
	(void)state;
	assert_true(starve_each(try_config) > 3);
}

static void
try_tokens(bool is_starving)
{
	struct err err = { .text = "" };
	struct tokens *t = tokens_load(tokens_path, &err);

	if (t == NULL)
		assert_int_equal(err.code, ERR_NO_MEMORY);
	else
		assert_int_equal(
		    tokens_role(t, STR("aaaaaaaaaaaaaaaa"), NULL), ROLE_READ);
	assert_true(is_starving || t != NULL);
	tokens_free(t);
}

static void
test_tokens(void **state)
{
	static const char text[] =
	    "tokens:\n  - {name: a, role: read, token: aaaaaaaaaaaaaaaa}\n";
	int fd;

	(void)state;
	(void)snprintf(
	    tokens_path, sizeof(tokens_path), "/tmp/test_memory.XXXXXX");
	fd = mkstemp(tokens_path);
	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	assert_int_equal(close(fd), 0);
	assert_true(starve_each(try_tokens) > 3);
	assert_int_equal(unlink(tokens_path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
