/*
 * digest.h - content digests: sha256 and sha512.
 *
 * Grammar: OCI image specification, descriptor.md, "Digests"; encoded in lower
 * case.  Kept binary; text is made where it is shown.  Only digest.c knows
 * OpenSSL's EVP.  Pure; any thread; a hasher belongs to one thread at a time.
 */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum digest_alg { DIGEST_SHA256 = 1, DIGEST_SHA512 = 2 };

/* As a key: the first digest_key_size() bytes, algorithm first. */
struct digest {
	uint8_t alg;       /* enum digest_alg; 0 in a digest that is not set */
	uint8_t bytes[64]; /* unused ones are zero */
};

#define DIGEST_TEXT_MAX (7 + 128 + 1) /* "sha512:" + hex + NUL */

/* "sha256:<64 hex>" or "sha512:<128 hex>"; ERR_DIGEST_INVALID else. */
err_checked int digest_parse(struct digest *, struct str, struct err *err);
/* "sha256:..." into OUT, terminated; returns OUT. */
const char *digest_text(const struct digest *, char out[DIGEST_TEXT_MAX]);
const char *digest_alg_name(const struct digest *); /* "sha256" */
const char *digest_hex(const struct digest *, char out[DIGEST_TEXT_MAX]);
size_t digest_size(const struct digest *);     /* 32 or 64 */
size_t digest_key_size(const struct digest *); /* 33 or 65 */
bool digest_equal(const struct digest *, const struct digest *);

struct hasher;

struct hasher *hasher_new(enum digest_alg); /* NULL when out of memory */
void hasher_free(struct hasher *);          /* NULL is fine */
void hasher_reset(struct hasher *);
void hasher_add(struct hasher *, const void *, size_t);
/* The digest of all added so far; adding may go on. */
void hasher_get(const struct hasher *, struct digest *out);

void digest_of(enum digest_alg, const void *, size_t, struct digest *out);

#endif
