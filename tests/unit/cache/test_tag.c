/*
 * test_tag.c - how old a tag may be: fresh, to be looked at, stale, expired.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tag.h"

#define NOW 1000000

static struct config *
config_of_rules(void)
{
	static const char yaml[] =
	    "upstreams:\n"
	    "  registry.example.com: {}\n"
	    "tags:\n"
	    "  - {match: \"*:v[0-9]*\", immutable: true, ttl: 10s}\n"
	    "  - {match: \"fast/*\", ttl: 1s, stale: 0s}\n"
	    "  - {match: \"*\", ttl: 5m, stale: 7d}\n";
	struct err err;
	struct config *c = config_parse("test.yaml", STR(yaml), &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

static enum tag_age
age_of(const char *repository, const char *tag, int64_t age_s)
{
	struct config *c = config_of_rules();
	struct tag_row row = { .confirmed_at = NOW - age_s };
	struct target t;
	enum tag_age age;

	target_init(&t, c, &c->upstreams[0], str_of(repository));
	strncpy(t.tag, tag, TARGET_TAG_MAX);
	age = tag_age(&t, &row, NOW);
	target_done(&t);
	config_unref(c);
	return age;
}

static void
a_tag_is_fresh_for_its_ttl(void **state)
{
	(void)state;
	assert_int_equal(age_of("app", "latest", 0), TAG_FRESH);
	assert_int_equal(age_of("app", "latest", 299), TAG_FRESH);
	assert_int_equal(age_of("app", "latest", 300), TAG_STALE);
}

static void
then_stale_then_expired(void **state)
{
	(void)state;
	assert_int_equal(
	    age_of("app", "latest", 300 + 7 * 86400 - 1), TAG_STALE);
	assert_int_equal(age_of("app", "latest", 300 + 7 * 86400), TAG_EXPIRED);
	assert_int_equal(age_of("fast/app", "latest", 1), TAG_EXPIRED);
}

static void
an_immutable_tag_is_looked_at_in_the_background(void **state)
{
	(void)state;
	assert_int_equal(age_of("app", "v1.2", 9), TAG_FRESH);
	assert_int_equal(age_of("app", "v1.2", 10), TAG_RECHECK);
	assert_int_equal(age_of("app", "v1.2", 1000000), TAG_RECHECK);
}

/* A clock that was set back must not make a tag old. */
static void
a_confirmation_from_the_future_is_fresh(void **state)
{
	(void)state;
	assert_int_equal(age_of("app", "latest", -100), TAG_FRESH);
}

static void
lists_go_by_the_rule_of_the_empty_tag(void **state)
{
	struct config *c = config_of_rules();
	struct target t;

	(void)state;
	target_init(&t, c, &c->upstreams[0], STR("app"));
	assert_int_equal(list_age(&t, NOW - 299, NOW), TAG_FRESH);
	assert_int_equal(list_age(&t, NOW - 300, NOW), TAG_STALE);
	target_done(&t);
	config_unref(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tag_is_fresh_for_its_ttl),
		cmocka_unit_test(then_stale_then_expired),
		cmocka_unit_test(
		    an_immutable_tag_is_looked_at_in_the_background),
		cmocka_unit_test(a_confirmation_from_the_future_is_fresh),
		cmocka_unit_test(lists_go_by_the_rule_of_the_empty_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
