/*
 * test_config_shipped.c - conf/railhead.yaml shows every option of
 * tbl/options.h once, with its default, and means what it says; and
 * conf/quickstart.yaml works.
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
#include "common/config.h"
#include "common/yaml.h"

enum section_id {
	SECTION_ROOT,
#define GROUP(id, parent, key, help) SECTION_##id,
#define LIST(id, parent, key, st, field, element, max, absent, help)           \
	SECTION_##id,
#define NAMED(id, parent, key, st, field, element, max, help) SECTION_##id,
#define OPTION(section, key, type, st, field, def, min, max, help)
#include "tbl/options.h"
};

static const struct {
	enum section_id parent;
	const char *key;
} sections[] = {
	[SECTION_ROOT] = { SECTION_ROOT, "" },
#define GROUP(id, parent, key, help) [SECTION_##id] = { SECTION_##parent, key },
#define LIST(id, parent, key, st, field, element, max, absent, help)           \
	[SECTION_##id] = { SECTION_##parent, key },
#define NAMED(id, parent, key, st, field, element, max, help)                  \
	[SECTION_##id] = { SECTION_##parent, key },
#define OPTION(section, key, type, st, field, def, min, max, help)
#include "tbl/options.h"
};

static const struct {
	enum section_id section;
	const char *key;
	const char *fallback;
	size_t size;
	const char *max;
	const char *help;
} options[] = {
#define GROUP(id, parent, key, help)
#define LIST(id, parent, key, st, field, element, max, absent, help)
#define NAMED(id, parent, key, st, field, element, max, help)
#define OPTION(section, key, type, st, field, def, min, max, help)             \
	{ SECTION_##section, key, def, sizeof(((struct st *)0)->field), max,   \
		help },
#include "tbl/options.h"
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static void
read_file(const char *path, struct buf *into)
{
	FILE *f = fopen(path, "r");
	char *room;

	assert_non_null(f);
	buf_init(into, 1u << 20);
	room = buf_room(into, 1u << 19);
	assert_non_null(room);
	into->n = fread(room, 1, 1u << 19, f);
	assert_int_equal(fclose(f), 0);
}

/* The file with every option switched on: without the '#' right before a
 * word.  WITH replaces the first occurrence of each WHAT, NULL ends. */
static void
switch_on(struct str text, struct buf *into)
{
	struct str line, rest = text, bare;

	buf_init(into, 1u << 20);
	while (str_cut(&rest, '\n', &line)) {
		bare = line;
		while (bare.n > 0 && bare.p[0] == ' ')
			bare = str_from(bare, 1);
		buf_add(into, line.p, line.n - bare.n);
		if (bare.n > 1 && bare.p[0] == '#' && bare.p[1] != ' ')
			bare = str_from(bare, 1);
		buf_adds(into, bare);
		buf_addz(into, "\n");
	}
	assert_false(into->overflow);
}

static void
replace(struct buf *b, const char *what, const char *with)
{
	struct buf out;
	char *text = buf_take(b), *at = strstr(text, what);

	assert_non_null(at);
	buf_init(&out, 1u << 20);
	buf_add(&out, text, (size_t)(at - text));
	buf_addz(&out, with);
	buf_addz(&out, at + strlen(what));
	free(text);
	*b = out;
}

