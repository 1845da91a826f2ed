/*
 * window.h - which of a link's time windows is open, and until when.
 *
 * A window belongs to the day on which it begins, on the clock of its link's
 * zone: an hour that a change of that clock skips is not there, one that it
 * repeats counts twice.  Pure.
 */
#ifndef LINK_WINDOW_H
#define LINK_WINDOW_H

#include <stdint.h>

#include "common/config.h"

/* NULL: none is open. */
const struct config_window *window_at(
    const struct config_link *, int64_t wall_s);
/* The next moment at which another window, or none, is in force; 0: never. */
int64_t window_next_change(const struct config_link *, int64_t wall_s);

#endif
