/*
 * test_yaml.c - the tree of a YAML text, its lines, and what is refused.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/yaml.h"

static struct yaml_doc *
parsed(const char *text)
{
	struct yaml_doc *doc;
	struct err err;

	doc = yaml_doc_parse("t.yaml", str_of(text), &err);
	if (doc == NULL)
		fail_msg("%s", err.text);
	return doc;
}

static void
refused(struct str text, const char *sentence)
{
	struct err err;

	assert_null(yaml_doc_parse("t.yaml", text, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	if (strstr(err.text, sentence) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", sentence, err.text);
}

static void
test_tree(void **state)
{
	struct yaml_doc *doc = parsed("# a comment\n"
				      "links:\n"
				      "  fibre:\n"
				      "    rate: 200Mbit\n"
				      "list: [one, {two: 2}]\n");
	const struct yaml_node *root = yaml_doc_root(doc), *links, *list;

	(void)state;
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->n, 2);
	links = yaml_find(root, "links");
	assert_int_equal(links->line, 2);
	assert_int_equal(links->column, 1);
	assert_string_equal(links->first->key.p, "fibre");
	assert_int_equal(links->first->line, 3);
	assert_int_equal(links->first->column, 3);
	assert_string_equal(links->first->first->text.p, "200Mbit");
	assert_int_equal(links->first->first->line, 4);

	list = links->next;
	assert_int_equal(list->kind, YAML_LIST);
	assert_int_equal(list->n, 2);
	assert_string_equal(list->first->text.p, "one");
	assert_int_equal(list->first->next->kind, YAML_MAP);
	assert_string_equal(yaml_find(list->first->next, "two")->text.p, "2");
	assert_null(list->next);
	assert_null(yaml_find(root, "nothing"));
	assert_null(yaml_find(list, "one"));
	assert_null(yaml_find(NULL, "one"));
	yaml_doc_free(doc);
}

static void
test_null(void **state)
{
	struct yaml_doc *doc = parsed("a: null\nb: ~\nc:\nd: Null\n"
				      "e: \"null\"\nf: ''\ng: nil\nh: {}\n");
	const struct yaml_node *node = yaml_doc_root(doc)->first;
	unsigned n;

	(void)state;
	for (n = 0; n < 4; n++, node = node->next)
		assert_true(yaml_is_null(node));
	for (; n < 8; n++, node = node->next)
		assert_false(yaml_is_null(node));
	assert_null(node);
	yaml_doc_free(doc);
}

static void
test_empty(void **state)
{
	static const char *const texts[] = { "", "\n", "# nothing\n", "---\n" };
	struct yaml_doc *doc;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		doc = parsed(texts[i]);
		assert_true(yaml_is_null(yaml_doc_root(doc)));
		yaml_doc_free(doc);
	}
	yaml_doc_free(NULL);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *text;
		const char *sentence;
	} cases[] = {
		{ "a: &x 1\n", "t.yaml:1: anchors and aliases" },
		{ "a: 1\nb: &x [1]\n", "t.yaml:2: anchors and aliases" },
		{ "a: 1\nb: &x {c: 1}\n", "t.yaml:2: anchors and aliases" },
		{ "a: 1\nb: *x\n", "t.yaml:2: anchors and aliases" },
		{ "a: *:v1\n", "t.yaml:1: " },
		{ "a: !!str 1\n", "t.yaml:1: tags (!)" },
		{ "a: !x [1]\n", "t.yaml:1: tags (!)" },
		{ "a: !x {b: 1}\n", "t.yaml:1: tags (!)" },
		{ "a: 1\nb: 2\na: 3\n",
		    "t.yaml:3: the key \"a\" is given twice; it stands on line "
		    "1 too" },
		{ "a: {b: 1, c: 2, b: 3}\n", "the key \"b\" is given twice" },
		{ "\"a\\x00b\": 1\n\"a\\x00b\": 2\n",
		    "t.yaml:2: the key \"a\\x00b\" is given twice" },
		{ "a: 1\n---\nb: 2\n", "t.yaml:2: a second document" },
		{ "[a, b]: 1\n", "t.yaml:1: a key must be a plain word" },
		{ "a: 1\n  b: 2\n", "t.yaml:2: this is not YAML: mapping" },
		{ "a:\n\t- b\n",
		    "t.yaml:2: this is not YAML: found character "
		    "that cannot start any token (quote it; if it "
		    "is a tab, indent with spaces)" },
		{ "a: [1, 2\nb: 3\n", "t.yaml:2: this is not YAML:" },
		{ "a: \"x\n", "this is not YAML:" },
		{ "a: 1\nb: \xff\n", "this is not YAML:" },
		{ "a: \x01\n", "this is not YAML:" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(str_of(cases[i].text), cases[i].sentence);
}

static void
add_times(struct buf *b, const char *text, unsigned n)
{
	while (n-- > 0)
		buf_addz(b, text);
}

static void
test_depth(void **state)
{
	struct yaml_doc *doc;
	struct err err;
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 21);
	add_times(&b, "[", YAML_DEPTH_MAX - 1);
	add_times(&b, "]", YAML_DEPTH_MAX - 1);
	doc = yaml_doc_parse("t.yaml", buf_str(&b), &err);
	assert_non_null(doc);
	yaml_doc_free(doc);
	buf_reset(&b);
	add_times(&b, "[", 100000);
	refused(buf_str(&b), "t.yaml:1: lists and maps are nested more than");
	buf_reset(&b);
	add_times(&b, "{a: ", YAML_DEPTH_MAX);
	refused(buf_str(&b), "t.yaml:1: lists and maps are nested more than");
	buf_done(&b);
}

static void
test_ceilings(void **state)
{
	struct yaml_doc *doc;
	struct err err;
	struct buf b;
	unsigned i;

	(void)state;
	buf_init(&b, 1u << 21);
	add_times(&b, "- 1\n", YAML_NODES_MAX - 1);
	doc = yaml_doc_parse("t.yaml", buf_str(&b), &err);
	assert_non_null(doc);
	assert_int_equal(yaml_doc_root(doc)->n, YAML_NODES_MAX - 1);
	yaml_doc_free(doc);
	add_times(&b, "- 1\n", 1);
	refused(buf_str(&b),
	    "t.yaml:100000: the file holds more than 100000 values");

	buf_reset(&b);
	for (i = 0; i <= YAML_KEYS_MAX; i++)
		buf_printf(&b, "k%u: 1\n", i);
	refused(buf_str(&b), "t.yaml:1001: this map has more than 1000 keys");

	buf_reset(&b);
	add_times(&b, "#", YAML_BYTES_MAX);
	doc = yaml_doc_parse("t.yaml", buf_str(&b), &err);
	assert_non_null(doc);
	yaml_doc_free(doc);
	add_times(&b, "#", 1);
	refused(buf_str(&b), "t.yaml: the file is larger than 1048576 bytes");
	buf_done(&b);
}

static void
write_all(int fd, struct str s)
{
	assert_int_equal(write(fd, s.p, s.n), (ssize_t)s.n);
}

static void
test_read(void **state)
{
	int pipes[2];
	struct yaml_doc *doc;
	struct err err;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	write_all(pipes[1], STR("a: 1\n"));
	assert_int_equal(close(pipes[1]), 0);
	doc = yaml_doc_read(pipes[0], "t.yaml", &err);
	assert_non_null(doc);
	assert_string_equal(yaml_doc_root(doc)->first->text.p, "1");
	yaml_doc_free(doc);
	assert_int_equal(close(pipes[0]), 0);

	assert_null(yaml_doc_read(pipes[0], "t.yaml", &err));
	assert_string_equal(
	    err.text, "t.yaml can't be read: Bad file descriptor");
}

static void
test_read_is_bounded(void **state)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_null(yaml_doc_read(fd, "t.yaml", &err));
	assert_string_equal(
	    err.text, "t.yaml: the file is larger than 1048576 bytes");
	assert_int_equal(close(fd), 0);
}

static void
refused_stream(const char *text, const char *sentence)
{
	struct err err;

	assert_null(yaml_stream_parse("t.yaml", str_of(text), &err));
	if (strstr(err.text, sentence) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", sentence, err.text);
}

static void
test_stream(void **state)
{
	struct err err;
	struct yaml_doc *doc = yaml_stream_parse(
	    "t.yaml", STR("a: &x [1, !!str 2]\nb: *x\n---\n---\nc: 3\n"), &err);
	const struct yaml_node *root, *copy;

	(void)state;
	assert_non_null(doc);
	root = yaml_doc_root(doc);
	assert_int_equal(root->kind, YAML_LIST);
	assert_int_equal(root->n, 3);
	copy = yaml_find(root->first, "b");
	assert_int_equal(copy->n, 2);
	assert_int_equal(copy->line, 2);
	assert_string_equal(copy->first->next->text.p, "2");
	assert_true(yaml_is_null(root->first->next));
	assert_string_equal(
	    yaml_find(root->first->next->next, "c")->text.p, "3");
	yaml_doc_free(doc);
}

static void
test_stream_refuses(void **state)
{
	(void)state;
	refused_stream("a: *x\n", "t.yaml:1: nothing before it");
	refused_stream("a: &x 1\n---\nb: *x\n", "t.yaml:3: nothing before it");
	refused_stream("a: &x [*x]\n", "t.yaml:1: nothing before it");
	refused_stream("a: 1\n---\nb: [\n", "this is not YAML");
	refused_stream("a: 1\na: 2\n", "given twice");
}

/* Nine lists of nine aliases each, of the one before. */
static void
test_laughs(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	buf_addz(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 9; j++)
			buf_printf(&text, "%s*a%d", j > 0 ? ", " : "", i - 1);
		buf_addz(&text, "]\n");
	}
	buf_add(&text, "", 1);
	refused_stream(text.p, "more than 4000000 values");
	buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_is_bounded),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_refuses),
		cmocka_unit_test(test_laughs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
