/*
 * layout_int.h - what layout.c and layout_shelf.c share.
 */
#ifndef UPSTREAM_LAYOUT_INT_H
#define UPSTREAM_LAYOUT_INT_H

#include "upstream/layout.h"

struct layout *layout_ref(struct layout *);

#endif
