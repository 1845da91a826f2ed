/*
 * test_list.c - lists from bodies: what is taken, and all that is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/clock.h"
#include "release/list.h"

#define SHA                                                                    \
	"sha256:"                                                              \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE "\"images\": [\"a@" SHA "\"]"

static struct config *config;
static struct release_faults faults;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	config = config_parse(
	    "t.yaml", STR("upstreams:\n  docker.io:\n  ghcr.io:\n"), &err);
	assert_non_null(config);
	release_faults_init(&faults);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	release_faults_done(&faults);
	config_unref(config);
	return 0;
}

static struct release_list *
taken(const char *body, enum release_format format)
{
	struct release_list *l =
	    release_list_parse(str_of(body), format, config, &faults);

	if (l == NULL)
		fail_msg("line %u: %s: %s", faults.all[0].line,
		    faults.all[0].field, faults.all[0].text);
	return l;
}

static void
refused(const char *body, enum release_format format, size_t n)
{
	release_faults_done(&faults);
	release_faults_init(&faults);
	assert_null(release_list_parse(str_of(body), format, config, &faults));
	if (faults.n_found != n)
		fail_msg("%zu faults, the first: %s", faults.n_found,
		    faults.all[0].text);
}

/* The I-th fault. */
static void
fault_is(size_t i, unsigned line, const char *field, const char *text)
{
	assert_int_equal(faults.all[i].line, line);
	assert_string_equal(faults.all[i].field, field);
	if (strstr(faults.all[i].text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, faults.all[i].text);
}

static void
test_json(void **state)
{
	struct release_list *l =
	    taken("{\"images\": [\n"
		  " {\"image\": \"ghcr.io/a/b:1@" SHA "\", \"platforms\": "
		  "[\"linux/arm64\"], \"platforms_optional\": true},\n"
		  " {\"image\": \"nginx@" SHA "\"}],\n"
		  " \"platforms\": [\"linux/amd64\", \"linux/arm/v7\"],\n"
		  " \"referrers\": true, \"priority\": 9,\n"
		  " \"published_at\": \"2026-11-22T02:00:00Z\",\n"
		  " \"not_before\": null, \"catch_up\": \"window\",\n"
		  " \"deadline\": \"2026-11-22T07:00:00+01:00\"}",
		RELEASE_JSON);

	(void)state;
	assert_int_equal(l->n_images, 2);
	assert_string_equal(l->images[0].reference, "ghcr.io/a/b:1@" SHA);
	assert_string_equal(l->images[0].upstream, "ghcr.io");
	assert_string_equal(l->images[0].repository, "a/b");
	assert_string_equal(l->images[0].tag, "1");
	assert_string_equal(l->images[0].platforms[0], "linux/arm64");
	assert_int_equal(l->images[0].n_platforms, 1);
	assert_true(l->images[0].platforms_optional);
	assert_int_equal(l->images[0].line, 2);
	assert_string_equal(l->images[1].repository, "library/nginx");
	assert_string_equal(l->images[1].field, "images[1].image");
	assert_null(l->images[1].tag);
	assert_int_equal(l->images[1].n_platforms, 2);
	assert_string_equal(l->images[1].platforms[1], "linux/arm/v7");
	assert_false(l->images[1].platforms_optional);
	assert_true(l->referrers);
	assert_int_equal(l->priority, 9);
	assert_int_equal(l->catch_up, CATCH_UP_WINDOW);
	assert_int_equal(l->published_at, 1795312800);
	assert_int_equal(l->deadline, 1795312800 + 4 * 3600);
	assert_int_equal(l->not_before, 0);
	release_list_unref(l);
}

static void
test_yaml(void **state)
{
	struct release_list *l = taken("# ring 1\n"
				       "priority: 7\n"
				       "images:\n"
				       "  - nginx@" SHA "\n"
				       "  - image: ghcr.io/x@" SHA "\n",
	    RELEASE_YAML);

	(void)state;
	assert_int_equal(l->priority, 7);
	assert_int_equal(l->n_images, 2);
	assert_int_equal(l->images[1].line, 5);
	release_list_unref(l);
}

static void
test_text(void **state)
{
	struct release_list *l = taken("# all of ring 1\r\n\n"
				       "  nginx@" SHA "  # the proxy\r\n"
				       "ghcr.io/x@" SHA,
	    RELEASE_TEXT);

	(void)state;
	assert_int_equal(l->n_images, 2);
	assert_string_equal(l->images[0].reference, "nginx@" SHA);
	assert_int_equal(l->images[0].line, 3);
	assert_int_equal(l->images[1].line, 4);
	assert_int_equal(l->priority, 5);
	assert_int_equal(l->catch_up, CATCH_UP_IMMEDIATE);
	release_list_unref(l);
}

/* In other words, but the same image for the same platforms. */
static void
test_same_twice(void **state)
{
	struct release_list *l = taken(
	    "nginx@" SHA "\ndocker.io/library/nginx@" SHA "\nnginx:1@" SHA "\n",
	    RELEASE_TEXT);

	(void)state;
	assert_int_equal(l->n_images, 2);
	release_list_unref(l);
}

static void
test_every_wrong_line(void **state)
{
	(void)state;
	refused("nginx@" SHA "\nnginx:1\nquay.io/x@" SHA "\na b\n@@\n",
	    RELEASE_TEXT, 4);
	fault_is(0, 2, "image", "\"nginx:1\" has no digest; pin it");
	fault_is(1, 3, "image", "quay.io is no upstream of this mirror");
	fault_is(2, 4, "image", "more than a reference");
	fault_is(3, 5, "image", "digest");
	assert_int_equal(faults.all[1].code, ERR_NAME_UNKNOWN);

	refused("{\"images\": [\n\"a@" SHA "\",\n{\"image\": \"b:1\",\n"
		"\"platforms\": [\"linux\", 5],\n\"colour\": 1},\n{},\n"
		"[]],\n\"priority\": 10,\n\"deadline\": \"soon\",\n"
		"\"what\": {\"a\": 1}, \"referrers\": [true]}",
	    RELEASE_JSON, 10);
	fault_is(0, 8, "priority", "priority is 0 to 9");
	fault_is(1, 9, "deadline", "a time like 2026-");
	fault_is(2, 10, "what", "a release has no \"what\"; it has images");
	fault_is(3, 10, "referrers", "true or false");
	fault_is(4, 5, "images[1].colour", "not \"colour\"");
	fault_is(5, 4, "images[1].platforms", "\"linux\" is no platform");
	fault_is(6, 4, "images[1].platforms", "\"5\" is no platform");
	fault_is(7, 3, "images[1].image", "\"b:1\" has no digest");
	fault_is(8, 6, "images[2].image", "missing");
	fault_is(9, 7, "images[3]", "an image is a reference or a map");
}

static void
test_syntax(void **state)
{
	(void)state;
	refused("{\"images\": [\n\"a\"\n", RELEASE_JSON, 1);
	fault_is(0, 3, "", "this is not JSON");
	refused("images: [a]", RELEASE_JSON, 1);
	refused("images:\n - [\n", RELEASE_YAML, 1);
	fault_is(0, 3, "", "this is not YAML");
	refused("{\"images\": [], \"images\": []}", RELEASE_JSON, 1);
	refused("a: 1\n---\nb: 1\n", RELEASE_YAML, 1);
	fault_is(0, 0, "", "one document, not 2");
	refused("", RELEASE_YAML, 1);
	refused("", RELEASE_JSON, 1);
	refused("[1]", RELEASE_JSON, 1);
	fault_is(0, 1, "", "a release is a map with images:, not a list");
	refused("{}", RELEASE_JSON, 1);
	fault_is(0, 0, "images", "images is missing");
	refused("{\"images\": []}", RELEASE_JSON, 1);
	fault_is(0, 1, "images", "1 to 20000 images, not 0");
	refused("# nothing\n\n", RELEASE_TEXT, 1);
}

static void
test_times(void **state)
{
	(void)state;
	refused("{" ONE ", \"not_before\": \"2026-11-22T02:00:00Z\", "
		"\"deadline\": \"2026-11-22T02:00:00Z\", "
		"\"pin_until\": \"2026-11-21T00:00:00Z\"}",
	    RELEASE_JSON, 2);
	fault_is(0, 0, "deadline", "not after not_before");
	fault_is(1, 0, "pin_until", "before the deadline");
}

static void
test_tags_on_request(void **state)
{
	struct release_list *l = taken("{\"images\": [\"nginx\", \"nginx:1\"], "
				       "\"resolve_tags\": true}",
	    RELEASE_JSON);

	(void)state;
	assert_int_equal(l->images[0].digest.alg, 0);
	assert_string_equal(l->images[0].tag, "latest");
	assert_string_equal(l->images[1].tag, "1");
	release_list_unref(l);
}

static void
set(struct release_list *l, const char *key, const char *value)
{
	struct err err;

	if (release_list_set(l, str_of(key), str_of(value), &err) != 0)
		fail_msg("%s", err.text);
}

static void
test_set(void **state)
{
	struct release_list *l = release_list_new();
	struct err err;

	(void)state;
	set(l, "platforms", "linux/amd64, linux/arm64");
	set(l, "priority", "2");
	set(l, "resolve_tags", "true");
	assert_int_equal(
	    release_list_set(l, STR("images"), STR("x"), &err), -1);
	assert_int_equal(
	    release_list_set(l, STR("platforms"), STR("amd64"), &err), -1);
	assert_int_equal(
	    release_list_read(l, STR("nginx:1"), RELEASE_TEXT, config, &faults),
	    0);
	assert_int_equal(l->priority, 2);
	assert_int_equal(l->images[0].n_platforms, 2);
	release_list_unref(l);
}

/* What was kept may have outlived them; who asks anew is told. */
static void
test_pins_that_have_ended(void **state)
{
	struct release_list *l = release_list_new();

	(void)state;
	set(l, "pin_until", "2020-01-01T00:00:00Z");
	assert_int_equal(release_list_read(l, STR("nginx@" SHA), RELEASE_TEXT,
			     config, &faults),
	    -1);
	assert_int_equal(faults.n_found, 1);
	fault_is(0, 0, "pin_until", "has passed");
	release_list_unref(l);
	release_faults_done(&faults);
	release_faults_init(&faults);
	release_list_unref(taken("{\"images\": [\"nginx@" SHA "\"], "
				 "\"pin_until\": \"2020-01-01T00:00:00Z\"}",
	    RELEASE_JSON));
}

static void
is_same(const struct release_list *l)
{
	char *text = release_list_text(l), *again;
	struct release_list *copy = taken(text, RELEASE_JSON);

	again = release_list_text(copy);
	assert_string_equal(text, again);
	release_list_unref(copy);
	free(text);
	free(again);
}

static void
test_text_and_back(void **state)
{
	struct release_list *l = taken(
	    "{\"images\": [{\"image\": \"a@" SHA "\", \"platforms\": []}, "
	    "{\"image\": \"b:1\", \"platforms_optional\": false}, "
	    "{\"image\": \"c@" SHA "\", \"platforms\": [\"linux/arm64\"]}], "
	    "\"platforms\": [\"linux/amd64\"], \"resolve_tags\": true, "
	    "\"platforms_optional\": true, \"referrers\": true, "
	    "\"priority\": 0, \"catch_up\": \"hold\", "
	    "\"published_at\": \"2026-11-22T02:00:00Z\", "
	    "\"not_before\": \"2026-11-22T03:00:00Z\", "
	    "\"deadline\": \"2026-11-22T04:00:00Z\", "
	    "\"pin_until\": \"2027-11-22T04:00:00Z\"}",
	    RELEASE_JSON);
	struct release_list *resolved;
	struct digest digests[3] = { { .alg = 0 } };

	(void)state;
	is_same(l);
	digests[1] = l->images[0].digest;
	resolved = release_list_resolved(l, digests);
	release_list_unref(l);
	assert_string_equal(resolved->images[1].reference, "b:1@" SHA);
	assert_true(digest_equal(&resolved->images[1].digest, &digests[1]));
	assert_false(resolved->images[1].platforms_optional);
	assert_true(resolved->images[0].platforms_optional);
	assert_int_equal(resolved->images[0].n_platforms, 0);
	assert_string_equal(resolved->images[1].platforms[0], "linux/amd64");
	is_same(resolved);
	release_list_unref(resolved);
}

/* 10,000 images, in JSON over many lines. */
static void
test_many(void **state)
{
	struct release_list *l;
	struct buf body;
	uint64_t began_us;

	(void)state;
	buf_init(&body, RELEASE_BODY_MAX);
	buf_addz(&body, "{\"images\": [\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&body,
		    "%s{\"image\": \"ghcr.io/team/app-%d@" SHA
		    "\", \"platforms\": [\"linux/amd64\", \"linux/arm64\"]}\n",
		    i > 0 ? "," : "", i);
	buf_add(&body, "]}", 3);
	assert_false(body.overflow);
	began_us = clock_mono_us();
	l = taken(body.p, RELEASE_JSON);
	assert_true(clock_mono_us() - began_us < 2000000);
	assert_int_equal(l->n_images, 10000);
	assert_int_equal(l->images[9999].line, 10001);
	release_list_unref(l);
	buf_done(&body);
}

static void
test_many_faults(void **state)
{
	struct buf body;

	(void)state;
	buf_init(&body, RELEASE_BODY_MAX);
	for (int i = 0; i < 5000; i++)
		buf_printf(&body, "app:%d\n", i);
	buf_add(&body, "", 1);
	refused(body.p, RELEASE_TEXT, 5000);
	assert_int_equal(faults.n, RELEASE_FAULTS_MAX);
	fault_is(999, 1000, "image", "app:999");
	buf_reset(&body);
	for (int i = 0; i < RELEASE_IMAGES_MAX + 1; i++)
		buf_printf(&body, "a@" SHA "\n");
	buf_add(&body, "", 1);
	refused(body.p, RELEASE_TEXT, 1);
	fault_is(0, 0, "images", "not 20001");
	buf_done(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_yaml, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_same_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_every_wrong_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_tags_on_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_pins_that_have_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_text_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_faults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
