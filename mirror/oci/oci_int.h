/*
 * oci_int.h - what the parsers of this folder share.  Pure; any thread.
 */
#ifndef OCI_INT_H
#define OCI_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

/* ---- field.c: pieces of a header's value (RFC 9110, section 5.6) -------- */

/* Drops spaces and tabs from the front. */
void field_skip_space(struct str *rest);
/* Drops C from the front; false when something else is there. */
bool field_skip(struct str *rest, char c);
/* Cuts off a token (at least one character). */
bool field_cut_token(struct str *rest, struct str *token);
/* Cuts off a token or a quoted string.  *VALUE is what stands between the
 * quotes, escapes and all: field_unescape() is yet to come. */
bool field_cut_value(struct str *rest, struct str *value);
/* Writes VALUE without its escapes to OUT, which has room for all of it, and
 * returns the length. */
size_t field_unescape(struct str value, char *out);

/* ---- json.c: to and from jansson's values ------------------------------- */

/* What a JSON text is called in a sentence, how long it may be, and what it is
 * an error of. */
struct json_source {
	const char *what; /* "The manifest" */
	size_t max_bytes;
	enum err_code code;
};

/* The object that BYTES are; the caller's reference.  The sentence of an error
 * holds none of BYTES, for they may be secret. */
json_t *oci_json_object(
    struct str bytes, const struct json_source *, struct err *err);
/* The member KEY; null counts as absent, and gives NULL. */
json_t *oci_json_get(const json_t *object, const char *key);
/* A string's text, borrowed; p == NULL when the value is none. */
struct str oci_json_str(const json_t *);
err_checked int oci_json_write(
    const json_t *, struct buf *out, struct err *err);
/* TEXT as a JSON string; bytes that are not printable ASCII become \u00HH. */
void oci_json_text(struct buf *out, struct str text);

#endif
