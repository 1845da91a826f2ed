/*
 * test_challenge.c - challenges of real registries, and hostile ones; token
 * replies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oci/challenge.h"
#include "starve.h"

static char block[4096];
static struct arena arena;

static bool
parse(struct str header, struct challenge *c)
{
	arena_init(&arena, block, sizeof(block));
	return challenge_parse(&arena, header, c);
}

static void
expect(const char *header, enum challenge_scheme scheme, const char *realm,
    const char *service, const char *scope)
{
	struct challenge c;

	if (!parse(str_of(header), &c))
		fail_msg("refused: %s", header);
	if (c.scheme != scheme)
		fail_msg("scheme %d of %s", c.scheme, header);
	if (!str_eqz(c.realm, realm) || !str_eqz(c.service, service) ||
	    !str_eqz(c.scope, scope))
		fail_msg("%s: realm \"%.*s\", service \"%.*s\", scope \"%.*s\"",
		    header, STR_ARG(c.realm), STR_ARG(c.service),
		    STR_ARG(c.scope));
}

static void
expect_malformed(struct str header)
{
	struct challenge c;

	if (parse(header, &c))
		fail_msg("taken: %.*s", STR_ARG(header));
}

static void
real_ones(void **state)
{
	struct challenge c;

	(void)state;
	expect("Bearer realm=\"https://auth.docker.io/token\","
	       "service=\"registry.docker.io\","
	       "scope=\"repository:library/nginx:pull\"",
	    CHALLENGE_BEARER, "https://auth.docker.io/token",
	    "registry.docker.io", "repository:library/nginx:pull");
	expect("Bearer realm=\"https://a/t\",service=\"s\","
	       "scope=\"repository:a/b:pull,push\"",
	    CHALLENGE_BEARER, "https://a/t", "s", "repository:a/b:pull,push");
	expect("Basic realm=\"Registry Realm\"", CHALLENGE_BASIC,
	    "Registry Realm", "", "");
	expect(
	    "BASIC realm=basic-realm", CHALLENGE_BASIC, "basic-realm", "", "");
	expect(
	    "bearer REALM=\"r\" , Service = s", CHALLENGE_BEARER, "r", "s", "");
	assert_true(
	    parse(STR("Bearer realm=\"r\",error=\"invalid_token\""), &c));
	assert_true(str_eqz(c.error, "invalid_token"));
}

static void
several(void **state)
{
	(void)state;
	expect("Basic realm=\"b\", Bearer realm=\"t\",service=\"s\"",
	    CHALLENGE_BEARER, "t", "s", "");
	expect("Bearer realm=\"t\",service=\"s\", Basic realm=\"b\"",
	    CHALLENGE_BEARER, "t", "s", "");
	expect("Negotiate, Basic realm=\"b\"", CHALLENGE_BASIC, "b", "", "");
	expect("Negotiate a87/+-._~421==, Basic realm=b", CHALLENGE_BASIC, "b",
	    "", "");
	expect("Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\""
	       ", Basic realm=\"simple\"",
	    CHALLENGE_BASIC, "simple", "", "");
	expect("Bearer realm=first, Bearer realm=second", CHALLENGE_BEARER,
	    "first", "", "");
	expect("Bearer, Bearer realm=r", CHALLENGE_BEARER, "r", "", "");
	expect("Bearer service=s, Basic", CHALLENGE_BASIC, "", "", "");
	expect("Bearer realm=\"\", Basic", CHALLENGE_BASIC, "", "", "");
	/* What belongs to a worse one does not leak into the better. */
	expect("Basic realm=b,service=x,scope=y, Bearer realm=t",
	    CHALLENGE_BEARER, "t", "", "");
}

