/*
 * err.h - an error is a code with a sentence.
 *
 * The sentence is for people: what was asked, of whom, what happened, what to
 * do.  It is wrapped on the way up and logged once, at the top.  Bytes from
 * peers go into it only in printable form (str_printable()).
 *
 * A function that can fail takes `struct err *err` as its last parameter and
 * returns 0 or -1 (constructors NULL); *err is set exactly when it failed.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

enum err_code {
#define ERROR(id, oci, status) ERR_##id,
#include "tbl/errors.h"
	ERR_COUNT
};

#define ERR_TEXT_MAX 400

struct err {
	enum err_code code;
	char text[ERR_TEXT_MAX]; /* cut, never overrun */
};

#define err_checked __attribute__((warn_unused_result))

/* All return -1, so that a failing function can `return err_set(...)`. */
int err_set(struct err *, enum err_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "FMT: " before the sentence. */
int err_wrap(struct err *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets the sentence to "FMT: <strerror(errno)>"; ENOSPC and EDQUOT become
 * ERR_DISK_FULL, ENOMEM ERR_NO_MEMORY, all others CODE. */
int err_errno(struct err *, enum err_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *err_oci_code(enum err_code);
int err_http_status(enum err_code);

#endif
