/*
 * map.h - from bytes to a pointer.
 *
 * Open hash with chains; keys are copied; values are the caller's.  Keys come
 * from peers, so the hash is keyed (SipHash-1-3, a key per process).  A map
 * has a ceiling from birth.  One thread at a time.
 */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(size_t max_entries); /* NULL when out of memory */
void map_free(struct map *);             /* NULL is fine; values untouched */
size_t map_count(const struct map *);
void *map_find(const struct map *, const void *key, size_t n);
/* Sets or replaces.  -1 when the map is at its ceiling or memory is out. */
int map_put(struct map *, const void *key, size_t n, void *value);
/* Removes and returns the value; NULL when it was not there. */
void *map_take(struct map *, const void *key, size_t n);
/* Calls FN for each entry; FN may take the entry it was called for. */
void map_each(struct map *,
    void (*fn)(const void *key, size_t n, void *value, void *arg), void *arg);

#endif
