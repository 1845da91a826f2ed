/*
 * test_lists.c - gathering pages, cutting pages, filtering, Link headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "oci/lists.h"
#include "starve.h"

#define MAX (16u << 20)
#define HEX "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b"
#define D1 "sha256:" HEX "01"
#define D2 "sha256:" HEX "02"
#define REF(digest, type)                                                      \
	"{\"digest\":\"" digest "\",\"size\":1,\"artifactType\":\"" type "\"}"
#define INDEX(manifests)                                                       \
	"{\"schemaVersion\":2,"                                                \
	"\"mediaType\":\"application/vnd.oci.image.index.v1+json\","           \
	"\"manifests\":[" manifests "]}"

static void
expect_buf(const struct buf *b, const char *text)
{
	if (!str_eqz(buf_str(b), text))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(buf_str(b)), text);
}

/* ---- gathering ---------------------------------------------------------- */

/* BODIES ends with NULL. */
static void
expect_document(
    enum list_kind kind, const char *const *bodies, const char *document)
{
	struct list_pages *l = list_pages_new(kind, MAX);
	struct err err = { .text = "" };
	struct buf out;
	size_t i;

	assert_non_null(l);
	for (i = 0; bodies[i] != NULL; i++)
		if (list_pages_add(l, str_of(bodies[i]), &err) != 0)
			fail_msg("%s: %s", bodies[i], err.text);
	buf_init(&out, MAX);
	assert_int_equal(0, list_pages_document(l, &out, &err));
	expect_buf(&out, document);
	buf_done(&out);
	list_pages_free(l);
}

static void
expect_bad_page(enum list_kind kind, const char *body)
{
	struct list_pages *l = list_pages_new(kind, MAX);
	struct err err = { .text = "" };

	assert_non_null(l);
	if (list_pages_add(l, str_of(body), &err) != -1)
		fail_msg("taken: %s", body);
	assert_int_equal(err.code, ERR_UPSTREAM_BROKEN);
	assert_true(strlen(err.text) > 10);
	list_pages_free(l);
}

#define PAGES(...)                                                             \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}

static void
gather_tags(void **state)
{
	(void)state;
	expect_document(LIST_TAGS, PAGES(NULL), "[]");
	expect_document(
	    LIST_TAGS, PAGES("{\"name\":\"a\",\"tags\":null}"), "[]");
	expect_document(LIST_TAGS, PAGES("{\"tags\":[]}", "{}"), "[]");
	/* Byte by byte: capitals, then "_", then small letters. */
	expect_document(LIST_TAGS,
	    PAGES("{\"tags\":[\"b\",\"a\",\"_\",\"Z\",\"v10\"]}",
		"{\"tags\":[\"v9\",\"a.1\",\"a-1\",\"a\",\"10\",\"9\"]}"),
	    "[\"10\",\"9\",\"Z\",\"_\",\"a\",\"a-1\",\"a.1\",\"b\","
	    "\"v10\",\"v9\"]");
	expect_document(LIST_TAGS,
	    PAGES("{\"tags\":[\"a\",\"a\",\"a\"]}", "{\"tags\":[\"a\"]}"),
	    "[\"a\"]");
	/* Nobody could ask us for these. */
	expect_document(LIST_TAGS,
	    PAGES("{\"tags\":[\"ok\",\"\",\"a b\",\"..\",\"x\\\"y\",\"\xc3\xa9"
		  "\",\"\\n\"]}"),
	    "[\"ok\"]");
}

static void
gather_bad_tags(void **state)
{
	(void)state;
	expect_bad_page(LIST_TAGS, "");
	expect_bad_page(LIST_TAGS, "[]");
	expect_bad_page(LIST_TAGS, "<html>");
	expect_bad_page(LIST_TAGS, "{\"tags\":{}}");
	expect_bad_page(LIST_TAGS, "{\"tags\":\"a\"}");
	expect_bad_page(LIST_TAGS, "{\"tags\":[5]}");
	expect_bad_page(LIST_TAGS, "{\"tags\":[null]}");
	expect_bad_page(LIST_TAGS, "{\"tags\":[\"a\",[\"b\"]]}");
	expect_bad_page(LIST_TAGS, "{\"tags\":[\"a\\u0000\"]}");
}

