/*
 * yaml.c - see yaml.h.  The only file that knows libyaml.
 *
 * libyaml turns the bytes into events; next_event() refuses what we do not
 * take and copies the rest into the doc's pool, so that no event outlives it;
 * read_node() makes the tree of them, one call per node.  Its recursion is
 * bounded by YAML_DEPTH_MAX, which is checked before going down.
 */
#include "common/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/pool.h"

#define POOL_MAX (64u << 20)

struct yaml_doc {
	struct pool pool; /* owns nodes and texts */
	struct yaml_node *root;
};

struct builder {
	yaml_parser_t parser;
	struct yaml_doc *doc; /* borrowed */
	const char *path;     /* borrowed */
	size_t n_nodes;
	struct err *err;
};

/* An event, freed of libyaml's memory. */
struct event {
	yaml_event_type_t type;
	unsigned line;
	unsigned column;
	struct str text; /* in the doc's pool */
	bool quoted;
};

/* ---- events ------------------------------------------------------------ */

static int
refuse(struct builder *b, unsigned line, const char *why)
{
	return err_set(b->err, ERR_CONFIG, "%s:%u: %s", b->path, line, why);
}

static int
no_memory(struct builder *b)
{
	return err_set(b->err, ERR_NO_MEMORY, "%s: out of memory", b->path);
}

static unsigned
line_of(yaml_mark_t mark)
{
	return (unsigned)mark.line + 1;
}

static int
refuse_syntax(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *what = p->problem != NULL ? p->problem : "unknown problem";
	const char *hint = "";
	unsigned line;

	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	line =
	    line_of(p->error == YAML_READER_ERROR ? p->mark : p->problem_mark);
	if (strstr(what, "cannot start any token") != NULL)
		hint = " (quote it; if it is a tab, indent with spaces)";
	return err_set(b->err, ERR_CONFIG, "%s:%u: this is not YAML: %s%s",
	    b->path, line, what, hint);
}

/* What we do not take, or NULL. */
static const char *
unwanted(const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (e->type == YAML_ALIAS_EVENT) {
		anchor = e->data.alias.anchor;
	} else if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (anchor != NULL)
		return "anchors and aliases (& and *) are not taken here; "
		       "write "
		       "the value out, or quote a text that begins so";
	if (tag != NULL)
		return "tags (!) are not taken here; write the plain value, or "
		       "quote a text that begins so";
	return NULL;
}

static int
keep_event(struct builder *b, const yaml_event_t *from, struct event *to)
{
	const char *why = unwanted(from);
	struct str text = { NULL, 0 };

	*to = (struct event){
		.type = from->type,
		.line = line_of(from->start_mark),
		.column = (unsigned)from->start_mark.column + 1,
	};
	if (why != NULL)
		return refuse(b, to->line, why);
	if (from->type != YAML_SCALAR_EVENT)
		return 0;
	text.p = (const char *)from->data.scalar.value;
	text.n = from->data.scalar.length;
	to->text.p = pool_copy(&b->doc->pool, text);
	to->text.n = text.n;
	to->quoted = from->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return to->text.p != NULL ? 0 : no_memory(b);
}

static int
next_event(struct builder *b, struct event *to)
{
	yaml_event_t event;
	int failed;

	if (yaml_parser_parse(&b->parser, &event) == 0)
		return refuse_syntax(b);
	failed = keep_event(b, &event, to);
	yaml_event_delete(&event);
	return failed;
}

/* ---- the tree ---------------------------------------------------------- */

static int read_node(struct builder *, const struct event *, unsigned depth,
    struct yaml_node **out);

static struct yaml_node *
node_new(struct builder *b, const struct event *e)
{
	struct yaml_node *node;

	if (++b->n_nodes > YAML_NODES_MAX) {
		(void)err_set(b->err, ERR_CONFIG,
		    "%s:%u: the file holds more than %d values", b->path,
		    e->line, YAML_NODES_MAX);
		return NULL;
	}
	node = pool_take(&b->doc->pool, sizeof(*node));
	if (node == NULL) {
		(void)no_memory(b);
		return NULL;
	}
	node->line = e->line;
	node->column = e->column;
	node->text = e->text;
	node->quoted = e->quoted;
	return node;
}

static int
read_list(struct builder *b, struct yaml_node *list, unsigned depth)
{
	struct yaml_node **tail = &list->first;
	struct event e;

	for (;;) {
		if (next_event(b, &e) != 0)
			return -1;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_node(b, &e, depth + 1, tail) != 0)
			return -1;
		tail = &(*tail)->next;
		list->n++;
	}
}

static int
check_key(struct builder *b, const struct yaml_node *map, const struct event *e)
{
	const struct yaml_node *node;
	char shown[64];

	if (e->type != YAML_SCALAR_EVENT)
		return refuse(b, e->line, "a key must be a plain word");
	if (map->n == YAML_KEYS_MAX)
		return err_set(b->err, ERR_CONFIG,
		    "%s:%u: this map has more than %d keys", b->path, e->line,
		    YAML_KEYS_MAX);
	for (node = map->first; node != NULL; node = node->next)
		if (str_eq(node->key, e->text))
			break;
	if (node == NULL)
		return 0;
	return err_set(b->err, ERR_CONFIG,
	    "%s:%u: the key \"%s\" is given twice; it stands on line %u too",
	    b->path, e->line, str_printable(e->text, shown, sizeof(shown)),
	    node->line);
}

