/*
 * yaml.h - YAML bytes as a tree of nodes that know their lines.
 *
 * What people write into configuration files, and no more: one document of
 * lists, maps and plain values.  Anchors, aliases, tags, several documents and
 * keys given twice are refused, each with its line.  Values stay text; what
 * they mean is the reader's business.
 *
 * Ownership: a doc owns its nodes; all pointers live as long as it does.
 * (No function here may be called yaml_free() or the like: libyaml exports
 * such names.)  A doc is immutable; any thread.
 */
#ifndef COMMON_YAML_H
#define COMMON_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/str.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 100000
#define YAML_KEYS_MAX 1000 /* of one map */

#define YAML_STREAM_BYTES_MAX (64u << 20)
#define YAML_STREAM_DEPTH_MAX 100
#define YAML_STREAM_NODES_MAX 4000000
#define YAML_STREAM_KEYS_MAX 20000

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	unsigned line;   /* from 1; of the key, where there is one */
	unsigned column; /* from 1 */
	bool quoted;     /* TEXT: so "null" is four letters */
	struct str text; /* TEXT; terminated, but may hold any byte */
	struct str key;  /* of a map's entry */
	size_t n;        /* entries of a LIST or MAP */
	struct yaml_node *first;
	struct yaml_node *next; /* the next entry beside this one */
};

struct yaml_doc;

/* PATH is named in messages: "PATH:LINE: what is wrong". */
struct yaml_doc *yaml_doc_parse(
    const char *path, struct str bytes, struct err *err);
/* Of what FD has to read, up to YAML_BYTES_MAX.  FD stays open. */
struct yaml_doc *yaml_doc_read(int fd, const char *path, struct err *err);
/*
 * The same of what tools render, such as manifests of Kubernetes: any number of
 * documents (the root is the list of them), larger, deeper; aliases are copies
 * of what they name, "<<" is a key like any other, tags are passed over.
 */
struct yaml_doc *yaml_stream_parse(
    const char *path, struct str bytes, struct err *err);
struct yaml_doc *yaml_stream_read(int fd, const char *path, struct err *err);
void yaml_doc_free(struct yaml_doc *); /* NULL is fine */

/* An empty document has a null root. */
const struct yaml_node *yaml_doc_root(const struct yaml_doc *);
/* The entry of a map; NULL when NODE is no map or has no such key. */
const struct yaml_node *yaml_find(const struct yaml_node *, const char *key);
bool yaml_is_null(const struct yaml_node *);          /* nothing, ~ or null */
const char *yaml_kind_name(const struct yaml_node *); /* "a list" */

#endif