/* clang-format off */
#define FULL                                                                   \
	"{\"mediaType\":\"m\",\"digest\":\"" D2 "\",\"size\":7,"               \
	"\"annotations\":{\"k\":\"\xc3\xa9\\n\"},"                              \
	"\"artifactType\":\"t\",\"x\":[1,-2,null,true]}"
/* clang-format on */

static void
gather_referrers(void **state)
{
	(void)state;
	expect_document(LIST_REFERRERS, PAGES(NULL), INDEX(""));
	expect_document(LIST_REFERRERS,
	    PAGES("{\"schemaVersion\":2,\"manifests\":null}"), INDEX(""));
	/* In order, with all members, also those we do not know. */
	expect_document(LIST_REFERRERS,
	    PAGES(INDEX(FULL), "{\"manifests\":[" REF(D1, "u") "]}"),
	    INDEX(FULL "," REF(D1, "u")));
	/* A digest that nobody could ask us for. */
	expect_document(LIST_REFERRERS,
	    PAGES(INDEX(REF("md5:1", "t") "," REF(D1, "t"))),
	    INDEX(REF(D1, "t")));
}

static void
gather_bad_referrers(void **state)
{
	(void)state;
	expect_bad_page(LIST_REFERRERS, "");
	expect_bad_page(LIST_REFERRERS, "[]");
	expect_bad_page(LIST_REFERRERS, "404 page not found");
	expect_bad_page(LIST_REFERRERS, "{\"manifests\":{}}");
	expect_bad_page(LIST_REFERRERS, "{\"manifests\":[5]}");
	expect_bad_page(LIST_REFERRERS, "{\"manifests\":[null]}");
	expect_bad_page(LIST_REFERRERS, "{\"manifests\":[{}]}");
	expect_bad_page(LIST_REFERRERS, "{\"manifests\":[{\"digest\":5}]}");
}