static int
read_map(struct builder *b, struct yaml_node *map, unsigned depth)
{
	struct yaml_node **tail = &map->first;
	struct event key, e;

	for (;;) {
		if (next_event(b, &key) != 0)
			return -1;
		if (key.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (check_key(b, map, &key) != 0 || next_event(b, &e) != 0 ||
		    read_node(b, &e, depth + 1, tail) != 0)
			return -1;
		(*tail)->key = key.text;
		(*tail)->line = key.line;
		(*tail)->column = key.column;
		tail = &(*tail)->next;
		map->n++;
	}
}

static int
read_node(struct builder *b, const struct event *e, unsigned depth,
    struct yaml_node **out)
{
	struct yaml_node *node = node_new(b, e);

	*out = node;
	if (node == NULL)
		return -1;
	if (e->type == YAML_SCALAR_EVENT)
		return 0;
	if (depth >= YAML_DEPTH_MAX)
		return err_set(b->err, ERR_CONFIG,
		    "%s:%u: lists and maps are nested more than %d deep",
		    b->path, e->line, YAML_DEPTH_MAX);
	if (e->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = YAML_LIST;
		return read_list(b, node, depth);
	}
	check(e->type == YAML_MAPPING_START_EVENT);
	node->kind = YAML_MAP;
	return read_map(b, node, depth);
}

static int
read_document(struct builder *b)
{
	const struct event nothing = { .line = 1, .column = 1 };
	struct event e;

	do
		if (next_event(b, &e) != 0)
			return -1;
	while (e.type == YAML_STREAM_START_EVENT);

	if (e.type == YAML_STREAM_END_EVENT) {
		b->doc->root = node_new(b, &nothing);
		return b->doc->root != NULL ? 0 : -1;
	}
	if (next_event(b, &e) != 0 || read_node(b, &e, 1, &b->doc->root) != 0 ||
	    next_event(b, &e) != 0)
		return -1;
	check(e.type == YAML_DOCUMENT_END_EVENT);
	if (next_event(b, &e) != 0)
		return -1;
	if (e.type != YAML_STREAM_END_EVENT)
		return refuse(
		    b, e.line, "a second document begins here; write one only");
	return 0;
}

/* ---- the doc ----------------------------------------------------------- */

static int
doc_fill(
    struct yaml_doc *doc, const char *path, struct str bytes, struct err *err)
{
	struct builder b = { .doc = doc, .path = path, .err = err };
	int failed;

	if (bytes.n > YAML_BYTES_MAX)
		return err_set(err, ERR_CONFIG,
		    "%s: the file is larger than %u bytes", path,
		    YAML_BYTES_MAX);
	if (yaml_parser_initialize(&b.parser) == 0)
		return no_memory(&b);
	yaml_parser_set_input_string(
	    &b.parser, (const unsigned char *)bytes.p, bytes.n);
	failed = read_document(&b);
	yaml_parser_delete(&b.parser);
	return failed;
}

struct yaml_doc *
yaml_doc_parse(const char *path, struct str bytes, struct err *err)
{
	struct yaml_doc *doc = calloc(1, sizeof(*doc));

	if (doc == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
		return NULL;
	}
	pool_init(&doc->pool, POOL_MAX);
	if (doc_fill(doc, path, bytes, err) != 0) {
		yaml_doc_free(doc);
		return NULL;
	}
	return doc;
}

/* Reads one byte more than is allowed, for doc_fill() to see it. */
static int
read_all(int fd, const char *path, struct buf *into, struct err *err)
{
	ssize_t n;
	char *room;

	while (into->n <= YAML_BYTES_MAX) {
		room = buf_room(into, 4096);
		if (room == NULL)
			return err_set(
			    err, ERR_NO_MEMORY, "%s: out of memory", path);
		n = read(fd, room, 4096);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(
			    err, ERR_CONFIG, "%s can't be read", path);
		into->n += (size_t)n;
	}
	return 0;
}

struct yaml_doc *
yaml_doc_read(int fd, const char *path, struct err *err)
{
	struct yaml_doc *doc = NULL;
	struct buf bytes;

	buf_init(&bytes, YAML_BYTES_MAX + 8192);
	if (read_all(fd, path, &bytes, err) == 0)
		doc = yaml_doc_parse(path, buf_str(&bytes), err);
	buf_done(&bytes);
	return doc;
}

void
yaml_doc_free(struct yaml_doc *doc)
{
	if (doc == NULL)
		return;
	pool_done(&doc->pool);
	free(doc);
}

const struct yaml_node *
yaml_doc_root(const struct yaml_doc *doc)
{
	return doc->root;
}

const struct yaml_node *
yaml_find(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *node;

	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (node = map->first; node != NULL; node = node->next)
		if (str_eqz(node->key, key))
			return node;
	return NULL;
}

bool
yaml_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_TEXT && !node->quoted &&
	    (node->text.n == 0 || str_eqz(node->text, "~") ||
		str_ieq(node->text, STR("null")));
}

const char *
yaml_kind_name(const struct yaml_node *node)
{
	static const char *const names[] = {
		[YAML_TEXT] = "a single value",
		[YAML_LIST] = "a list",
		[YAML_MAP] = "a map of keys and values",
	};

	return names[node->kind];
}
