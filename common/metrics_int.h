/*
 * metrics_int.h - what metrics.c and metrics_process.c share.
 */
#ifndef COMMON_METRICS_INT_H
#define COMMON_METRICS_INT_H

#include <stdint.h>

#include "common/buf.h"

/* HELP and TYPE lines. */
void metrics_put_head(
    struct buf *, const char *name, const char *kind, const char *help);
/* VALUE / PER_UNIT (a power of ten) as an exact decimal number. */
void metrics_put_scaled(struct buf *, int64_t value, uint64_t per_unit);
/* The process_* families. */
void metrics_put_process(struct buf *);

#endif
