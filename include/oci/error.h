/*
 * error.h - the error body of the distribution specification:
 * {"errors":[{"code":"...","message":"...","detail":...}]}.  Pure.
 */
#ifndef OCI_ERROR_H
#define OCI_ERROR_H

#include "common/buf.h"
#include "common/err.h"

void oci_error_json(struct buf *out, const struct err *);

#endif
