/*
 * yaml.c - see yaml.h.  The only file that knows libyaml.
 *
 * libyaml turns the bytes into events; next_event() refuses what we do not
 * take and copies the rest into the doc's pool, so that no event outlives it;
 * read_node() makes the tree of them, one call per node.  Its recursion is
 * bounded by the depth that is taken, which is checked before going down.
 *
 * What is taken differs between a file that people write and a stream that
 * tools render.  An alias becomes a copy of what it names, so that a tree stays
 * a tree, and aliases of aliases run into the ceiling on nodes.
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

#define ANCHORS_MAX 1000

struct taken {
	size_t bytes;
	size_t pool_bytes;
	size_t nodes;
	unsigned depth;
	size_t keys; /* of one map */
	bool is_stream;
};

static const struct taken taken_file = { YAML_BYTES_MAX, 64u << 20,
	YAML_NODES_MAX, YAML_DEPTH_MAX, YAML_KEYS_MAX, false };
static const struct taken taken_stream = { YAML_STREAM_BYTES_MAX, 1u << 30,
	YAML_STREAM_NODES_MAX, YAML_STREAM_DEPTH_MAX, YAML_STREAM_KEYS_MAX,
	true };

struct yaml_doc {
	struct pool pool; /* owns nodes and texts */
	struct yaml_node *root;
};

/* A node that can be named by an alias, in the document that is being read. */
struct anchor {
	struct str name; /* in the doc's pool, as is the anchor */
	const struct yaml_node *node;
	struct anchor *next;
};

struct builder {
	yaml_parser_t parser;
	const struct taken *taken;
	struct yaml_doc *doc; /* borrowed */
	const char *path;     /* borrowed */
	size_t n_nodes;
	struct anchor *anchors; /* newest first */
	size_t n_anchors;
	struct err *err;
};

/* An event, freed of libyaml's memory. */
struct event {
	yaml_event_type_t type;
	unsigned line;
	unsigned column;
	struct str text;   /* in the doc's pool */
	struct str anchor; /* likewise; empty: none */
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

static const char *
anchor_of(const yaml_event_t *e)
{
	if (e->type == YAML_ALIAS_EVENT)
		return (const char *)e->data.alias.anchor;
	if (e->type == YAML_SCALAR_EVENT)
		return (const char *)e->data.scalar.anchor;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)e->data.sequence_start.anchor;
	if (e->type == YAML_MAPPING_START_EVENT)
		return (const char *)e->data.mapping_start.anchor;
	return NULL;
}

static const char *
tag_of(const yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT)
		return (const char *)e->data.scalar.tag;
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)e->data.sequence_start.tag;
	if (e->type == YAML_MAPPING_START_EVENT)
		return (const char *)e->data.mapping_start.tag;
	return NULL;
}

/* What we do not take in a file, or NULL. */
static const char *
unwanted(const yaml_event_t *e)
{
	if (anchor_of(e) != NULL)
		return "anchors and aliases (& and *) are not taken here; "
		       "write "
		       "the value out, or quote a text that begins so";
	if (tag_of(e) != NULL)
		return "tags (!) are not taken here; write the plain value, or "
		       "quote a text that begins so";
	return NULL;
}