static void
gather_too_much(void **state)
{
	struct str body = STR("{\"tags\":[\"a\"]}");
	struct list_pages *l = list_pages_new(LIST_TAGS, 2 * body.n + 1);
	struct err err;
	struct buf out;

	(void)state;
	assert_non_null(l);
	assert_int_equal(0, list_pages_add(l, body, &err));
	assert_int_equal(0, list_pages_add(l, body, &err));
	assert_int_equal(-1, list_pages_add(l, body, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_init(&out, 4);
	assert_int_equal(-1, list_pages_document(l, &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_done(&out);
	list_pages_free(l);

	l = list_pages_new(LIST_REFERRERS, MAX);
	assert_non_null(l);
	buf_init(&out, 20);
	assert_int_equal(-1, list_pages_document(l, &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_done(&out);
	list_pages_free(l);
	list_pages_free(NULL);
}

/* ---- pages -------------------------------------------------------------- */

static void
expect_page(const char *document, long n, const char *last, const char *body,
    const char *last_shown)
{
	struct tags_page q = { STR("lib/a"), n, str_of(last) };
	struct err err = { .text = "" };
	struct buf out, shown;
	bool has_more = false;

	buf_init(&out, MAX);
	buf_init(&shown, 200);
	buf_addz(&shown, "old");
	if (list_tags_page(
		str_of(document), &q, &out, &has_more, &shown, &err) != 0)
		fail_msg("%s: %s", document, err.text);
	expect_buf(&out, body);
	assert_int_equal(has_more, last_shown != NULL);
	expect_buf(&shown, last_shown != NULL ? last_shown : "");
	buf_done(&out);
	buf_done(&shown);
}

#define BODY_START "{\"name\":\"lib/a\",\"tags\":["
#define BODY(tags) BODY_START tags "]}"

static void
pages(void **state)
{
	static const char abc[] = "[\"a\",\"b\",\"c\"]";

	(void)state;
	expect_page(abc, -1, "", BODY("\"a\",\"b\",\"c\""), NULL);
	expect_page(abc, 3, "", BODY("\"a\",\"b\",\"c\""), NULL);
	expect_page(abc, 100, "", BODY("\"a\",\"b\",\"c\""), NULL);
	expect_page(abc, 2, "", BODY("\"a\",\"b\""), "b");
	expect_page(abc, 1, "a", BODY("\"b\""), "b");
	expect_page(abc, 1, "b", BODY("\"c\""), NULL);
	expect_page(abc, 2, "b", BODY("\"c\""), NULL);
	expect_page(abc, 0, "", BODY(""), NULL);
	expect_page(abc, 0, "a", BODY(""), NULL);
	expect_page(abc, -1, "c", BODY(""), NULL);
	expect_page(abc, 5, "zzz", BODY(""), NULL);
	expect_page("[]", -1, "", BODY(""), NULL);
	expect_page("[]", 5, "a", BODY(""), NULL);
}

/* LAST need not be there, nor be a tag. */
static void
pages_after_anything(void **state)
{
	static const char text[] = "[\"1.0\",\"1.0-rc\",\"1.1\",\"Z\",\"a\"]";

	(void)state;
	expect_page(text, 1, "1.0", BODY("\"1.0-rc\""), "1.0-rc");
	expect_page(text, 1, "1.0.5", BODY("\"1.1\""), "1.1");
	expect_page(text, -1, "Y", BODY("\"Z\",\"a\""), NULL);
	expect_page(text, -1, "\xff", BODY(""), NULL);
	expect_page(text, 1, "\x01", BODY("\"1.0\""), "1.0");
	expect_page(text, 1, "1", BODY("\"1.0\""), "1.0");
	expect_page(text, -1, "\"],[\"",
	    BODY("\"1.0\",\"1.0-rc\",\"1.1\","
		 "\"Z\",\"a\""),
	    NULL);
}

static void
damaged_documents(void **state)
{
	/* clang-format off */
	const struct str documents[] = {
		STR(""), STR("["), STR("]"), STR("{}"), STR("[\"a\""),
		STR("[\"a"), STR("[\"a\" ,\"b\"]"), STR("[\"a\"]]"),
		STR("[a]"), STR("[\"\\u0061\"]"), STR("[\"a\n\"]"),
		STR("[\"a\",\"b\"}"), STR("[,]"), STR("\0"),
	};
	/* clang-format on */
	struct tags_page q = { STR("lib/a"), -1, STR("") };
	struct buf out, shown;
	bool has_more;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&out, MAX);
	buf_init(&shown, 200);
	for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		if (list_tags_page(
			documents[i], &q, &out, &has_more, &shown, &err) != -1)
			fail_msg("taken: %.*s", STR_ARG(documents[i]));
		assert_int_equal(err.code, ERR_DISK);
	}
	buf_done(&out);
	buf_done(&shown);
}

static void
page_too_large(void **state)
{
	struct tags_page q = { STR("lib/a"), 1, STR("") };
	struct buf out, shown;
	bool has_more;
	struct err err;

	(void)state;
	buf_init(&out, 20);
	buf_init(&shown, 200);
	assert_int_equal(-1,
	    list_tags_page(
		STR("[\"a\",\"b\"]"), &q, &out, &has_more, &shown, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_done(&out);
	buf_done(&shown);
}

/* What a repository is called gets into JSON as text. */
static void
page_names(void **state)
{
	struct tags_page q = { STR("h:1/\"\\\n"), -1, STR("") };
	struct buf out, shown;
	bool has_more;
	struct err err;

	(void)state;
	buf_init(&out, MAX);
	buf_init(&shown, 200);
	assert_int_equal(
	    0, list_tags_page(STR("[]"), &q, &out, &has_more, &shown, &err));
	expect_buf(&out, "{\"name\":\"h:1/\\\"\\\\\\u000a\",\"tags\":[]}");
	buf_done(&out);
	buf_done(&shown);
}

#define N_MANY 100000

static void
add_many(struct buf *body)
{
	unsigned i;

	buf_addz(body, "{\"tags\":[");
	for (i = 0; i < N_MANY; i++) /* 31 is prime to N_MANY: all, mixed */
		buf_printf(body, "%s\"v1.%05u\"", i > 0 ? "," : "",
		    (unsigned)((uint64_t)i * 31 % N_MANY));
	buf_addz(body, "]}");
}

/* Quadratic work would take minutes: the time limit is a wide one. */
static void
many_tags(void **state)
{
	struct list_pages *l = list_pages_new(LIST_TAGS, MAX);
	struct tags_page q = { STR("lib/a"), 100, STR("v1.50000") };
	struct buf body, document, out, shown;
	uint64_t began_ms = clock_mono_ms();
	bool has_more;
	struct err err;

	(void)state;
	assert_non_null(l);
	buf_init(&body, MAX);
	buf_init(&document, MAX);
	buf_init(&out, MAX);
	buf_init(&shown, 200);
	add_many(&body);
	assert_int_equal(0, list_pages_add(l, buf_str(&body), &err));
	assert_int_equal(0, list_pages_document(l, &document, &err));
	assert_int_equal(document.n, N_MANY * 11 + 1);
	assert_int_equal(0,
	    list_tags_page(
		buf_str(&document), &q, &out, &has_more, &shown, &err));
	assert_true(has_more);
	expect_buf(&shown, "v1.50100");
	assert_true(str_starts(buf_str(&out), STR(BODY_START "\"v1.50001\"")));
	q.n = -1;
	q.last = STR("");
	buf_reset(&out);
	assert_int_equal(0,
	    list_tags_page(
		buf_str(&document), &q, &out, &has_more, &shown, &err));
	assert_int_equal(out.n, strlen(BODY("")) + N_MANY * 11 - 1);
	assert_true(clock_mono_ms() - began_ms < 20000);
	list_pages_free(l);
	buf_done(&body);
	buf_done(&document);
	buf_done(&out);
	buf_done(&shown);
}

/* ---- referrers ---------------------------------------------------------- */

static void
expect_filtered(const char *document, const char *type, const char *body)
{
	struct err err = { .text = "" };
	struct buf out;

	buf_init(&out, MAX);
	if (list_referrers_filter(str_of(document), str_of(type), &out, &err) !=
	    0)
		fail_msg("%s: %s", document, err.text);
	expect_buf(&out, body);
	buf_done(&out);
}

static void
filters(void **state)
{
	static const char all[] = INDEX(REF(D1, "sbom") "," REF(D2, "sig"));

	(void)state;
	expect_filtered(all, "", all);
	expect_filtered(all, "sbom", INDEX(REF(D1, "sbom")));
	expect_filtered(all, "sig", INDEX(REF(D2, "sig")));
	expect_filtered(all, "SIG", INDEX(""));
	expect_filtered(all, "si", INDEX(""));
	expect_filtered("", "", INDEX(""));
	expect_filtered("", "sig", INDEX(""));
	expect_filtered("{\"manifests\":null}", "", INDEX(""));
	/* A descriptor without a type matches none, and is among all. */
	expect_filtered(
	    "{\"manifests\":[{\"digest\":\"x\"}]}", "sig", INDEX(""));
	expect_filtered("{\"manifests\":[{\"digest\":\"x\"}]}", "",
	    INDEX("{\"digest\":\"x\"}"));
	expect_filtered(
	    INDEX("{\"artifactType\":\"t\",\"annotations\":{\"k\":\"v\"}}"),
	    "t",
	    INDEX("{\"artifactType\":\"t\",\"annotations\":{\"k\":\"v\"}}"));
}

static void
bad_filters(void **state)
{
	struct err err;
	struct buf out;

	(void)state;
	buf_init(&out, 30);
	assert_int_equal(
	    -1, list_referrers_filter(STR("[]"), STR(""), &out, &err));
	assert_int_equal(err.code, ERR_DISK);
	assert_int_equal(
	    -1, list_referrers_filter(STR("x"), STR(""), &out, &err));
	assert_int_equal(err.code, ERR_DISK);
	assert_int_equal(
	    -1, list_referrers_filter(STR(""), STR(""), &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	buf_done(&out);
}

/* A buffer that can't grow says no more than that. */
static bool
is_memory(const struct err *err)
{
	return err->code == ERR_NO_MEMORY || err->code == ERR_TOO_LARGE;
}

static void
try_referrers(bool is_starving)
{
	struct list_pages *l = list_pages_new(LIST_REFERRERS, MAX);
	struct buf document, out;
	struct err err = { .code = ERR_NO_MEMORY };

	buf_init(&document, MAX);
	buf_init(&out, MAX);
	if (l != NULL &&
	    list_pages_add(l, STR(INDEX(REF(D1, "t"))), &err) == 0 &&
	    list_pages_document(l, &document, &err) == 0 &&
	    list_referrers_filter(buf_str(&document), STR("t"), &out, &err) ==
		0)
		expect_buf(&out, INDEX(REF(D1, "t")));
	else
		assert_true(is_starving && is_memory(&err));
	buf_done(&document);
	buf_done(&out);
	list_pages_free(l);
}

static void
try_tags(bool is_starving)
{
	static const char body[] =
	    "{\"tags\":[\"0123456789abcdefghijklmnopqrstuvwxyz\",\"a\"]}";
	struct list_pages *l = list_pages_new(LIST_TAGS, MAX);
	struct buf out;
	struct err err = { .code = ERR_NO_MEMORY };

	buf_init(&out, MAX);
	if (l != NULL && list_pages_add(l, STR(body), &err) == 0 &&
	    list_pages_document(l, &out, &err) == 0)
		expect_buf(
		    &out, "[\"0123456789abcdefghijklmnopqrstuvwxyz\",\"a\"]");
	else
		assert_true(is_starving && is_memory(&err));
	buf_done(&out);
	list_pages_free(l);
}

static void
no_memory(void **state)
{
	(void)state;
	assert_true(starve_each(try_referrers) > 20);
	assert_true(starve_each(try_tags) > 10);
}

/* ---- Link --------------------------------------------------------------- */

static void
expect_next(const char *header, const char *url)
{
	struct str next = list_next_link(str_of(header));

	if (url == NULL && next.p != NULL)
		fail_msg("%s gives \"%.*s\"", header, STR_ARG(next));
	if (url != NULL && (next.p == NULL || !str_eqz(next, url)))
		fail_msg("%s gives \"%.*s\"", header, STR_ARG(next));
}

static void
links(void **state)
{
	(void)state;
	expect_next("</v2/a/tags/list?last=b&n=2>; rel=\"next\"",
	    "/v2/a/tags/list?last=b&n=2");
	expect_next("<https://h/x?a=1,2;b>;rel=next", "https://h/x?a=1,2;b");
	expect_next(" <u> ; Rel = \"NEXT\" ", "u");
	expect_next("<p>; rel=\"prev\", <n>; rel=\"next\"", "n");
	expect_next("<p>, <n>; rel=next", "n");
	expect_next(",, <n>; rel=next,,", "n");
	expect_next(
	    "<n>; title=\"a, <b>; rel=\\\"next\\\"\"; rel=\"x next\"", "n");
	expect_next("<n>; a; ;b=c; rel=next", "n");
	expect_next("<a>; rel=next, <b>; rel=next", "a");
}

static void
no_links(void **state)
{
	(void)state;
	expect_next("", NULL);
	expect_next("<n>", NULL);
	expect_next("<n>; rel=prev", NULL);
	expect_next("<n>; rel=nextnext", NULL);
	expect_next("<n>; rel=\"first\"; rel=\"next\"", NULL);
	expect_next("<n>; rev=next", NULL);
	expect_next("<n>; title=\"rel=next\"", NULL);
	expect_next("<>; rel=next", NULL);
	expect_next("<n; rel=next", NULL);
	expect_next("n; rel=next", NULL);
	expect_next("<n>; rel=\"next", NULL);
	expect_next("<n>; rel=", NULL);
	expect_next("<n> rel=next", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gather_tags),
		cmocka_unit_test(gather_bad_tags),
		cmocka_unit_test(gather_referrers),
		cmocka_unit_test(gather_bad_referrers),
		cmocka_unit_test(gather_too_much),
		cmocka_unit_test(pages),
		cmocka_unit_test(pages_after_anything),
		cmocka_unit_test(damaged_documents),
		cmocka_unit_test(page_too_large),
		cmocka_unit_test(page_names),
		cmocka_unit_test(many_tags),
		cmocka_unit_test(filters),
		cmocka_unit_test(bad_filters),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(links),
		cmocka_unit_test(no_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