static struct config *
parsed(struct str text)
{
	struct config *c;
	struct err err;

	c = config_parse("conf/railhead.yaml", text, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

/* ---- every option once, with its default ------------------------------- */

static size_t options_in(
    const struct yaml_node *, enum section_id, size_t option);

/* Goes through the names of a map or the entries of a list. */
static size_t
options_in_all(const struct yaml_node *node, enum section_id id, size_t option)
{
	const struct yaml_node *entry;
	size_t n = 0;

	for (entry = node->first; entry != NULL; entry = entry->next)
		n += options_in(entry, id, option);
	return n;
}

static bool
has_names(enum section_id id)
{
	return id == SECTION_LINK || id == SECTION_UPSTREAM;
}

/* How often the option is found in the section NODE, or below it. */
static size_t
options_in(const struct yaml_node *node, enum section_id id, size_t option)
{
	const struct yaml_node *found;
	enum section_id child;
	size_t i, n = 0;

	if (options[option].section == id) {
		found = yaml_find(node, options[option].key);
		if (found == NULL)
			return 0;
		if (options[option].fallback != NULL &&
		    !str_eqz(found->text, options[option].fallback))
			fail_msg("line %u: %s is %s, but the default is %s",
			    found->line, options[option].key, found->text.p,
			    options[option].fallback);
		return 1;
	}
	for (i = 1; i < sizeof(sections) / sizeof(sections[0]); i++) {
		child = (enum section_id)i;
		found = sections[i].parent == id
		    ? yaml_find(node, sections[i].key)
		    : NULL;
		if (found == NULL)
			continue;
		if (has_names(child) || found->kind == YAML_LIST)
			n += options_in_all(found, child, option);
		else
			n += options_in(found, child, option);
	}
	return n;
}

static void
test_each_option_once(void **state)
{
	struct yaml_doc *doc;
	struct buf text, all;
	struct err err;
	size_t i, n;

	(void)state;
	read_file(CONF "/railhead.yaml", &text);
	switch_on(buf_str(&text), &all);
	doc = yaml_doc_parse("all.yaml", buf_str(&all), &err);
	if (doc == NULL)
		fail_msg("%s", err.text);
	for (i = 0; i < N_OPTIONS; i++) {
		n = options_in(yaml_doc_root(doc), SECTION_ROOT, i);
		if (n != 1)
			fail_msg("%s.%s is shown %zu times, not once",
			    sections[options[i].section].key, options[i].key,
			    n);
	}
	yaml_doc_free(doc);
	buf_done(&all);
	buf_done(&text);
}

/* Switched on as a whole it is still a configuration, but for the two choices
 * that it leaves to the reader. */
static void
test_all_switched_on(void **state)
{
	struct buf text, all;
	struct config *c;

	(void)state;
	read_file(CONF "/railhead.yaml", &text);
	switch_on(buf_str(&text), &all);
	replace(&all, "rate: null", "rate: 8Mbit");
	replace(&all, "url: null", "url: https://registry.example.com");
	c = parsed(buf_str(&all));
	assert_int_equal(c->n_links, 1);
	assert_string_equal(c->links[0].name, "fibre");
	assert_int_equal(c->links[0].rate, RATE_UNLIMITED);
	assert_int_equal(c->links[0].n_windows, 1);
	assert_int_equal(c->links[0].windows[0].days, 0x7f);
	assert_int_equal(c->n_upstreams, 5);
	assert_string_equal(c->upstreams[4].name, "registry.example.com");
	assert_int_equal(c->n_sites, 1);
	config_unref(c);
	buf_done(&all);
	buf_done(&text);
}

/* ---- it means the defaults --------------------------------------------- */

static void
test_means_the_defaults(void **state)
{
	struct config *c, *d = parsed(STR("")), *short_form;
	struct buf text;

	(void)state;
	read_file(CONF "/railhead.yaml", &text);
	c = parsed(buf_str(&text));
	short_form = parsed(STR("upstreams: {docker.io: , ghcr.io: , quay.io: "
				", registry.k8s.io: }"));

	assert_string_equal(c->region, d->region);
	assert_int_equal(c->n_listens, d->n_listens);
	assert_string_equal(
	    c->listens[0].address.text, d->listens[0].address.text);
	assert_null(c->listens[0].tls.certificate);
	assert_string_equal(c->admin.address.text, d->admin.address.text);
	assert_null(c->admin.tokens);
	assert_int_equal(c->serve_loops, d->serve_loops);
	assert_string_equal(c->store_path, d->store_path);
	assert_int_equal(c->store_capacity, d->store_capacity);
	assert_int_equal(c->store_min_free, d->store_min_free);
	assert_memory_equal(&c->limits, &d->limits, sizeof(d->limits));
	assert_int_equal(c->n_links, d->n_links);
	assert_null(c->default_upstream);
	assert_int_equal(c->n_tags, d->n_tags);
	assert_string_equal(c->tags[0].match, d->tags[0].match);
	assert_int_equal(c->tags[0].immutable, d->tags[0].immutable);
	assert_int_equal(c->tags[0].ttl_s, d->tags[0].ttl_s);
	assert_int_equal(c->tags[0].stale_s, d->tags[0].stale_s);
	assert_int_equal(c->n_sites, d->n_sites);
	assert_memory_equal(&c->gate, &d->gate, sizeof(d->gate));
	assert_int_equal(c->log.level, d->log.level);
	assert_int_equal(c->log.format, d->log.format);
	assert_int_equal(c->log.access, d->log.access);
	assert_int_equal(c->n_upstreams, short_form->n_upstreams);
	assert_string_equal(c->upstreams[0].endpoints[0].url,
	    short_form->upstreams[0].endpoints[0].url);
	config_unref(short_form);
	config_unref(d);
	config_unref(c);
	buf_done(&text);
}

static void
test_quickstart(void **state)
{
	struct config *c;
	struct err err;

	(void)state;
	c = config_load_checked(CONF "/quickstart.yaml", &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	assert_string_equal(c->listens[0].address.text, "127.0.0.1:5000");
	assert_string_equal(c->admin.address.text, "127.0.0.1:5001");
	assert_string_equal(c->store_path, "./quickstart-data/store");
	assert_int_equal(c->n_upstreams, 5);
	assert_non_null(config_find_upstream(c, STR("index.docker.io")));
	assert_non_null(config_find_upstream(c, STR("ghcr.io")));
	assert_non_null(config_find_upstream(c, STR("quay.io")));
	assert_non_null(config_find_upstream(c, STR("registry.k8s.io")));
	assert_string_equal(
	    config_find_upstream(c, STR("demo.local"))->endpoints[0].layout,
	    "./quickstart-data/demo-layout");
	assert_int_equal(c->log.format, LOG_TEXT);
	assert_true(c->log.access);
	config_unref(c);
}

/* A row explains itself in one sentence. */
static void
test_rows_have_help(void **state)
{
	size_t i, n;

	(void)state;
	for (i = 0; i < N_OPTIONS; i++) {
		n = strlen(options[i].help);
		assert_true(n > 8);
		assert_int_equal(options[i].help[n - 1], '.');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_option_once),
		cmocka_unit_test(test_all_switched_on),
		cmocka_unit_test(test_means_the_defaults),
		cmocka_unit_test(test_quickstart),
		cmocka_unit_test(test_rows_have_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
