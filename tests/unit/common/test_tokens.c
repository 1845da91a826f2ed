/*
 * test_tokens.c - the tokens file: who is known by it, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/tokens.h"

#define GOOD                                                                   \
	"tokens:\n"                                                            \
	"  - {name: grafana, role: read, token: \"aaaaaaaaaaaaaaaa\"}\n"       \
	"  - {name: ci, role: release, token: bbbbbbbbbbbbbbbbbbbb}\n"         \
	"  - {name: oncall, role: operate, token: cccccccccccccccccccc}\n"

static char path[64];

static struct tokens *
load(const char *text, mode_t mode, struct err *err)
{
	struct tokens *tokens;
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_tokens.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	tokens = tokens_load(path, err);
	assert_int_equal(unlink(path), 0);
	return tokens;
}

static void
test_roles(void **state)
{
	struct err err;
	struct tokens *t = load(GOOD, 0600, &err);
	const char *name;

	(void)state;
	assert_non_null(t);
	assert_int_equal(
	    tokens_role(t, STR("aaaaaaaaaaaaaaaa"), &name), ROLE_READ);
	assert_string_equal(name, "grafana");
	assert_int_equal(
	    tokens_role(t, STR("bbbbbbbbbbbbbbbbbbbb"), &name), ROLE_RELEASE);
	assert_string_equal(name, "ci");
	assert_int_equal(
	    tokens_role(t, STR("cccccccccccccccccccc"), NULL), ROLE_OPERATE);
	assert_int_equal(
	    tokens_role(t, STR("aaaaaaaaaaaaaaab"), &name), ROLE_NONE);
	assert_null(name);
	assert_int_equal(
	    tokens_role(t, STR("aaaaaaaaaaaaaaa"), NULL), ROLE_NONE);
	assert_int_equal(
	    tokens_role(t, STR("aaaaaaaaaaaaaaaaa"), NULL), ROLE_NONE);
	assert_int_equal(tokens_role(t, STR(""), NULL), ROLE_NONE);
	assert_int_equal(
	    tokens_role(t, (struct str){ NULL, 0 }, NULL), ROLE_NONE);
	tokens_free(t);
	tokens_free(NULL);
}

static void
test_modes(void **state)
{
	static const mode_t good[] = { 0400, 0600, 0640, 0440 };
	static const mode_t bad[] = { 0644, 0604, 0660, 0620, 0601, 0666 };
	struct tokens *t;
	struct err err;
	char run[128];
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		t = load(GOOD, good[i], &err);
		assert_non_null(t);
		tokens_free(t);
	}
	for (i = 0; i < 6; i++) {
		assert_null(load(GOOD, bad[i], &err));
		(void)snprintf(run, sizeof(run),
		    "is open to others (mode %04o); run: chmod o-rwx,g-w %s",
		    (unsigned)bad[i], path);
		assert_non_null(strstr(err.text, run));
	}
}

static void
test_mistakes(void **state)
{
#define ONE(entry) "tokens:\n  - " entry "\n"
	static const struct {
		const char *text;
		const char *sentence;
	} cases[] = {
		{ "", ":1: the file must hold `tokens:`" },
		{ "tokens: []\n", ":1: the file must hold `tokens:`" },
		{ "tokens: {a: b}\n", ":1: the file must hold `tokens:`" },
		{ GOOD "more: 1\n", ":1: the file must hold `tokens:`" },
		{ ONE("aaaa"), ":2: an entry must be a map" },
		{ ONE("{name: a, role: read, tokn: x}"),
		    ":2: unknown key; allowed: name, role, token" },
		{ ONE("{name: a, role: read, token: [x]}"),
		    ":2: must be one value" },
		{ ONE("{role: read, token: aaaaaaaaaaaaaaaa}"),
		    ":2: a token needs a name" },
		{ ONE("{name: \"a b\", role: read, token: aaaaaaaaaaaaaaaa}"),
		    ":2: a token needs a name" },
		{ ONE("{name: a, token: aaaaaaaaaaaaaaaa}"),
		    ":2: \"\" is not a role; allowed: read, release, operate" },
		{ ONE("{name: a, role: root, token: aaaaaaaaaaaaaaaa}"),
		    ":2: \"root\" is not a role; allowed: read" },
		{ ONE("{name: a, role: read}"), ":2: a token must be 16 to" },
		{ ONE("{name: a, role: read, token: aaaaaaaaaaaaaaa}"),
		    ":2: a token must be 16 to 512 visible" },
		{ ONE("{name: a, role: read, token: \"aaaaaaaaaaaaaaaa a\"}"),
		    ":2: a token must be 16 to 512 visible" },
		{ GOOD "  - {name: ci, role: read, token: dddddddddddddddd}\n",
		    ":5: the name \"ci\" is given twice" },
		{ GOOD "  - {name: x, role: read, token: aaaaaaaaaaaaaaaa}\n",
		    ":5: this is the token of \"grafana\", too" },
	};
#undef ONE
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(load(cases[i].text, 0600, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, path));
		if (strstr(err.text, cases[i].sentence) == NULL)
			fail_msg("\"%s\" is not in \"%s\"", cases[i].sentence,
			    err.text);
		assert_null(strstr(err.text, "aaaaaaaaaaaaaaa"));
	}
}

static void
test_missing_file(void **state)
{
	struct err err;

	(void)state;
	assert_null(tokens_load("/nowhere/tokens.yaml", &err));
	assert_string_equal(err.text,
	    "the tokens file /nowhere/tokens.yaml can't be opened: No such "
	    "file or directory");
	assert_null(tokens_load("/", &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_missing_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
