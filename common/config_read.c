/*
 * config_read.c - walks the tree of a file along the tables of sections and
 * options that tbl/options.h makes.
 *
 * read_section() takes one map: it refuses keys that no row knows, reads the
 * sections below, sets each option (from the file or its default), and calls
 * the section's check.  `place` grows and shrinks along the way, so that every
 * mistake can say where it is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "config_int.h"

enum section_kind { KIND_GROUP, KIND_LIST, KIND_NAMED };

struct section {
	enum section_id parent;
	const char *key;
	enum section_kind kind;
	size_t offset;   /* of the array, in the parent's struct */
	size_t n_offset; /* of its length */
	size_t size;     /* of an element */
	size_t max;      /* elements */
	size_t absent;   /* elements when the key is not there */
};

/* clang-format off */
#define WHERE(st, field, element)                                              \
	offsetof(struct st, field), offsetof(struct st, n_##field),            \
	sizeof(struct element)

static const struct section sections[SECTION_COUNT] = {
	[SECTION_ROOT] = { SECTION_COUNT, "", KIND_GROUP, 0, 0, 0, 0, 0 },
#define GROUP(id, parent, key, help)                                           \
	[SECTION_##id] = { SECTION_##parent, key, KIND_GROUP, 0, 0, 0, 0, 0 },
#define LIST(id, parent, key, st, field, element, max, absent, help)           \
	[SECTION_##id] = { SECTION_##parent, key, KIND_LIST,                   \
	    WHERE(st, field, element), max, absent },
#define NAMED(id, parent, key, st, field, element, max, help)                  \
	[SECTION_##id] = { SECTION_##parent, key, KIND_NAMED,                  \
	    WHERE(st, field, element), max, 0 },
#define OPTION(section, key, type, st, field, def, min, max, help)
#include "tbl/options.h"
};

static const struct option options[] = {
#define GROUP(id, parent, key, help)
#define LIST(id, parent, key, st, field, element, max, absent, help)
#define NAMED(id, parent, key, st, field, element, max, help)
#define OPTION(section, key, type, st, field, def, min, max, help)             \
	{ SECTION_##section, key, TYPE_##type, offsetof(struct st, field),     \
	    sizeof(((struct st *)0)->field), def, min, max },
#include "tbl/options.h"
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
#undef WHERE
/* clang-format on */

/* ---- mistakes and memory ----------------------------------------------- */

int
config_mistake(
    struct config_reader *r, const struct yaml_node *node, const char *fmt, ...)
{
	char where[16] = "", text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (node != NULL)
		(void)snprintf(where, sizeof(where), ":%u", node->line);
	return err_set(r->err, ERR_CONFIG, "%s%s: %s%s%s", r->path, where,
	    r->place, r->place[0] != '\0' ? ": " : "", text);
}

int
config_not(
    struct config_reader *r, const struct yaml_node *node, const char *what)
{
	char shown[80];

	(void)str_printable(node->text, shown, sizeof(shown));
	return config_mistake(r, node, "\"%s\" is not %s", shown, what);
}

void *
config_take(struct config_reader *r, size_t n, size_t size)
{
	void *piece = pool_take(&r->snapshot->pool, n * size);

	if (piece == NULL)
		(void)err_set(r->err, ERR_NO_MEMORY,
		    "%s: out of memory for the configuration", r->path);
	return piece;
}

char *
config_copy(struct config_reader *r, struct str s)
{
	char *copy = config_take(r, s.n + 1, 1);

	if (copy != NULL && s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

const struct yaml_node *
config_given(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *node = yaml_find(map, key);

	return node == NULL || yaml_is_null(node) ? NULL : node;
}

/* ---- where we are ------------------------------------------------------ */

/* Appends to the place; returns what place_leave() needs.  A place that is
 * too long is cut. */
static size_t
place_enter(struct config_reader *r, const char *before, struct str name)
{
	size_t n = strlen(r->place);
	char shown[100];

	(void)snprintf(r->place + n, sizeof(r->place) - n, "%s%s",
	    n == 0 ? "" : before, str_printable(name, shown, sizeof(shown)));
	return n;
}

static size_t
place_enter_index(struct config_reader *r, size_t i)
{
	size_t n = strlen(r->place);

	(void)snprintf(r->place + n, sizeof(r->place) - n, "[%zu]", i);
	return n;
}

static void
place_leave(struct config_reader *r, size_t n)
{
	r->place[n] = '\0';
}

/* ---- unknown keys ------------------------------------------------------ */

/* The I-th key of a section: sections below first, then options. */
static const char *
known_key(enum section_id id, size_t i)
{
	size_t k;

	for (k = 0; k < SECTION_COUNT; k++)
		if (sections[k].parent == id && i-- == 0)
			return sections[k].key;
	for (k = 0; k < N_OPTIONS; k++)
		if (options[k].section == id && i-- == 0)
			return options[k].key;
	return NULL;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance: letters to add, drop or change. */
static size_t
distance(struct str a, struct str b)
{
	size_t row[33], i, j, corner, above;

	if (b.n >= 33)
		return SIZE_MAX;
	for (j = 0; j <= b.n; j++)
		row[j] = j;
	for (i = 1; i <= a.n; i++) {
		corner = row[0];
		row[0] = i;
		for (j = 1; j <= b.n; j++) {
			above = row[j];
			row[j] = least(least(above, row[j - 1]) + 1,
			    corner + (a.p[i - 1] != b.p[j - 1]));
			corner = above;
		}
	}
	return row[b.n];
}

/* The key that was meant, if one is near; NULL else. */
static const char *
nearest_key(enum section_id id, struct str key)
{
	const char *known, *best = NULL;
	size_t i, d, best_d = key.n / 3 + 1;

	if (key.n > 64)
		return NULL;
	for (i = 0; (known = known_key(id, i)) != NULL; i++) {
		d = distance(key, str_of(known));
		if (d <= best_d) {
			best_d = d;
			best = known;
		}
	}
	return best;
}

static int
refuse_key(
    struct config_reader *r, enum section_id id, const struct yaml_node *node)
{
	const char *near = nearest_key(id, node->key), *known;
	struct buf all;
	size_t i;

	buf_init(&all, ERR_TEXT_MAX);
	for (i = 0; (known = known_key(id, i)) != NULL; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : ", ", known);
	(void)place_enter(r, ".", node->key);
	if (near != NULL)
		(void)config_mistake(r, node,
		    "unknown key, did you mean %s? Allowed: %.*s", near,
		    STR_ARG(buf_str(&all)));
	else
		(void)config_mistake(r, node, "unknown key; allowed: %.*s",
		    STR_ARG(buf_str(&all)));
	buf_done(&all);
	return -1;
}

static int
refuse_unknown(
    struct config_reader *r, enum section_id id, const struct yaml_node *map)
{
	const struct yaml_node *node;
	const char *known;
	size_t i;

	for (node = map->first; node != NULL; node = node->next) {
		for (i = 0; (known = known_key(id, i)) != NULL; i++)
			if (str_eqz(node->key, known))
				break;
		if (known == NULL)
			return refuse_key(r, id, node);
	}
	return 0;
}

/* ---- sections ---------------------------------------------------------- */

static int read_section(struct config_reader *, enum section_id,
    const struct yaml_node *node, void *base);

static void *
field_of(void *base, size_t offset)
{
	return (char *)base + offset;
}

static int
read_element(struct config_reader *r, enum section_id id,
    const struct yaml_node *node, size_t i, char *element)
{
	size_t n;
	char *name;

	if (sections[id].kind == KIND_LIST) {
		n = place_enter_index(r, i);
	} else {
		n = place_enter(r, ".", node->key);
		name = config_copy(r, node->key);
		if (name == NULL)
			return -1;
		memcpy(element, &name, sizeof(name));
	}
	if (read_section(r, id, node, element) != 0)
		return -1;
	place_leave(r, n);
	return 0;
}

static int
read_elements(struct config_reader *r, enum section_id id,
    const struct yaml_node *list, void *base)
{
	const struct section *s = &sections[id];
	size_t i, n = list != NULL ? list->n : s->absent;
	const struct yaml_node *node = list != NULL ? list->first : NULL;
	char *elements;

	if (n > s->max)
		return config_mistake(r, list,
		    "has %zu entries; at most %zu are allowed", n, s->max);
	elements = config_take(r, n, s->size);
	if (elements == NULL)
		return -1;
	memcpy(field_of(base, s->offset), &elements, sizeof(elements));
	for (i = 0; i < n; i++) {
		if (read_element(r, id, node, i, elements + i * s->size) != 0)
			return -1;
		node = node != NULL ? node->next : NULL;
	}
	memcpy(field_of(base, s->n_offset), &n, sizeof(n));
	return 0;
}

static int
read_child(struct config_reader *r, enum section_id id,
    const struct yaml_node *parent, void *base)
{
	const struct section *s = &sections[id];
	const struct yaml_node *node = config_given(parent, s->key);
	enum yaml_kind want = s->kind == KIND_LIST ? YAML_LIST : YAML_MAP;
	size_t n = place_enter(r, ".", str_of(s->key));
	int failed;

	if (node != NULL && node->kind != want)
		return config_mistake(r, node, "is %s, but must be %s",
		    yaml_kind_name(node),
		    want == YAML_LIST ? "a list" : "a map of keys and values");
	if (s->kind == KIND_GROUP)
		failed = read_section(r, id, node, base);
	else
		failed = read_elements(r, id, node, base);
	if (failed == 0)
		place_leave(r, n);
	return failed;
}

static int
read_option(struct config_reader *r, const struct option *o,
    const struct yaml_node *parent, void *base)
{
	size_t n = place_enter(r, ".", str_of(o->key));
	const struct yaml_node *node = config_given(parent, o->key);

	if (node == NULL && o->fallback == NULL)
		return config_mistake(r, parent, "is missing");
	if (config_set_option(r, o, node, base) != 0)
		return -1;
	place_leave(r, n);
	return 0;
}

/* NODE is NULL when the section is not in the file, and may be null in it: all
 * defaults. */
static int
read_section(struct config_reader *r, enum section_id id,
    const struct yaml_node *node, void *base)
{
	size_t i;

	if (node != NULL && node->kind != YAML_MAP && !yaml_is_null(node))
		return config_mistake(r, node,
		    "is %s, but must be a map of keys and values",
		    yaml_kind_name(node));
	if (node != NULL && refuse_unknown(r, id, node) != 0)
		return -1;
	for (i = 0; i < SECTION_COUNT; i++)
		if (sections[i].parent == id &&
		    read_child(r, (enum section_id)i, node, base) != 0)
			return -1;
	for (i = 0; i < N_OPTIONS; i++)
		if (options[i].section == id &&
		    read_option(r, &options[i], node, base) != 0)
			return -1;
	if (section_checks[id] == NULL)
		return 0;
	return section_checks[id](r, node, base);
}

int
config_read(struct config_reader *r, const struct yaml_node *root)
{
	return read_section(r, SECTION_ROOT, root, &r->snapshot->config);
}
