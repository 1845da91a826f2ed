/*
 * json.c - to and from jansson's values, with our errors and our buffers.
 *
 * What jansson itself refuses: numbers beyond int64, strings with NUL or bad
 * UTF-8, more than 2,048 levels, anything behind the value.  Of members with
 * the same name the last one counts.
 *
 * What it does not say is that memory ran out: it reports bad syntax, or goes
 * on with a piece of a string missing.  So its allocator is ours, and notes
 * for each thread that a piece was not to be had.
 */
#include "oci_int.h"

#include <pthread.h>
#include <stdlib.h>

static _Thread_local bool is_starved;

static void *
noting_malloc(size_t n)
{
	void *p = malloc(n);

	is_starved = is_starved || p == NULL;
	return p;
}

static void
set_allocator(void)
{
	json_set_alloc_funcs(noting_malloc, free);
}

/* The value that BYTES are; NULL and *why, or is_starved. */
static json_t *
read_value(struct str bytes, json_error_t *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_t *value;

	(void)pthread_once(&once, set_allocator);
	is_starved = false;
	value = json_loadb(bytes.n > 0 ? bytes.p : "", bytes.n, 0, why);
	if (!is_starved)
		return value;
	json_decref(value);
	return NULL;
}

json_t *
oci_json_object(
    struct str bytes, const struct json_source *src, struct err *err)
{
	json_error_t why;
	json_t *root;

	if (bytes.n > src->max_bytes) {
		err_set(err, src->code,
		    "%s has %zu bytes; at most %zu are taken", src->what,
		    bytes.n, src->max_bytes);
		return NULL;
	}
	root = read_value(bytes, &why);
	if (json_is_object(root))
		return root;
	if (is_starved)
		err_set(err, ERR_NO_MEMORY, "%s does not fit into memory",
		    src->what);
	else if (root == NULL)
		err_set(err, src->code, "%s is not JSON (line %d, column %d)",
		    src->what, why.line, why.column);
	else
		err_set(
		    err, src->code, "%s is JSON, but not an object", src->what);
	json_decref(root);
	return NULL;
}

json_t *
oci_json_get(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

struct str
oci_json_str(const json_t *value)
{
	if (!json_is_string(value))
		return (struct str){ NULL, 0 };
	return (
	    struct str){ json_string_value(value), json_string_length(value) };
}

static int
add_to_buf(const char *p, size_t n, void *arg)
{
	struct buf *out = arg;

	buf_add(out, p, n);
	return out->overflow ? -1 : 0;
}

int
oci_json_write(const json_t *value, struct buf *out, struct err *err)
{
	if (json_dump_callback(value, add_to_buf, out, JSON_COMPACT) == 0)
		return 0;
	return err_set(err, out->overflow ? ERR_TOO_LARGE : ERR_NO_MEMORY,
	    "the answer does not fit into %zu bytes", out->max);
}

/* How many bytes at the front of TEXT stand for themselves in a string. */
static size_t
plain_length(struct str text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] >= 0x20 && text.p[n] <= 0x7e &&
	    text.p[n] != '"' && text.p[n] != '\\')
		n++;
	return n;
}

void
oci_json_text(struct buf *out, struct str text)
{
	size_t n;

	buf_addz(out, "\"");
	while (text.n > 0) {
		n = plain_length(text);
		buf_add(out, text.p, n);
		text = str_from(text, n);
		if (text.n == 0)
			break;
		if (text.p[0] == '"' || text.p[0] == '\\')
			buf_add(out, (char[]){ '\\', text.p[0] }, 2);
		else
			buf_printf(out, "\\u%04x", (unsigned char)text.p[0]);
		text = str_from(text, 1);
	}
	buf_addz(out, "\"");
}