static void
none_usable(void **state)
{
	(void)state;
	expect("", CHALLENGE_NONE, "", "", "");
	expect(" , ,, ", CHALLENGE_NONE, "", "", "");
	expect("Bearer", CHALLENGE_NONE, "", "", "");
	expect("Bearer service=\"s\"", CHALLENGE_NONE, "", "", "");
	expect("Digest realm=\"r\", nonce=\"n\"", CHALLENGE_NONE, "", "", "");
	expect("Negotiate", CHALLENGE_NONE, "", "", "");
	expect("Basically realm=r", CHALLENGE_NONE, "", "", "");
}

static void
lists_and_space(void **state)
{
	(void)state;
	expect(", ,Basic \trealm\t=  \"b\" ,, ,", CHALLENGE_BASIC, "b", "", "");
	expect("Basic dXNlcjpwYXNz==", CHALLENGE_BASIC, "", "", "");
	expect("Basic dXNlcg", CHALLENGE_BASIC, "", "", "");
	expect("Basic abc= , Bearer realm=r", CHALLENGE_BEARER, "r", "", "");
	expect("Basic ,Bearer realm=r", CHALLENGE_BEARER, "r", "", "");
}

static void
quoted_strings(void **state)
{
	(void)state;
	expect("Bearer realm=\"a\\\"b\\\\c\\d, e=f\",service=\"\\\"\"",
	    CHALLENGE_BEARER, "a\"b\\cd, e=f", "\"", "");
	expect("Bearer realm=\"\xc3\xa9\t\"", CHALLENGE_BEARER, "\xc3\xa9\t",
	    "", "");
	/* The first of two counts. */
	expect("Bearer realm=a, realm=b", CHALLENGE_BEARER, "a", "", "");
}

static void
malformed(void **state)
{
	(void)state;
	expect_malformed(STR("="));
	expect_malformed(STR("\"x\""));
	expect_malformed(STR("Basic realm=\"b"));
	expect_malformed(STR("Basic realm=\"b\\"));
	expect_malformed(STR("Basic realm=\"b\\\""));
	expect_malformed(STR("Basic realm=\"b\"x"));
	expect_malformed(STR("Basic realm=b service=c"));
	expect_malformed(STR("Bearer realm=https://a/t"));
	expect_malformed(STR("Bearer realm=\"a\nb\""));
	expect_malformed(STR("Bearer realm=\"a\0b\""));
	expect_malformed(STR("Bearer realm=\"a\\\0b\""));
	expect_malformed(STR("Bearer realm=\"a\x7f\""));
	expect_malformed(STR("Bearer\0 realm=r"));
	expect_malformed(STR("Bearer realm=r, ;"));
	expect_malformed(STR("Basic abc def"));
	expect_malformed(STR("Basic ==="));
}

static void
full_arena(void **state)
{
	struct challenge c;

	(void)state;
	arena_init(&arena, block, 8);
	assert_false(challenge_parse(
	    &arena, STR("Bearer realm=\"https://auth.docker.io/token\""), &c));
}

static void
many_challenges(void **state)
{
	static char header[200000];
	struct challenge c;
	size_t i;

	(void)state;
	for (i = 0; i + 10 < sizeof(header); i += 10)
		memcpy(header + i, "Basic a=b,", 10);
	assert_true(parse((struct str){ header, i }, &c));
	assert_int_equal(c.scheme, CHALLENGE_BASIC);
}

/* ---- token replies ------------------------------------------------------ */

static void
expect_token(const char *json, const char *token, uint64_t lifetime_s)
{
	struct token_reply reply;
	struct err err = { .text = "" };

	if (token_reply_parse(str_of(json), &reply, &err) != 0)
		fail_msg("%s: %s", json, err.text);
	assert_string_equal(reply.token, token);
	assert_int_equal(reply.lifetime_s, lifetime_s);
	free(reply.token);
}

static void
expect_no_token(struct str json)
{
	struct token_reply reply;
	struct err err = { .text = "" };

	if (token_reply_parse(json, &reply, &err) != -1)
		fail_msg("taken: %.*s", STR_ARG(json));
	assert_int_equal(err.code, ERR_UPSTREAM_BROKEN);
	assert_null(reply.token);
	assert_null(strstr(err.text, "secret"));
}

