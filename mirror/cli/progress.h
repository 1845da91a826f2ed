/*
 * progress.h - a release's way, as bars on a terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli_int.h"

struct progress;

/* Links are asked for over SPEC (borrowed).  NULL: no memory. */
struct progress *progress_new(const struct client_spec *);
void progress_free(struct progress *); /* NULL is fine */
/* An event: the release, and the images of it that changed. */
void progress_show(struct progress *, const json_t *release);

/* One bar of WIDTH cells, terminated: "[####------]". */
#define BAR_MAX 128
const char *progress_bar(
    uint64_t done, uint64_t all, unsigned width, char out[BAR_MAX]);

#endif
