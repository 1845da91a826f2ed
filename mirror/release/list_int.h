/*
 * list_int.h - what the files of a list share.
 */
#ifndef LIST_INT_H
#define LIST_INT_H

#include "release/list.h"

int list_no_memory(struct err *);
/* A terminated copy in the list's pool; the sentence of a wrong one. */
err_checked int list_platform(
    struct release_list *, struct str, const char **to, struct err *err);

#endif