static void
replies(void **state)
{
	(void)state;
	expect_token("{\"token\":\"abc.DEF-_~+/=\",\"expires_in\":300,"
		     "\"issued_at\":\"2026-01-01T00:00:00Z\"}",
	    "abc.DEF-_~+/=", 300);
	expect_token("{\"access_token\":\"a\"}", "a", 60);
	expect_token("{\"token\":\"t\",\"access_token\":\"a\"}", "t", 60);
	expect_token("{\"token\":\"\",\"access_token\":\"a\"}", "a", 60);
	expect_token("{\"token\":null,\"access_token\":\"a\"}", "a", 60);
}

static void
lifetimes(void **state)
{
	(void)state;
	expect_token("{\"token\":\"t\",\"expires_in\":1}", "t", 1);
	expect_token("{\"token\":\"t\",\"expires_in\":0}", "t", 1);
	expect_token("{\"token\":\"t\",\"expires_in\":-5}", "t", 1);
	expect_token("{\"token\":\"t\",\"expires_in\":300.9}", "t", 300);
	expect_token("{\"token\":\"t\",\"expires_in\":null}", "t", 60);
	expect_token("{\"token\":\"t\",\"expires_in\":\"300\"}", "t", 60);
	expect_token("{\"token\":\"t\",\"expires_in\":86399}", "t", 86399);
	expect_token("{\"token\":\"t\",\"expires_in\":86401}", "t", 86400);
	expect_token("{\"token\":\"t\",\"expires_in\":1e300}", "t", 86400);
	expect_token(
	    "{\"token\":\"t\",\"expires_in\":9223372036854775807}", "t", 86400);
}

/* What is wrong is said without the reply's words: they may be secret. */
static void
bad_replies(void **state)
{
	static char large[70000];

	(void)state;
	expect_no_token(STR(""));
	expect_no_token(STR("secret"));
	expect_no_token(STR("{\"token\":\"secret\" secret}"));
	expect_no_token(STR("{\"token\":\"secret"));
	expect_no_token(STR("[\"secret\"]"));
	expect_no_token(STR("\"secret\""));
	expect_no_token(STR("{}"));
	expect_no_token(STR("{\"token\":5}"));
	expect_no_token(STR("{\"token\":\"\"}"));
	expect_no_token(STR("{\"token\":[\"secret\"]}"));
	expect_no_token(STR("{\"token\":\"secret\\r\\nX-Other: 1\"}"));
	expect_no_token(STR("{\"token\":\"secret secret\"}"));
	expect_no_token(STR("{\"token\":\"secret\\u0000\"}"));
	expect_no_token(STR("{\"token\":\"secret\\u00e9\"}"));
	expect_no_token(
	    STR("{\"token\":\"t\",\"expires_in\":9223372036854775808}"));
	memset(large, ' ', sizeof(large));
	memcpy(large, "{\"token\":\"t\"}", 13);
	expect_no_token((struct str){ large, sizeof(large) });
}

static void
try_reply(bool is_starving)
{
	static const char json[] =
	    "{\"token\":\"0123456789abcdefghijklmnopqrstuvwxyz\"}";
	struct token_reply reply;
	struct err err;

	if (token_reply_parse(STR(json), &reply, &err) == 0) {
		assert_string_equal(
		    reply.token, "0123456789abcdefghijklmnopqrstuvwxyz");
		free(reply.token);
		return;
	}
	assert_true(is_starving);
	assert_int_equal(err.code, ERR_NO_MEMORY);
}

static void
no_memory(void **state)
{
	(void)state;
	assert_true(starve_each(try_reply) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_ones),
		cmocka_unit_test(several),
		cmocka_unit_test(none_usable),
		cmocka_unit_test(lists_and_space),
		cmocka_unit_test(quoted_strings),
		cmocka_unit_test(malformed),
		cmocka_unit_test(full_arena),
		cmocka_unit_test(many_challenges),
		cmocka_unit_test(replies),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
