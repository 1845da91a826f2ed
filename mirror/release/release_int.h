/*
 * release_int.h - what the files of release/ share.
 */
#ifndef RELEASE_INT_H
#define RELEASE_INT_H

#include "release/releases.h"

/* ---- view.c ------------------------------------------------------------- */

struct release_view *view_new(struct release_list *); /* referenced */
struct release_overview *overview_new(size_t n);

#endif