static int
keep_event(struct builder *b, const yaml_event_t *from, struct event *to)
{
	const char *why = b->taken->is_stream ? NULL : unwanted(from);
	struct str text = { NULL, 0 };

	*to = (struct event){
		.type = from->type,
		.line = line_of(from->start_mark),
		.column = (unsigned)from->start_mark.column + 1,
	};
	if (why != NULL)
		return refuse(b, to->line, why);
	to->anchor = str_of(anchor_of(from));
	if (to->anchor.n > 0)
		to->anchor.p = pool_copy(&b->doc->pool, to->anchor);
	if (to->anchor.n > 0 && to->anchor.p == NULL)
		return no_memory(b);
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

	if (++b->n_nodes > b->taken->nodes) {
		(void)err_set(b->err, ERR_CONFIG,
		    "%s:%u: the file holds more than %zu values", b->path,
		    e->line, b->taken->nodes);
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
	if (map->n == b->taken->keys)
		return err_set(b->err, ERR_CONFIG,
		    "%s:%u: this map has more than %zu keys", b->path, e->line,
		    b->taken->keys);
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
check_depth(struct builder *b, unsigned line, unsigned depth)
{
	if (depth < b->taken->depth)
		return 0;
	return err_set(b->err, ERR_CONFIG,
	    "%s:%u: lists and maps are nested more than %u deep", b->path, line,
	    b->taken->depth);
}

/* What FROM holds, again: in place of the alias E. */
static int
copy_node(struct builder *b, const struct yaml_node *from,
    const struct event *e, unsigned depth, struct yaml_node **out)
{
	struct yaml_node *node = node_new(b, e), **tail;
	const struct yaml_node *child;

	*out = node;
	if (node == NULL)
		return -1;
	if (from->kind != YAML_TEXT && check_depth(b, e->line, depth) != 0)
		return -1;
	*node = *from;
	node->line = e->line;
	node->column = e->column;
	node->next = NULL;
	tail = &node->first;
	for (child = from->first; child != NULL; child = child->next) {
		if (copy_node(b, child, e, depth + 1, tail) != 0)
			return -1;
		tail = &(*tail)->next;
	}
	return 0;
}

static int
read_alias(struct builder *b, const struct event *e, unsigned depth,
    struct yaml_node **out)
{
	const struct anchor *a;
	char shown[64];

	for (a = b->anchors; a != NULL; a = a->next)
		if (str_eq(a->name, e->anchor))
			return copy_node(b, a->node, e, depth, out);
	return err_set(b->err, ERR_CONFIG,
	    "%s:%u: nothing before it in its document is called \"&%s\"",
	    b->path, e->line, str_printable(e->anchor, shown, sizeof(shown)));
}

/* From now on aliases may name NODE, which is complete. */
static int
keep_anchor(
    struct builder *b, const struct event *e, const struct yaml_node *node)
{
	struct anchor *a;

	if (e->anchor.n == 0)
		return 0;
	if (++b->n_anchors > ANCHORS_MAX)
		return err_set(b->err, ERR_CONFIG,
		    "%s:%u: the file has more than %d anchors", b->path,
		    e->line, ANCHORS_MAX);
	a = pool_take(&b->doc->pool, sizeof(*a));
	if (a == NULL)
		return no_memory(b);
	*a = (struct anchor){ e->anchor, node, b->anchors };
	b->anchors = a;
	return 0;
}

static int
read_entries(struct builder *b, const struct event *e, unsigned depth,
    struct yaml_node *node)
{
	if (e->type == YAML_SCALAR_EVENT)
		return 0;
	if (check_depth(b, e->line, depth) != 0)
		return -1;
	if (e->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = YAML_LIST;
		return read_list(b, node, depth);
	}
	check(e->type == YAML_MAPPING_START_EVENT);
	node->kind = YAML_MAP;
	return read_map(b, node, depth);
}

static int
read_node(struct builder *b, const struct event *e, unsigned depth,
    struct yaml_node **out)
{
	if (e->type == YAML_ALIAS_EVENT)
		return read_alias(b, e, depth, out);
	*out = node_new(b, e);
	if (*out == NULL || read_entries(b, e, depth, *out) != 0)
		return -1;
	return keep_anchor(b, e, *out);
}

/* The document that has just begun, up to its end. */
static int
read_root(struct builder *b, unsigned depth, struct yaml_node **out)
{
	struct event e;

	b->anchors = NULL;
	if (next_event(b, &e) != 0 || read_node(b, &e, depth, out) != 0 ||
	    next_event(b, &e) != 0)
		return -1;
	check(e.type == YAML_DOCUMENT_END_EVENT);
	return 0;
}

static int
read_document(struct builder *b, const struct event *begins)
{
	struct event e;

	if (begins->type == YAML_STREAM_END_EVENT) {
		b->doc->root = node_new(b, begins);
		return b->doc->root != NULL ? 0 : -1;
	}
	if (read_root(b, 1, &b->doc->root) != 0 || next_event(b, &e) != 0)
		return -1;
	if (e.type != YAML_STREAM_END_EVENT)
		return refuse(
		    b, e.line, "a second document begins here; write one only");
	return 0;
}

static int
read_documents(struct builder *b, struct event *e)
{
	struct yaml_node *list = node_new(b, e), **tail;

	b->doc->root = list;
	if (list == NULL)
		return -1;
	list->kind = YAML_LIST;
	tail = &list->first;
	while (e->type != YAML_STREAM_END_EVENT) {
		if (read_root(b, 2, tail) != 0 || next_event(b, e) != 0)
			return -1;
		tail = &(*tail)->next;
		list->n++;
	}
	return 0;
}

static int
read_stream(struct builder *b)
{
	struct event e;

	do
		if (next_event(b, &e) != 0)
			return -1;
	while (e.type == YAML_STREAM_START_EVENT);
	if (e.type == YAML_STREAM_END_EVENT)
		e.line = e.column = 1;
	return b->taken->is_stream ? read_documents(b, &e)
				   : read_document(b, &e);
}

/* ---- the doc ----------------------------------------------------------- */

static int
doc_fill(struct builder *b, struct str bytes)
{
	int failed;

	if (bytes.n > b->taken->bytes)
		return err_set(b->err, ERR_CONFIG,
		    "%s: the file is larger than %zu bytes", b->path,
		    b->taken->bytes);
	if (yaml_parser_initialize(&b->parser) == 0)
		return no_memory(b);
	yaml_parser_set_input_string(
	    &b->parser, (const unsigned char *)bytes.p, bytes.n);
	failed = read_stream(b);
	yaml_parser_delete(&b->parser);
	return failed;
}

static struct yaml_doc *
parse(const struct taken *taken, const char *path, struct str bytes,
    struct err *err)
{
	struct builder b = { .taken = taken, .path = path, .err = err };

	b.doc = calloc(1, sizeof(*b.doc));
	if (b.doc == NULL) {
		(void)no_memory(&b);
		return NULL;
	}
	pool_init(&b.doc->pool, taken->pool_bytes);
	if (doc_fill(&b, bytes) != 0) {
		yaml_doc_free(b.doc);
		return NULL;
	}
	return b.doc;
}

struct yaml_doc *
yaml_doc_parse(const char *path, struct str bytes, struct err *err)
{
	return parse(&taken_file, path, bytes, err);
}

struct yaml_doc *
yaml_stream_parse(const char *path, struct str bytes, struct err *err)
{
	return parse(&taken_stream, path, bytes, err);
}

/* Reads one byte more than is allowed, for doc_fill() to see it. */
static int
read_all(
    int fd, const char *path, size_t max, struct buf *into, struct err *err)
{
	ssize_t n;
	char *room;

	while (into->n <= max) {
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

static struct yaml_doc *
read_doc(const struct taken *taken, int fd, const char *path, struct err *err)
{
	struct yaml_doc *doc = NULL;
	struct buf bytes;

	buf_init(&bytes, taken->bytes + 8192);
	if (read_all(fd, path, taken->bytes, &bytes, err) == 0)
		doc = parse(taken, path, buf_str(&bytes), err);
	buf_done(&bytes);
	return doc;
}

struct yaml_doc *
yaml_doc_read(int fd, const char *path, struct err *err)
{
	return read_doc(&taken_file, fd, path, err);
}

struct yaml_doc *
yaml_stream_read(int fd, const char *path, struct err *err)
{
	return read_doc(&taken_stream, fd, path, err);
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
