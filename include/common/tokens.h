/*
 * tokens.h - who may use the control plane: the tokens file.
 *
 *	tokens:
 *	  - {name: grafana, role: read, token: "..."}
 *
 * Roles: read (see, gates, metrics), release (and releases), operate (all).
 * The file must not be open to others, tokens have 16 bytes at least, names and
 * tokens are unique.  Tokens are compared in constant time and never shown.  A
 * loaded table is immutable; any thread.
 */
#ifndef COMMON_TOKENS_H
#define COMMON_TOKENS_H

#include "common/err.h"
#include "common/str.h"

enum role { ROLE_NONE, ROLE_READ, ROLE_RELEASE, ROLE_OPERATE };

struct tokens;

struct tokens *tokens_load(const char *path, struct err *err);
void tokens_free(struct tokens *); /* NULL is fine */
/* ROLE_NONE when unknown; *name (may be NULL) points into the table. */
enum role tokens_role(
    const struct tokens *, struct str token, const char **name);

#endif
