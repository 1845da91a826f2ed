/*
 * base64.h - RFC 4648 section 4, with padding: what `Authorization: Basic` and
 * Docker's config.json are written in.  Pure; any thread.
 */
#ifndef UPSTREAM_BASE64_H
#define UPSTREAM_BASE64_H

#include "common/buf.h"
#include "common/str.h"

void base64_encode(struct buf *out, struct str bytes);
/* Appends what TEXT stands for; -1 (and nothing appended) when it is not
 * base64: strange bytes, a wrong length, bits behind the end. */
int base64_decode(struct buf *out, struct str text);

#endif
