/*
 * release_folder.h - releases.folder: lists that are kept as files, NAME.yaml,
 * NAME.yml or NAME.json each.
 *
 * Looked at every FOLDER_LOOK_MS; a file that is new or has changed is put as
 * if it had been sent to /v1/releases/NAME.  A wrong one is logged, all that is
 * wrong with it, and changes nothing; it is tried again when it or the
 * configuration has changed.  A file that goes away leaves its release as it
 * is: deleting content is a decision of its own.
 *
 * Threads: admin loop only, but for folder_new() and folder_free(), which comes
 * after the loops were joined.
 */
#ifndef API_RELEASE_FOLDER_H
#define API_RELEASE_FOLDER_H

#include "api/admin.h"
#include "common/err.h"

#define FOLDER_LOOK_MS 2000

struct release_folder;

/* Begins to look when the admin loop runs. */
struct release_folder *folder_new(const struct admin_spec *, struct err *err);
void folder_free(struct release_folder *); /* NULL is fine */

#endif
